"""A mail server on loopback that takes mail, refuses it, or takes it and hangs up without a word."""

import asyncio
import threading
from collections import Counter
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage


class PostOffice:
    """`received` counts each Message-ID; `subjects` holds the subject of each. `manner`: take, refuse or drop."""

    def __init__(self) -> None:
        self.manner = "take"
        self.seconds = 0.0  # from the message to the word that it is taken
        self.received: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.subjects: dict[str, str] = {}
        self.turned_away = 0
        self.smuggled = 0  # headers that a name brought with it
        self._loop = asyncio.new_event_loop()
        server = self._loop.run_until_complete(asyncio.start_server(self._session, "127.0.0.1", 0))
        self.port: int = server.sockets[0].getsockname()[1]
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def forget(self) -> None:
        self.manner, self.seconds = "take", 0.0
        self.received.clear()
        self.accepted.clear()
        self.subjects.clear()
        self.turned_away = self.smuggled = 0

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.manner == "refuse":
            self.turned_away += 1
            writer.write(b"421 too busy\r\n")
            await writer.drain()
            return
        writer.write(b"220 localhost\r\n")
        while line := await reader.readline():
            match line[:4].upper():
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    number = self._keep(await reader.readuntil(b"\r\n.\r\n"))
                    if self.manner == "drop":
                        self.turned_away += 1
                        return
                    self.accepted[number] += 1
                    await asyncio.sleep(self.seconds)
                    writer.write(b"250 taken\r\n")
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                case _:
                    writer.write(b"250 fine\r\n")

    def _keep(self, content: bytes) -> str:
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        number = str(message["Message-ID"]).strip()
        self.received[number] += 1
        self.smuggled += message["Bcc"] is not None
        self.subjects[number] = str(message["Subject"])
        return number
