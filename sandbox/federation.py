"""A directory whose people prove who they are elsewhere: there by redirect, one button, and back by redirect."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.entra import Entra
from sandbox.journey import Journey, PageTooOld, origin_of
from sandbox.web import HERE, Forbidden, form_of, page, same_origin


class FederationDoor:
    """Its pages are on the https door, which is another site than the sign-in pages."""

    def __init__(self, entra: Entra) -> None:
        self._entra = entra
        self._journey = Journey(entra)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/federated/{directory}", self.look),
            Route("/federated/{directory}", self.sign_in, methods=["POST"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]

    async def look(self, request: Request) -> Response:
        visit = request.query_params.get("visit", "")
        try:
            person, directory, redirect_uri = self._journey.visited(visit)
        except PageTooOld:
            return _too_old()
        # Who consented before is sent on at once, and Chromium holds every redirect against this page's policy.
        goes_to = f"{self._entra.origins.pages} {origin_of(redirect_uri)}"
        return page("federated.html", goes_to=goes_to, person=person, directory=directory, visit=visit)

    async def sign_in(self, request: Request) -> Response:
        try:
            same_origin(request)
            way_back = self._journey.proven((await form_of(request)).get("visit", ""))
        except PageTooOld:
            return _too_old()
        except Forbidden:
            return page("refused.html", status=403, text="This request came from another web page.")
        query = urlencode({"page": way_back})
        return RedirectResponse(f"{self._entra.origins.pages}/sign-in/federated?{query}", 303)


def _too_old() -> Response:
    return page("refused.html", status=400, text="This page is too old. Start again from the application.")
