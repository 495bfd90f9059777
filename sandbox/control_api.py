"""The control page's actions for tests and loaders: JSON in, JSON out, refused to web pages elsewhere."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox import manifest
from sandbox.control import Control
from sandbox.snapshot import snapshot
from sandbox.typed import BadInput, Unknown
from sandbox.web import json_of

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ControlApi:
    def __init__(self, control: Control, ca_file: Path) -> None:
        self._control = control
        self._ca_file = ca_file

    def routes(self) -> list[Route]:
        return [
            Route("/control/ca.pem", self.ca),
            Route("/control/api/world", self.world),
            Route("/control/api/manifest", self.manifest),
            Route("/control/api/token_requests", self.token_requests),
            Route("/control/api/{verb}", self.act, methods=["POST"]),
        ]

    async def ca(self, request: Request) -> Response:
        """The authority behind the https door, for whoever has to trust it."""
        return FileResponse(self._ca_file, media_type="application/x-pem-file")

    async def world(self, request: Request) -> Response:
        return JSONResponse(snapshot(self._control.world), headers=HEADERS)

    async def manifest(self, request: Request) -> Response:
        """Of the app with this client_id, as the portal's editor and Graph show it."""
        try:
            app = self._control.world.app(request.query_params.get("client_id", ""))
        except Unknown as exc:
            return JSONResponse({"error": str(exc)}, 404, HEADERS)
        return JSONResponse(manifest.of(app), headers=HEADERS)

    async def token_requests(self, request: Request) -> Response:
        return JSONResponse({"requests": list(self._control.world.requests)}, headers=HEADERS)

    async def act(self, request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and origin != f"http://{request.headers.get('host')}":
            return JSONResponse({"error": "Only the sandbox's own pages may ask this."}, 403, HEADERS)
        try:
            done = self._control.do(request.path_params["verb"], await json_of(request))
        except Unknown as exc:
            return JSONResponse({"error": str(exc)}, 404, HEADERS)
        except BadInput as exc:
            return JSONResponse({"error": str(exc)}, 400, HEADERS)
        return JSONResponse(done.result, headers=HEADERS)
