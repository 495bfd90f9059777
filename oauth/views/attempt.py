"""Somebody leaves for Microsoft, comes back, and reads what became of it. Parses and renders; consent.py decides."""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from oauth import approval, asks, attempts, browser, consent, pins, returning, ways
from oauth.attempts import CannotStart, Started, TooManyTries
from oauth.entra import LONGEST
from oauth.explanations import explanation_of
from oauth.further_links import EnoughHandedOut, link_for_the_rest
from oauth.limits import limited
from oauth.models import ConsentAttempt, Link
from oauth.models.attempt import TAKES_AT_MOST, WHOLE
from oauth.tasks import look_at_grant, ring, try_again
from tenants.scopes import needs_admin

from .pages import (
    SeeOther,
    accounts,
    cannot_start,
    cloud_of,
    discreet,
    elsewhere,
    for_whoever_opened_it,
    has_forms,
    is_known,
    page,
)

MAX_BODY = 64 * 1024
LOOKS_AGAIN = 3  # seconds, on a page that waits for something
GOES_ON = 10  # seconds, to the return URL
FIRST_NEWS = {"tenant": 100, "scope": 10_000, "admin_consent": 10}  # what an approval's answer has besides

Purpose, Way, Outcome = Link.Purpose, ConsentAttempt.Way, ConsentAttempt.Outcome
FAILED = (Outcome.REFUSED, Outcome.REJECTED, Outcome.UNREACHABLE)


@discreet
@require_http_methods(["GET", "HEAD", "POST"])
@limited("start")
@for_whoever_opened_it(Purpose.CONSENT, Purpose.RECONNECT)
def start(request: HttpRequest, link: Link) -> HttpResponse:
    """To Microsoft's sign-in. Only a press of the button starts an attempt; who reloads is back where the button is."""
    return _leave(request, link, consent.start)


@discreet
@require_http_methods(["GET", "HEAD", "POST"])
@limited("start")
@for_whoever_opened_it(Purpose.CONSENT, Purpose.RECONNECT, Purpose.APPROVAL)
def approve(request: HttpRequest, link: Link) -> HttpResponse:
    """To Microsoft's page where an administrator consents for the organization."""
    where = cloud_of(link.registration)
    if where is None or ways.APPROVE not in ways.ways_on(link, where, is_approved=False):
        return SeeOther(reverse("oauth:landing", args=[link.public_id]))
    return _leave(request, link, approval.start)


@sensitive_variables("started")
def _leave(request: HttpRequest, link: Link, begin: Callable[[Link], Started]) -> HttpResponse:
    if request.method != "POST":
        return SeeOther(reverse("oauth:landing", args=[link.public_id]))
    try:
        started = begin(link)
    except TooManyTries:
        return page(request, "too_many_tries", status=429, link=link)
    except CannotStart as reason:
        return cannot_start(request, link, reason.kind)
    response = SeeOther(started.auth_uri)
    browser.remember_attempt(request, response, started.attempt, started.browser)
    return response


@csrf_exempt  # the state and this browser's cookie are the check, and Microsoft's post comes from another site
@sensitive_post_parameters()
@discreet
@limited("callback")
@sensitive_variables("answer")
def callback(request: HttpRequest, cloud_key: str) -> HttpResponse:
    """Takes Microsoft's answer, once, from the browser that asked for it.

    A sign-in's answer is posted, so that its code stands in no address; an approval's comes as a GET, and holds none.
    """
    way, complete = (Way.SIGN_IN, consent.complete) if request.method == "POST" else (Way.APPROVAL, approval.complete)
    if request.method not in ("GET", "POST"):
        response = page(request, "unmatched", status=405)
        response.headers["Allow"] = "GET, POST"
        return response
    answer = _sign_in_answer(request) if way == Way.SIGN_IN else _approval_answer(request)
    if answer is None:
        return page(request, "unmatched", status=400)
    attempt = attempts.find(cloud_key, answer["state"], partial(browser.secret_of, request), way)
    if attempt is None:
        return page(request, "unmatched", status=400)
    claimed = ConsentAttempt.objects.claim(answer["state"], browser.secret_of(request, attempt.pk))
    if claimed is None:
        return page(request, "unmatched", status=400, attempt=attempt)
    complete(claimed, answer)
    ring()  # what came of it may be an alert or a mail
    return SeeOther(reverse("oauth:attempt", args=[claimed.pk]))


def _sign_in_answer(request: HttpRequest) -> dict[str, str] | None:
    """The form that Microsoft posts, or None for anything that it would not post."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    is_form = request.content_type == "application/x-www-form-urlencoded"
    if not is_form or not (length.isascii() and length.isdecimal()) or int(length) > MAX_BODY:
        return None
    answer = _fields(request.POST, LONGEST)
    return answer if answer and ("code" in answer) != ("error" in answer) else None


def _approval_answer(request: HttpRequest) -> dict[str, str] | None:
    """The query that Microsoft sends an administrator back with, or None for anything that it would not send."""
    if "code" in request.GET:
        return None
    answer = _fields(request.GET, {name: LONGEST[name] for name in LONGEST if name != "code"} | FIRST_NEWS)
    return answer if answer and ("tenant" in answer or "error" in answer) else None


def _fields(given: Mapping[str, str], longest: Mapping[str, int]) -> dict[str, str] | None:
    answer = {}
    for name, length in longest.items():
        values = given.getlist(name)  # type: ignore[attr-defined]
        if len(values) > 1 or any(len(value) > length for value in values):
            return None
        if values and values[0]:
            answer[name] = values[0]
    words = [value for name, value in answer.items() if name != "error_description"]
    is_plain = all(word.isascii() and word.isprintable() for word in words)
    return answer if is_plain and "state" in answer else None


@discreet
@require_safe
def outcome(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """What became of an attempt, for the browser that made it."""
    attempt = _own_attempt(request, attempt_id)
    if attempt is None:
        return elsewhere(request, None)
    link = attempt.link
    is_usable = browser.opened(request, link) and Link.objects.usable().filter(pk=link.pk).exists()
    where = cloud_of(link.registration)
    on = ways.ways_on(link, where, is_approved=False) if is_usable and where else []
    back = returning.address_for(attempt)
    goes_on = bool(back) and attempt.outcome == Outcome.CONNECTED
    state = "failed" if attempt.outcome in FAILED else attempt.outcome or _unfinished(attempt)
    response = page(
        request,
        f"outcome/{state}",
        attempt=attempt,
        link=link,
        again=reverse("oauth:landing", args=[link.public_id]) if is_usable else "",
        ways=on,
        by_approval=_by_approval(attempt),
        missing=asks.sentences_for(attempt.connection.scopes_missing if attempt.connection else []),
        explanation=explanation_of(attempt.fault_kind) if attempt.outcome in FAILED else None,
        is_known=attempt.outcome in FAILED and is_known(link.registration, attempt.fault_kind),
        back=back,
        back_host=urlsplit(back).hostname or "",
        is_connected=attempt.outcome in (Outcome.CONNECTED, Outcome.CONNECTED_WITH_LESS),
        goes_on=goes_on,
        goes_on_after=GOES_ON,
        **accounts(link.registration, attempt.connection),
    )
    if _is_waiting(attempt):
        response.headers["Refresh"] = str(LOOKS_AGAIN)
    elif goes_on:
        response.headers["Refresh"] = f"{GOES_ON}; url={back}"
    return has_forms(response)


def _by_approval(attempt: ConsentAttempt) -> bool:
    """Whether an administrator's approval is probably what was missing, where there could be one.

    Microsoft sends people back without a word from its page that says so, also those who tried to approve and may not.
    Other pages it never sends them back from, so whoever is still on the way may stand there, too.
    """
    if not pins.is_for_work(attempt.link):
        return False
    if attempt.way == Way.APPROVAL and attempt.outcome == Outcome.CANCELLED:
        return True
    if attempt.outcome in FAILED:
        return attempt.fault_kind in ways.MENDED_BY_APPROVAL
    names = attempt.link.registration.scope_names
    return bool(names) and needs_admin(names)


def _own_attempt(request: HttpRequest, attempt_id: UUID) -> ConsentAttempt | None:
    found = ConsentAttempt.objects.select_related(*WHOLE, "connection", "grant").filter(pk=attempt_id).first()
    return found if found is not None and browser.started(request, found) else None


def _unfinished(attempt: ConsentAttempt) -> str:
    now = timezone.now()
    if attempt.next_at is not None:
        return "spreading"
    if attempt.claimed_at is not None:
        return "working" if now - attempt.claimed_at < TAKES_AT_MOST else "interrupted"
    return "waiting" if now < attempt.expires_at else "expired"


def _is_waiting(attempt: ConsentAttempt) -> bool:
    """Whether the page is to look again by itself. Rings for what is due: its reader waits for it."""
    if attempt.next_at is not None:
        if attempt.next_at <= timezone.now():
            transaction.on_commit(lambda: try_again.delay(str(attempt.pk)), robust=True)
        return True
    grant = attempt.grant
    if attempt.outcome == Outcome.APPROVED and grant is not None and grant.look_at is not None:
        if grant.look_at <= timezone.now():
            transaction.on_commit(lambda: look_at_grant.delay(grant.pk), robust=True)
        return True
    return _unfinished(attempt) == "working" if not attempt.outcome else False


@discreet
@require_http_methods(["GET", "HEAD", "POST"])
@limited("start")
@sensitive_variables("_token")
def grant_the_rest(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """From a connection with fewer scopes than asked to a link that asks for the rest."""
    attempt = _own_attempt(request, attempt_id)
    if attempt is None:
        return elsewhere(request, None)
    is_partial = attempt.outcome == Outcome.CONNECTED_WITH_LESS and attempt.connection is not None
    if request.method != "POST" or not is_partial:
        return SeeOther(reverse("oauth:attempt", args=[attempt.pk]))
    try:
        link, _token = link_for_the_rest(attempt)
    except EnoughHandedOut:
        return page(request, "enough_links", status=429)
    response = SeeOther(reverse("oauth:landing", args=[link.public_id]))
    browser.remember_link(request, response, link)
    return response
