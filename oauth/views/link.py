"""A link is opened and read; what Microsoft said is explained; an administrator is asked."""

from urllib.parse import quote, urlencode, urlsplit

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from oauth import asks, browser, mails, pasted, pins, returning, ways
from oauth.further_links import EnoughHandedOut, approval_link
from oauth.limits import limited
from oauth.models import ConsentAttempt, Link
from tenants.branding import branding
from tenants.clouds import Cloud

from . import setup
from .pages import (
    SeeOther,
    accounts,
    cannot_start,
    cloud_of,
    discreet,
    for_whoever_opened_it,
    has_forms,
    link_of,
    offers_approval,
    page,
    unusable,
)

Purpose = Link.Purpose


@sensitive_variables()  # outermost: the others hold the token in their arguments
@discreet
@require_safe
@limited("open")
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Trades the token for a cookie and a clean address. Scanners may come as often as they like."""
    link = Link.objects.for_token(token)
    if link is None:
        return unusable(request)
    if request.method == "GET" and not _is_prefetch(request):
        Link.objects.filter(pk=link.pk).update(opens=F("opens") + 1, last_opened_at=timezone.now())
    return _let_in(request, link)


def _let_in(request: HttpRequest, link: Link) -> HttpResponse:
    response = SeeOther(reverse("oauth:landing", args=[link.public_id]))
    browser.remember_link(request, response, link)
    return response


def _is_prefetch(request: HttpRequest) -> bool:
    purposes = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    return any("prefetch" in purpose.lower() for purpose in purposes)


@discreet
@require_safe
@for_whoever_opened_it(*Purpose)
def landing(request: HttpRequest, link: Link) -> HttpResponse:
    """Who asks for what, in plain words, and the ways on."""
    if link.purpose == Purpose.DISCONNECT:
        response = page(request, "disconnect", link=link, **accounts(link.registration, link.connection))
        return has_forms(response)
    if link.purpose in (Purpose.SETUP, Purpose.SECRET):
        return setup.show(request, link)
    names = link.registration.scope_names
    where = cloud_of(link.registration)
    if not names or where is None:
        return cannot_start(request, link, "no_scopes")
    approval = ways.approval_of(link)
    directory = pins.directory_of(link)
    response = page(
        request,
        "approval" if link.purpose == Purpose.APPROVAL else "landing",
        link=link,
        granted=asks.granted_by(names),
        withheld=asks.withheld_by(names),
        permissions=asks.permissions_by_name(names),
        directory=directory if pins.names_a_directory(directory) else "",
        approval=approval,
        back_host=(urlsplit(link.return_url).hostname or "") if returning.is_authorized(link) else "",
        ways=ways.ways_on(link, where, is_approved=approval is not None),
        missing=asks.sentences_for(link.connection.scopes_missing) if link.connection else [],
        **accounts(link.registration, link.connection),
    )
    return _leads_to_microsoft(response, where)


def _leads_to_microsoft(response: HttpResponse, where: Cloud) -> HttpResponse:
    # Chromium holds form-action against every redirect that follows the post, and a directory may send people on to a
    # sign-in page of its own, so no list of hosts would do.
    origins = ["https:"] if where.sign_in_origin.startswith("https:") else ["https:", where.sign_in_origin]
    response._csp_update = {"form-action": origins}  # type: ignore[attr-defined]  # how django-csp changes one response
    return has_forms(response)


@discreet
@require_http_methods(["POST"])
@limited("hand_on")
@sensitive_variables("_token")
def administrator(request: HttpRequest, public_id: object) -> HttpResponse:
    """From a copied address to a link of one's own, by which an administrator approves."""
    link = link_of(public_id)  # type: ignore[arg-type]
    if link is None or not offers_approval(link):
        return unusable(request)
    try:
        made, _token = approval_link(link, from_copy=True)
    except EnoughHandedOut:
        return page(request, "enough_links", status=429)
    return _let_in(request, made)


@discreet
@require_http_methods(["GET", "HEAD", "POST"])
@limited("hand_on")
@for_whoever_opened_it(Purpose.CONSENT, Purpose.RECONNECT, Purpose.APPROVAL)
@sensitive_variables()
def hand_on(request: HttpRequest, link: Link) -> HttpResponse:
    """A link to approve by, and the words to send with it; shown this once."""
    where = cloud_of(link.registration)
    if request.method != "POST" or where is None or ways.HAND_ON not in ways.ways_on(link, where, is_approved=False):
        return SeeOther(reverse("oauth:landing", args=[link.public_id]))
    try:
        made, token = approval_link(link)
    except EnoughHandedOut:
        return page(request, "enough_links", status=429, link=link)
    address = mails.address_of(token)
    subject, text = _words_to_send(made, address)
    mailto = "mailto:?" + urlencode({"subject": subject, "body": text.replace("\n", "\r\n")}, quote_via=quote)
    return page(request, "hand_on", link=link, made=made, address=address, text=text, mailto=mailto)


def _words_to_send(link: Link, address: str) -> tuple[str, str]:
    """A subject and a text with which somebody asks their administrator to approve."""
    permissions = asks.permissions_of_each(link.registration.scope_names)
    context = {"link": link, "address": address, "permissions": permissions, **branding()}
    subject, _, text = render_to_string("consent/hand_on.txt", context).partition("\n")
    return subject, text.strip() + "\n"


@discreet
@require_http_methods(["GET", "HEAD", "POST"])
@limited("told")
@for_whoever_opened_it(Purpose.CONSENT, Purpose.RECONNECT, Purpose.APPROVAL)
def told(request: HttpRequest, link: Link) -> HttpResponse:
    """What Microsoft's own page said, explained. It is kept as a number beside the attempt that had no answer."""
    if request.method != "POST":
        return SeeOther(reverse("oauth:landing", args=[link.public_id]))
    text = request.POST.get("text", "")
    answer, ids = pasted.told(text), pasted.ids_in(text)
    is_kept = answer.code is not None and _note(request, link, answer.code)
    where = cloud_of(link.registration)
    on = ways.ways_on(link, where, is_approved=False) if where else []
    response = page(
        request,
        "told",
        link=link,
        told=answer,
        is_kept=is_kept,
        codes=[answer.code] if answer.code else [],
        at=timezone.now(),
        correlation_id=ids.get("correlation_id", ""),
        request_id=ids.get("request_id", ""),
        again=reverse("oauth:landing", args=[link.public_id]),
        ways=on,
        by_approval=answer.kind in ways.MENDED_BY_APPROVAL,
    )
    return has_forms(response)


def _note(request: HttpRequest, link: Link, code: int) -> bool:
    """Whether there was an attempt of this browser to keep the number beside."""
    unanswered = ConsentAttempt.objects.filter(
        pk__in=browser.attempts_held(request), link=link, claimed_at=None, outcome=""
    )
    mine = [attempt.pk for attempt in unanswered if browser.started(request, attempt)]
    newest = ConsentAttempt.objects.filter(pk__in=mine).order_by("-created_at").first()
    if newest is None:
        return False
    return ConsentAttempt.objects.filter(pk=newest.pk, claimed_at=None).update(told_code=code) == 1
