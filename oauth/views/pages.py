"""What all pages for people outside have in common."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from monitoring.models import Finding
from oauth import browser, pins
from oauth.explanations import explanation_of
from oauth.id_token import PERSONAL
from oauth.kinds import SECRET_ENDING
from oauth.models import Connection, Link
from tenants.branding import branding
from tenants.clouds import Cloud, UnknownCloud, cloud
from tenants.models import AppRegistration

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


def has_forms(response: HttpResponse) -> HttpResponse:
    """Without a referrer browsers send "Origin: null" with a form, which the CSRF check refuses.

    Only for addresses that hold no token; other sites are still told nothing.
    """
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def for_whoever_opened_it(*purposes: str) -> Callable[[Callable[[HttpRequest, Link], HttpResponse]], View[[UUID]]]:
    """Hands the view a readable link, of one of these purposes, that this browser opened.

    Others get a page that tells nothing of it.
    """

    def decorate(view: Callable[[HttpRequest, Link], HttpResponse]) -> View[[UUID]]:
        @wraps(view)
        def wrapped(request: HttpRequest, /, public_id: UUID) -> HttpResponse:
            link = link_of(public_id)
            if link is None or not browser.opened(request, link):
                return elsewhere(request, link)
            if link.purpose not in purposes or not Link.objects.readable().filter(pk=link.pk).exists():
                return unusable(request)
            return view(request, link)

        return wrapped

    return decorate


def link_of(public_id: UUID) -> Link | None:
    whole = Link.objects.select_related("registration", "tenant", "connection", "parent", "created_by")
    return whole.prefetch_related("registration__scope_selections").filter(public_id=public_id).first()


def page(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, f"consent/{name}.html", {**context, **branding()}, status=status)


def unusable(request: HttpRequest) -> HttpResponse:
    """One page for whatever keeps a link from working, so that an outsider learns nothing of which."""
    return page(request, "unusable", status=404)


def elsewhere(request: HttpRequest, link: Link | None) -> HttpResponse:
    """A clean address in a browser that did not come by a link: copied, or its cookie is gone.

    It names nobody. Whoever was given the address of a consent may be the administrator who has to approve it, and an
    address cannot be guessed, so from here it is one press to what is asked, and to the way to approve it.
    """
    is_offered = link is not None and offers_approval(link)
    response = page(request, "elsewhere", status=404, public_id=link.public_id if link and is_offered else None)
    return has_forms(response) if is_offered else response


def offers_approval(link: Link) -> bool:
    """Whether an administrator could be asked to approve what this link asks for."""
    where = cloud_of(link.registration)
    return (
        link.purpose in (Link.Purpose.CONSENT, Link.Purpose.RECONNECT)
        and where is not None
        and where.admin_consent
        and pins.is_for_work(link)
        and Link.objects.usable().filter(pk=link.pk).exists()
    )


def cannot_start(request: HttpRequest, link: Link, kind: str) -> HttpResponse:
    return page(
        request,
        "cannot_start",
        status=503,
        link=link,
        explanation=None if kind == "unreachable" else explanation_of(kind),
        is_known=is_known(link.registration, kind),
    )


def is_known(registration: AppRegistration, kind: str) -> bool:
    """Whether monitoring holds this fault of the registration or its secret against it, so that somebody is told."""
    kinds = [kind, SECRET_ENDING] if kind == "secret_expired" else [kind]
    of_it = Q(registration=registration) | Q(credential__registration=registration)
    return Finding.objects.open().filter(of_it, kind__in=kinds).exists()


def cloud_of(registration: AppRegistration) -> Cloud | None:
    try:
        return cloud(registration.cloud)
    except UnknownCloud:
        return None


def accounts(registration: AppRegistration, connection: Connection | None = None) -> dict[str, bool]:
    """Which kind of account this is about, or which may come, of how many organizations, and where it is withdrawn."""
    audience, audiences = registration.audience, AppRegistration.Audience
    is_personal = str(connection.tid) == PERSONAL if connection else None
    return {
        "takes_work": audience != audiences.PERSONAL if is_personal is None else not is_personal,
        "takes_personal": registration.takes_personal if is_personal is None else is_personal,
        "is_for_many": audience != audiences.MY_ORG,
        "is_worldwide": registration.cloud == "global",
    }
