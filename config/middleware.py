from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def discreet_links(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """No answer at an address that holds a token is stored or tells another page of it, whoever gave it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path_info.startswith(("/c/", "/calendar/")):
            response.headers["Cache-Control"] = "no-store"
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return middleware
