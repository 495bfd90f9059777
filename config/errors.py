"""The site's own error pages. They ask no database and no session, since that may be what failed."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import loader

from tenants.branding import branding


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page("400.html", 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page("403.html", 403)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page("404.html", 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _page("500.html", 500)


def csrf_failure(request: HttpRequest, reason: str = "", **_: Any) -> HttpResponse:
    return _page("403_csrf.html", 403)


def _page(template: str, status: int) -> HttpResponse:
    # The address may hold the token of a link, even one mistyped so that no view took it.
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HttpResponse(loader.get_template(template).render(branding()), status=status, headers=headers)
