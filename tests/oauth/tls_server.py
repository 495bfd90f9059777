"""A server on loopback that answers https with whatever bytes a test wants, down to none at all."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Server:
    """`answer` is asked for the bytes to send back to each request, as a whole or piece by piece; none hangs up."""

    host: str
    ca_file: str
    answer: Callable[[Request], bytes | Iterator[bytes]]
    requests: list[Request] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)


def reply(status: int, body: object = "", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP answer; what is not text is sent as JSON."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


@contextmanager
def tls_server(
    folder: Path, answer: Callable[[Request], bytes | Iterator[bytes]] = lambda request: reply(200, "hello")
) -> Iterator[Server]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(f"localhost:{listener.getsockname()[1]}", str(folder / "ca.pem"), answer)
        guests: list[threading.Thread] = []

        def welcome() -> None:
            while True:
                try:
                    door, _ = listener.accept()
                except OSError:
                    return
                guests.append(threading.Thread(target=_serve, args=(server, context, door), daemon=True))
                guests[-1].start()

        host = threading.Thread(target=welcome, daemon=True)
        host.start()
        try:
            yield server
        finally:
            _hang_up(listener)
            host.join(5)
            for connection in server.connections:
                _hang_up(connection)
            for guest in guests:
                guest.join(5)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # below TLS, whose own state another thread is using


def _serve(server: Server, context: ssl.SSLContext, door: socket.socket) -> None:
    with (
        suppress(OSError),  # the other side hung up, or did not trust us
        context.wrap_socket(door, server_side=True) as connection,
        connection.makefile("rb") as stream,
    ):
        server.connections.append(connection)
        while first := stream.readline().decode().split():
            headers = {}
            while line := stream.readline().decode().strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0))).decode()
            server.requests.append(Request(first[0], first[1], headers, body))
            answer = server.answer(server.requests[-1])
            for piece in [answer] if isinstance(answer, bytes) else answer:
                if not piece:
                    return
                connection.sendall(piece)
