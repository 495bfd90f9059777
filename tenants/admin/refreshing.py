"""Pages that show progress without a script: the browser loads them again while something is under way."""

from django.http import HttpResponse

SECONDS = 2


def refreshing(response: HttpResponse, is_running: bool) -> HttpResponse:
    if is_running and response.status_code == 200:
        response.headers["Refresh"] = str(SECONDS)
    return response
