"""The sandbox's two doors in one process: pages on plain http, tokens on https. Loopback only."""

import asyncio
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.answers import TokenEndpoint
from sandbox.control import Control
from sandbox.control_api import ControlApi
from sandbox.dialect import DIALECTS
from sandbox.directory import World
from sandbox.entra import Entra, Origins
from sandbox.federation import FederationDoor
from sandbox.graph_door import GraphDoor
from sandbox.keys import Keys
from sandbox.pages import pages_app
from sandbox.store import Store
from sandbox.token_door import TokenDoor
from sandbox.tokens import Tokens
from sandbox.web import LoopbackOnly

LOOPBACK = "127.0.0.1"
STOP_WITHIN = 5.0


class PortTaken(Exception):
    """A door cannot open; the message says which port and what to do."""


class Sandbox:
    """A Microsoft on this machine, for as long as the with-block runs. Port 0 takes a free one.

    In the dialect "plain" it is an OpenID provider that has nothing to do with Microsoft.

    What people, tests and apps do is kept in the folder, and is there again the next time.
    """

    def __init__(
        self,
        folder: Path,
        pages_port: int = 0,
        token_port: int = 0,
        mail_folder: Path | None = None,
        dialect: str = "entra",
    ) -> None:
        self.dialect = DIALECTS[dialect]
        self._folder = Path(folder)
        self._ports = (pages_port, token_port)
        self._mail_folder = mail_folder
        self._servers: list[uvicorn.Server] = []
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            pages, tokens = (opened.enter_context(sock) for sock in _listen(*self._ports))
            self.keys = Keys(self._folder)
            self._store = Store(self._folder / "sandbox.sqlite3")
            opened.callback(self._store.close)
            self._start(pages, tokens)
            opened.pop_all()  # from here on the servers close their sockets, and leaving the block the store
        return self

    def _start(self, pages: socket.socket, tokens: socket.socket) -> None:
        self.pages_origin = f"http://{LOOPBACK}:{pages.getsockname()[1]}"
        self.token_host = f"localhost:{tokens.getsockname()[1]}"
        self.ca_file = str(self.keys.ca_file)
        pages_server, token_server = self._build()
        self._servers = [pages_server, token_server]
        self._thread = threading.Thread(target=self._serve, args=([pages, tokens],), name="sandbox", daemon=True)
        self._thread.start()
        while not all(server.started for server in self._servers):
            if self._failure:
                raise self._failure
            self._thread.join(0.005)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.should_exit = True
        if self._thread:
            self._thread.join(STOP_WITHIN)
        self._store.close()

    def cloud(self) -> dict[str, Any]:
        """The sandbox as an entry of EXTRA_CLOUDS."""
        return {
            **self.dialect.cloud(),
            "login_host": self.token_host,
            "graph_host": self.token_host,
            "outlook_host": self.token_host,
            "portal_host": self.pages_origin.removeprefix("http://"),
            "ca_file": self.ca_file,
            "browser_origin": self.pages_origin,
        }

    def _build(self) -> tuple[uvicorn.Server, uvicorn.Server]:
        world = World(self._store)
        origins = Origins(pages=self.pages_origin, tokens=f"https://{self.token_host}")
        entra = Entra(world, Tokens(self.keys, origins.tokens), origins, self.dialect)
        control = Control(world)
        pages = pages_app(entra, control, ControlApi(control, self.keys.ca_file), self._mail_folder)
        more = [*GraphDoor(entra).routes(), *FederationDoor(entra).routes()]
        tokens = TokenDoor(entra, TokenEndpoint(entra)).app(more)
        return _server(pages), _server(tokens, ssl_certfile=str(self.keys.server_file))

    def _serve(self, sockets: list[socket.socket]) -> None:
        async def both() -> None:
            await asyncio.gather(*(server.serve([sock]) for server, sock in zip(self._servers, sockets, strict=True)))

        try:
            asyncio.run(both())
        except BaseException as exc:  # the thread that waits for the start raises it
            self._failure = exc


def _listen(*ports: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    for port in ports:
        # Naming TCP is what makes asyncio switch Nagle's delay off for every connection.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.append(sock)
        try:
            sock.bind((LOOPBACK, port))
            sock.listen(512)
        except OSError as exc:
            for each in opened:
                each.close()
            raise PortTaken(
                f"Port {port} on {LOOPBACK} cannot be opened ({exc.strerror}). Stop what uses it, or choose another."
            ) from exc
    return opened


def _server(app: Starlette, **options: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        LoopbackOnly(app),
        http=LineProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # what goes wrong inside is told by our own handler
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        **options,
    )
    return uvicorn.Server(config)


class LineProtocol(H11Protocol):
    """Hands each request its line, so that a fault can close it without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app: ASGIApp = self.app

        async def with_line(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "line": transport}, receive, send)

        self.app = with_line

    def shutdown(self) -> None:
        super().shutdown()
        # A kept-alive TLS line would hold the stop up, waiting for the other side's goodbye.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
