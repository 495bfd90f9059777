"""A receiver of webhooks, chat messages and heartbeats on loopback, which answers as it is told."""

import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    at: float
    host: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`got` is what came. `status` and `headers` are the answer, with `says` as its body; `hangs` seconds come before
    it, and with `drops` there is none. `context`: speaks TLS."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    says: bytes = b"taken"
    hangs: float = 0.0
    drops: bool = False
    context: ssl.SSLContext | None = None
    got: list[Got] = field(default_factory=list)

    def __enter__(self) -> "Receiver":
        outer = self
        self._ended = threading.Event()

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.got.append(Got(time.time(), self.headers["Host"], self.path, dict(self.headers), body))
                outer._ended.wait(outer.hangs)
                if outer.drops:
                    self.close_connection = True
                    return
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.says)))
                self.end_headers()
                self.wfile.write(outer.says)

            do_GET = do_POST

            def log_message(self, *words: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *told: Any) -> None:
                pass  # whoever hung up

        self._server = Server(("127.0.0.1", 0), Door)
        self.port: int = self._server.server_address[1]
        self.origin = f"http://localhost:{self.port}"
        self.url = f"{self.origin}/hook/not-a-real-token"
        if self.context:
            self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *problem: Any) -> None:
        self.stop()

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [got.path for got in self.got]

    def stop(self) -> None:
        """Nobody answers there any more."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
