"""A token endpoint with canned answers in Entra's wire shapes, over TLS on loopback, quick enough not to be the limit.

Run as `python -m benchmarks.responder FOLDER SECONDS`: writes `ca.pem` into the folder, prints its port, and answers
each request after so many seconds, until its standard input closes. A refresh token begins with the account it is for,
so that the id_token fits. `GET /statistics` tells what it has answered and what CPU time that took.
"""

import asyncio
import json
import resource
import ssl
import sys
import threading
import time
from base64 import urlsafe_b64encode
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs

import trustme

HEADERS = (
    b"Cache-Control: no-store, no-cache\r\nPragma: no-cache\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Expires: -1\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\nx-ms-request-id: 00000000-0000-0000-0000-000000000000\r\n"
    b"x-ms-ests-server: 2.1.00000.0 - BENCH ProdSlices\r\nx-ms-srs: 1.P\r\n"
)
ACCESS_TOKEN = "not-a-real-access-token." * 60  # noqa: S105  of a length that Entra's have
PADDING = "not-a-real-token" * 60
SIGNATURE = "not-a-real-signature" * 17
REFRESH_SCOPE = "email openid profile https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/User.Read"


def refresh_token(oid: str, number: int = 0) -> str:
    """A token of the account, of the length of a real one and plainly not real."""
    return f"1.{oid}.{number}.{PADDING}"


def _b64(data: object) -> str:
    return urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


class Answers:
    """What is sent back, and how much of it there was."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.counts = {"app": 0, "refresh": 0, "discovery": 0}
        self._numbers = count(1)
        self._head = _b64({"typ": "JWT", "alg": "RS256", "kid": "bench"})
        self._app = _answer({"token_type": "Bearer", "expires_in": 3599, "access_token": ACCESS_TOKEN})

    def to(self, method: str, path: str, body: bytes) -> bytes:
        directory = path.split("/")[1]
        if method == "GET":
            return self._discovery(directory)
        form = body.decode("ascii")
        if "grant_type=client_credentials" in form:
            self.counts["app"] += 1
            return self._app
        fields = parse_qs(form)
        self.counts["refresh"] += 1
        return self._refreshed(directory, fields["client_id"][0], fields["refresh_token"][0].split(".")[1])

    def _refreshed(self, directory: str, client_id: str, oid: str) -> bytes:
        now = int(time.time())
        claims = {
            "aud": client_id,
            "iss": f"https://localhost:{self.port}/{directory}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + 3900,
            "name": "Bench Person",
            "oid": oid,
            "preferred_username": "person@bench.example",
            "sub": "bench",
            "tid": directory,
            "ver": "2.0",
        }
        return _answer(
            {
                "token_type": "Bearer",
                "scope": REFRESH_SCOPE,
                "expires_in": 4300,
                "ext_expires_in": 4300,
                "access_token": ACCESS_TOKEN,
                "refresh_token": refresh_token(oid, next(self._numbers)),
                "id_token": f"{self._head}.{_b64(claims)}.{SIGNATURE}",
                "client_info": _b64({"uid": oid, "utid": directory}),
            }
        )

    def _discovery(self, directory: str) -> bytes:
        self.counts["discovery"] += 1
        base = f"https://localhost:{self.port}/{directory}"
        return _answer(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
        )

    def statistics(self) -> bytes:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return _answer({**self.counts, "cpu_seconds": used.ru_utime + used.ru_stime})


def _answer(body: dict[str, object]) -> bytes:
    content = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\n" + HEADERS + b"Content-Length: %d\r\n\r\n" % len(content) + content


class Door(asyncio.Protocol):
    """One kept-alive connection. A request comes whole before the next one on the same connection."""

    def __init__(self, answers: Answers, seconds: float) -> None:
        self._answers = answers
        self._seconds = seconds
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        if at >= 0 and len(body) < int(lower[at + 15 :].split(b"\r\n", 1)[0]):
            return
        self._buffer = b""
        method, path, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        if path == "/statistics":
            self._transport.write(self._answers.statistics())
            return
        answer = self._answers.to(method, path, body)
        asyncio.get_running_loop().call_later(self._seconds, self._transport.write, answer)


async def serve(folder: Path, seconds: float) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    answers = Answers(0)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Door(answers, seconds), "127.0.0.1", 0, ssl=context, backlog=1024)
    answers.port = server.sockets[0].getsockname()[1]
    print(answers.port, flush=True)
    stop = asyncio.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
