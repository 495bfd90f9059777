"""The steps in Entra for a tenant's administrator, and the form by which they drop the secret."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from oauth import secret_drop
from oauth.limits import limited
from oauth.models import Link
from oauth.progress import progress_of
from oauth.report import CONFIGURATION, DIRECTORY, FAILED, NOT_YET, SIGN_IN, Step
from oauth.secret_drop import MENDABLE, AlreadyOver, Drop, DropForm, Taken
from tenants.client_address import client_address
from tenants.setup.steps import steps
from tenants.setup.tools import TOOLS, write_all
from tenants.setup.values import NoSuchCloud, Values, values_of

from .pages import SeeOther, discreet, for_whoever_opened_it, has_forms, page, unusable

AGAIN = "again"  # in the query: to mend what was entered, while a new secret may still be spreading
REFRESH = 3  # seconds, while Microsoft is asked
# What a person who set it up can mend, by the number Microsoft gives.
_REFUSED = {
    7000215: "secret",
    7000222: "ended",
    700016: "client_id",
    700038: "client_id",
    90002: "directory",
    900023: "directory",
    90013: "directory",
    7000112: "disabled",
}


def show(request: HttpRequest, link: Link) -> HttpResponse:
    """The page behind a link to set up: the steps alone, or with the form."""
    if link.purpose == Link.Purpose.SETUP:
        return page(request, "setup", **_steps(link))
    drop = secret_drop.drop_of(link)
    waits = drop.state in MENDABLE and AGAIN not in request.GET
    if drop.takes_more and not waits:
        return _form(request, link, DropForm(link), drop)
    return _outcome(request, link, drop)


@discreet
@require_safe
@for_whoever_opened_it(Link.Purpose.SETUP, Link.Purpose.SECRET)
def tool(request: HttpRequest, link: Link) -> HttpResponse:
    """The file of the tool that the query names."""
    return file_of(_values(link), request.GET.get("tool", ""))


def file_of(values: Values, key: str) -> HttpResponse:
    """The file of the tool of that key, as a download. Raises Http404 where there is none for this registration."""
    chosen = next((each for each in TOOLS if each.key == key), None)
    if chosen is None:
        raise Http404
    try:
        text = chosen.write(values)
    except NoSuchCloud as problem:
        raise Http404(str(problem)) from problem
    response = HttpResponse(text, content_type=f"{chosen.content_type}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{chosen.filename}"'
    return response


@sensitive_post_parameters()
@discreet
@require_http_methods(["GET", "HEAD", "POST"])
@limited("secret")
@for_whoever_opened_it(Link.Purpose.SECRET)
@sensitive_variables()
def drop(request: HttpRequest, link: Link) -> HttpResponse:
    """Takes what was entered and has it tried; the page behind it tells what comes of that."""
    landing = SeeOther(reverse("oauth:landing", args=[link.public_id]))
    if request.method != "POST":
        return landing
    found = secret_drop.drop_of(link)
    if not found.takes_more:
        return landing
    form = DropForm(link, request.POST)
    address = client_address(request)
    try:
        if not form.is_valid():
            secret_drop.note_taken(link, form, address)
            return _form(request, link, form, found)
        secret_drop.enter(link, form, address)
    except Taken:
        return _form(request, link, form, found)
    except AlreadyOver:
        return landing if Link.objects.readable().filter(pk=link.pk).exists() else unusable(request)
    return landing


@sensitive_variables()
def _form(request: HttpRequest, link: Link, form: DropForm, found: Drop) -> HttpResponse:
    why, codes = _refusal(found)
    return has_forms(page(request, "secret", form=form, why=why, codes=codes, **_steps(link)))


def _outcome(request: HttpRequest, link: Link, found: Drop) -> HttpResponse:
    seen = _steps_seen(found)
    response = page(
        request,
        "secret_entered",
        link=link,
        state=found.state.value,
        still_wrong=[step.key for step in seen if step.state in (FAILED, NOT_YET) and step.key != CONFIGURATION],
        credential=found.verification.credential if found.verification else None,
    )
    if found.is_under_way:
        response.headers["Refresh"] = str(REFRESH)
    return response


def _refusal(found: Drop) -> tuple[str, list[int]]:
    """What Microsoft refused, as a word the page knows, and the numbers it gave."""
    asked = (step for step in _steps_seen(found) if step.key in (DIRECTORY, SIGN_IN))
    step = next((step for step in asked if step.state == FAILED), None)
    if step is None:
        return "", []
    words = (_REFUSED[code] for code in step.codes if code in _REFUSED)
    return next(words, step.key), list(step.codes)


def _steps_seen(found: Drop) -> list[Step]:
    return [Step.of(kept) for kept in (found.verification.steps if found.verification else [])]


def _values(link: Link) -> Values:
    """A secret is made only by whoever can enter it on the same page."""
    with_secret = link.purpose == Link.Purpose.SECRET
    return values_of(link.registration, timezone.localdate(), with_secret=with_secret)


def _steps(link: Link) -> dict[str, Any]:
    values = _values(link)
    address = reverse("oauth:tool", args=[link.public_id])
    return {
        "link": link,
        "steps": steps(values, progress_of(link.registration)),
        "tools": write_all(values, lambda key: f"{address}?tool={key}"),
    }
