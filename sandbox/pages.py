"""Everything the http door serves: sign-in pages, the control page and its API, our CSS and script."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.control import Control
from sandbox.control_api import ControlApi
from sandbox.control_door import ControlDoor
from sandbox.entra import Entra
from sandbox.journey import PageTooOld
from sandbox.sign_in_door import SignInDoor
from sandbox.typed import BadInput
from sandbox.web import HERE, Forbidden, page, told


def pages_app(entra: Entra, control: Control, api: ControlApi, mail_folder: Path | None) -> Starlette:
    routes = [
        Route("/", _front),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        *api.routes(),
        *ControlDoor(control, entra.origins, mail_folder).routes(),
        *SignInDoor(entra).routes(),
    ]
    handlers = {PageTooOld: _too_old, BadInput: _bad_input, Forbidden: _forbidden, 404: _not_found, Exception: told}
    return Starlette(routes=routes, exception_handlers=handlers)


async def _front(request: Request) -> Response:
    return RedirectResponse("/control/", 303)


async def _too_old(request: Request, exc: Exception) -> Response:
    text = "This page is too old. Go back to the application you came from and start again."
    return page("refused.html", status=400, text=text)


async def _bad_input(request: Request, exc: Exception) -> Response:
    return page("refused.html", status=400, text=str(exc))


async def _forbidden(request: Request, exc: Exception) -> Response:
    text = "This request came from another web page. The sandbox only listens to its own."
    return page("refused.html", status=403, text=text)


async def _not_found(request: Request, exc: Exception) -> Response:
    return page("refused.html", status=404, text="There is no such page in the sandbox.")
