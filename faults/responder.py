"""The answering side, a process of its own: the token endpoint over TLS, and a plain address where faults are told.

`python -m faults.responder FOLDER`: writes ca.pem and ports.json there and answers until it is stopped. A line of JSON
to the control address sets how it answers, or asks what it has seen.
"""

import asyncio
import json
import ssl
import sys
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import trustme

from faults import answers
from faults.ledger import Ledger


@dataclass(frozen=True)
class Manner:
    """How it answers. `fault`: throttled, down, garbage, empty, half or silent; none when all is well."""

    fault: str = ""
    seconds: float = 0.0  # before each answer
    retry_after: int = 30
    strict: bool = False


class Responder:
    def __init__(self) -> None:
        self.manner = Manner()
        self.ledger = Ledger()
        self.origin = ""

    def told(self, order: dict[str, Any]) -> dict[str, Any]:
        if order.pop("forget", False):
            self.ledger = Ledger()
        report = order.pop("report", False)
        self.manner = replace(self.manner, **{f.name: order[f.name] for f in fields(Manner) if f.name in order})
        self.ledger.strict = self.manner.strict
        return self.ledger.report() if report else {}

    def answer(self, form: dict[str, str]) -> bytes:
        match self.manner.fault:
            case "throttled":
                return answers.wait(self.manner.retry_after)
            case "down":
                return answers.reply(503, answers.DOWN)
            case "garbage":
                return answers.reply(200, answers.GARBAGE)
            case "empty":
                return answers.reply(200, {})
        return self._judge(form)

    def _judge(self, form: dict[str, str]) -> bytes:
        if form.get("client_secret", "").endswith("-refused"):
            return answers.refused(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if form.get("grant_type") == "client_credentials":
            return answers.signed_in()
        token = self.ledger.redeem(form.get("refresh_token", ""))
        if token is not None:
            return answers.refreshed(token, form.get("scope", ""))
        if self.manner.strict:
            return answers.used_token()
        return answers.refused(400, "invalid_grant", 700082, "The refresh token has expired due to inactivity.")


class Door(asyncio.Protocol):
    """One kept-alive connection of a client that sends its next request after the answer to the last."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._received = bytearray()
        self._later: asyncio.TimerHandle | None = None
        self._lineage: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, problem: Exception | None) -> None:
        if self._later is not None:
            self._later.cancel()
        self._leave()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = bytes(self._received).partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._received.clear()
        self._asked(first.split()[1], rest.decode("latin-1"))

    def _asked(self, path: str, body: str) -> None:
        directory = path.split("/")[1]
        if path.endswith("openid-configuration"):
            self._transport.write(answers.discovery(self._responder.origin, directory))
            return
        form = dict(parse_qsl(body))
        place = f"{form.get('client_id')}/{directory}"
        self._lineage = self._responder.ledger.arrives(place, form.get("refresh_token"), time.monotonic())
        if self._responder.manner.fault == "silent":
            return
        answer = self._responder.answer(form)
        loop = asyncio.get_running_loop()
        self._later = loop.call_later(self._responder.manner.seconds, self._send, answer, place)

    def _send(self, answer: bytes, place: str) -> None:
        self._leave()
        if answer.startswith(b"HTTP/1.1 429"):
            self._responder.ledger.close(place, time.monotonic(), self._responder.manner.retry_after)
        if self._responder.manner.fault == "half":
            self._transport.write(answer[: len(answer) // 2])
            self._transport.close()
        else:
            self._transport.write(answer)

    def _leave(self) -> None:
        lineage, self._lineage = self._lineage, None
        self._responder.ledger.leaves(lineage)


async def serve(folder: Path) -> None:
    responder, loop = Responder(), asyncio.get_running_loop()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    door = await loop.create_server(lambda: Door(responder), "127.0.0.1", 0, ssl=context, backlog=512)

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(responder.told(json.loads(line))).encode() + b"\n")
            await writer.drain()
        writer.close()

    orders = await asyncio.start_server(control, "127.0.0.1", 0)
    ports = {"door": door.sockets[0].getsockname()[1], "control": orders.sockets[0].getsockname()[1]}
    responder.origin = f"https://localhost:{ports['door']}"
    part = folder / "ports.part"
    part.write_text(json.dumps(ports))
    part.rename(folder / "ports.json")
    await asyncio.gather(door.serve_forever(), orders.serve_forever())


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
