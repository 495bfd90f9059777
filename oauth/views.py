"""The tenant's side: a link is opened, read, followed to Microsoft and back. Parses and renders; consent.py decides."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from monitoring.models import Finding
from monitoring.tasks import deliver_due
from tenants.clouds import Cloud, UnknownCloud, cloud
from tenants.models import AppRegistration
from tenants.scopes import needs_admin

from . import asks, browser, consent
from .entra import LONGEST
from .health import SECRET_ENDING
from .models import ConsentAttempt, Link

MAX_BODY = 64 * 1024
TAKES_AT_MOST = timedelta(minutes=2)  # to redeem a code; every call to Microsoft has a shorter timeout

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


class SeeOther(HttpResponseRedirect):
    status_code = 303  # a 307 would carry the posted form along


def discreet(view: View[P]) -> View[P]:
    """Nothing of these pages is kept by a browser or a proxy, and no other site learns their address."""

    @wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response

    return wrapped


def for_whoever_opened_it(view: Callable[[HttpRequest, Link], HttpResponse]) -> Callable[..., HttpResponse]:
    """Hands the view a usable link that this browser opened. Others get a page that tells nothing of it."""

    @wraps(view)
    def wrapped(request: HttpRequest, link_id: int) -> HttpResponse:
        link = Link.objects.filter(pk=link_id).select_related("registration", "tenant").first()
        if link is None or not browser.opened(request, link):
            return _page(request, "elsewhere", status=404)
        if not Link.objects.usable().filter(pk=link.pk).exists():
            return _unusable(request)
        return view(request, link)

    return wrapped


@discreet
@require_safe
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Trades the token for a cookie and a clean address. Scanners may come as often as they like."""
    link = Link.objects.for_token(token)
    if link is None:
        return _unusable(request)
    if request.method == "GET" and not _is_prefetch(request):
        Link.objects.filter(pk=link.pk).update(opens=F("opens") + 1, last_opened_at=timezone.now())
    response = SeeOther(reverse("oauth:landing", args=[link.pk]))
    browser.remember_link(request, response, link)
    return response


@discreet
@require_safe
@for_whoever_opened_it
def landing(request: HttpRequest, link: Link) -> HttpResponse:
    """Who asks for what, in plain words, and one button."""
    names = link.registration.scope_names
    where = _cloud_of(link.registration)
    if not names or where is None:
        return _cannot_start(request, link, "no_scopes")
    response = _page(
        request,
        "landing",
        link=link,
        granted=asks.granted_by(names),
        withheld=asks.withheld_by(names),
        may_need_admin=needs_admin(names),
        **_accounts(link.registration),
    )
    # Chromium holds form-action against every redirect that follows the post, and a directory may send people on to a
    # sign-in page of its own, so no list of hosts would do.
    origins = ["https:"] if where.sign_in_origin.startswith("https:") else ["https:", where.sign_in_origin]
    response._csp_update = {"form-action": origins}  # type: ignore[attr-defined]  # how django-csp changes one response
    # Without a referrer browsers send "Origin: null" with the form, which the CSRF check refuses. No token stands in
    # this address, and other sites are still told nothing.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@discreet
@require_http_methods(["GET", "HEAD", "POST"])
@for_whoever_opened_it
@sensitive_variables("started")
def start(request: HttpRequest, link: Link) -> HttpResponse:
    """Only a press of the button starts an attempt; whoever reloads this address is back where the button is."""
    if request.method != "POST":
        return SeeOther(reverse("oauth:landing", args=[link.pk]))
    try:
        started = consent.start(link)
    except consent.TooManyTries:
        return _page(request, "too_many_tries", status=429, link=link)
    except consent.CannotStart as reason:
        return _cannot_start(request, link, reason.kind)
    response = SeeOther(started.auth_uri)
    browser.remember_attempt(request, response, started.attempt, started.browser)
    return response


@csrf_exempt  # the state and this browser's cookie are the check, and Microsoft's post comes from another site
@sensitive_post_parameters()
@discreet
@sensitive_variables("answer")
def callback(request: HttpRequest, cloud_key: str) -> HttpResponse:
    """Takes Microsoft's answer, once, from the browser that asked for it."""
    if request.method != "POST":
        response = _page(request, "unmatched", status=405)
        response.headers["Allow"] = "POST"
        return response
    answer = _answer(request)
    if answer is None:
        return _page(request, "unmatched", status=400)
    attempt = consent.attempt_of(cloud_key, answer["state"], partial(browser.secret_of, request))
    if attempt is None:
        return _page(request, "unmatched", status=400)
    claimed = ConsentAttempt.objects.claim(answer["state"], browser.secret_of(request, attempt.pk))
    if claimed is None:
        return _page(request, "unmatched", status=400, attempt=attempt)
    consent.complete(claimed, answer)
    # What came of it may be an alert. The row stands; robust, so that a silent broker does not fail the page.
    transaction.on_commit(deliver_due.delay, robust=True)
    return SeeOther(reverse("oauth:attempt", args=[claimed.pk]))


@discreet
@require_safe
def outcome(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """What became of an attempt, for the browser that made it."""
    attempts = ConsentAttempt.objects.select_related("link__tenant", "link__registration", "connection")
    attempt = attempts.filter(pk=attempt_id).first()
    if attempt is None or not browser.started(request, attempt):
        return _page(request, "elsewhere", status=404)
    link = attempt.link
    is_usable = browser.opened(request, link) and Link.objects.usable().filter(pk=link.pk).exists()
    missing = attempt.connection.scopes_missing if attempt.connection else []
    return _page(
        request,
        f"outcome/{attempt.outcome or _unfinished(attempt)}",
        attempt=attempt,
        link=link,
        again=reverse("oauth:landing", args=[link.pk]) if is_usable else "",
        missing=asks.sentences_for(missing),
        actor=consent.ACTORS.get(attempt.fault_kind, ""),
        is_known=bool(attempt.fault_kind) and _is_known(link.registration, attempt.fault_kind),
        **_accounts(link.registration),
    )


def _unfinished(attempt: ConsentAttempt) -> str:
    now = timezone.now()
    if attempt.claimed_at is not None:
        return "working" if now - attempt.claimed_at < TAKES_AT_MOST else "interrupted"
    return "waiting" if now < attempt.expires_at else "expired"


def _answer(request: HttpRequest) -> dict[str, str] | None:
    """The form that Microsoft posts, or None for anything that it would not post."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    is_form = request.content_type == "application/x-www-form-urlencoded"
    if not is_form or not (length.isascii() and length.isdecimal()) or int(length) > MAX_BODY:
        return None
    answer = {}
    for name, longest in LONGEST.items():
        values = request.POST.getlist(name)
        if len(values) > 1 or any(len(value) > longest for value in values):
            return None
        if values and values[0]:
            answer[name] = values[0]
    words = [value for name, value in answer.items() if name != "error_description"]
    if not all(word.isascii() and word.isprintable() for word in words):
        return None
    is_one_answer = ("code" in answer) != ("error" in answer)
    return answer if "state" in answer and is_one_answer else None


def _is_prefetch(request: HttpRequest) -> bool:
    purposes = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    return any("prefetch" in purpose.lower() for purpose in purposes)


def _accounts(registration: AppRegistration) -> dict[str, bool]:
    """Which accounts may consent, and where Microsoft has their owners withdraw it."""
    audience, audiences = registration.audience, AppRegistration.Audience
    return {
        "takes_work": audience != audiences.PERSONAL,
        "takes_personal": audience in (audiences.ANY, audiences.PERSONAL),
        "is_one_organization": audience == audiences.MY_ORG,
        "is_worldwide": registration.cloud == "global",
    }


def _cloud_of(registration: AppRegistration) -> Cloud | None:
    try:
        return cloud(registration.cloud)
    except UnknownCloud:
        return None


def _is_known(registration: AppRegistration, kind: str) -> bool:
    """Whether monitoring holds this fault of the registration or its secret against it, so that somebody is told."""
    kinds = [kind, SECRET_ENDING] if kind == "secret_expired" else [kind]
    of_it = Q(registration=registration) | Q(credential__registration=registration)
    return Finding.objects.open().filter(of_it, kind__in=kinds).exists()


def _cannot_start(request: HttpRequest, link: Link, kind: str) -> HttpResponse:
    return _page(
        request,
        "cannot_start",
        status=503,
        link=link,
        is_unreachable=kind == "unreachable",
        is_known=_is_known(link.registration, kind),
    )


def _unusable(request: HttpRequest) -> HttpResponse:
    """One page for whatever keeps a link from working, so that an outsider learns nothing of which."""
    return _page(request, "unusable", status=404)


def _page(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    context |= {"organization": settings.ORGANIZATION_NAME, "support_email": settings.SUPPORT_EMAIL}
    return render(request, f"consent/{name}.html", context, status=status)
