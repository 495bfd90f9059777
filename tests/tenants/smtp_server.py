"""A mail server of a few lines on loopback: takes, refuses or hangs up, as it is told; or none."""

import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


class SmtpServer:
    """`mails` are those it took. `refused` recipients get 550; `drops` says how many messages it takes in and then
    hangs up without a word."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refused: set[str] = set()
        self.drops = 0
        self.sessions = 0
        outer = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.sessions += 1
                outer._talk(self)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> "SmtpServer":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _talk(self, session: socketserver.StreamRequestHandler) -> None:
        def say(line: str) -> None:
            session.wfile.write(f"{line}\r\n".encode())

        say("220 localhost")
        while line := session.rfile.readline():
            word, rest = line[:4].upper(), line[4:].decode()
            if word == b"DATA":
                say("354 go on")
                self.mails.append(_read(session))
                if self.drops:
                    self.drops -= 1
                    return
                say("250 taken")
            elif word == b"RCPT" and any(address in rest for address in self.refused):
                say("550 nobody of that name")
            elif word == b"QUIT":
                say("221 bye")
                return
            else:
                say("250 fine")


def _read(session: socketserver.StreamRequestHandler) -> EmailMessage:
    lines = []
    while (line := session.rfile.readline()) not in (b".\r\n", b""):
        lines.append(line.removeprefix(b"."))
    message = message_from_bytes(b"".join(lines), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def no_mail_server(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens there
