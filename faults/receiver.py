"""A receiver of webhooks on loopback, over TLS, that answers each address as it is told."""

import asyncio
import ssl
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import trustme

RETRY_AFTER = 4  # seconds
ON_THE_WAY = 0.25
ANSWERS = {
    "ok": b"HTTP/1.1 204 No Content\r\n\r\n",
    "500": b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
    "410": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "429": b"HTTP/1.1 429 Wait\r\nContent-Length: 0\r\nRetry-After: %d\r\n\r\n" % RETRY_AFTER,
    "302": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /elsewhere\r\n\r\n",
    "drop": b"",
}


class Receiver:
    """`manners` says how each path answers: a key of ANSWERS, or hang. `taken` counts the IDs a path said yes to,
    `seen` all that came there, `early` what came before the time it had named."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.manners: dict[str, str] = {}
        self.early = 0
        self.seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.taken: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._closed: dict[str, tuple[float, float]] = {}
        authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._session, "127.0.0.1", 0, ssl=context))
        self.port: int = server.sockets[0].getsockname()[1]
        threading.Thread(target=loop.run_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"https://127.0.0.1:{self.port}/{path}"

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
                await reader.readexactly(int(headers.get("content-length", 0)))
                if not await self._answer(first.split()[1].strip("/"), headers.get("webhook-id", ""), writer):
                    break
        writer.close()

    async def _answer(self, path: str, number: str, writer: asyncio.StreamWriter) -> bool:
        now, manner = time.monotonic(), self.manners.get(path, "ok")
        since, until = self._closed.get(path, (0.0, 0.0))
        self.early += since + ON_THE_WAY < now < until
        self.seen[path][number] += 1
        if manner == "ok":
            self.taken[path][number] += 1
        elif manner == "429":
            self._closed[path] = (now, now + RETRY_AFTER)
        elif manner == "hang":
            await asyncio.sleep(120)
        writer.write(ANSWERS.get(manner, b""))
        await writer.drain()
        return manner not in ("drop", "hang")
