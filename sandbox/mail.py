"""The demo's mail: what Django's file-based backend wrote, read back."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

BETWEEN = b"-" * 79  # the line Django writes after every message
MOST = 100
LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Mail:
    subject: str
    sender: str
    to: str
    date: str
    text: str
    order: float


def newest(folder: Path) -> list[Mail]:
    """The newest messages first. A file that cannot be read is passed over."""
    files = sorted(folder.glob("*.log"), key=lambda file: file.name, reverse=True)
    mails: list[Mail] = []
    for file in files:
        if len(mails) >= MOST:
            break
        mails += _of(file)
    return sorted(mails, key=lambda mail: mail.order, reverse=True)[:MOST]


def _of(file: Path) -> list[Mail]:
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST)
        written = file.stat().st_mtime
    except OSError:
        return []
    message: list[bytes] = []
    found: list[bytes] = []
    for line in content.splitlines():
        if line.strip() == BETWEEN:
            found.append(b"\n".join(message))
            message = []
        else:
            message.append(line)
    return [_read(each, written) for each in reversed(found) if each.strip()]


def _read(raw: bytes, written: float) -> Mail:
    message = email.message_from_bytes(raw.lstrip(), policy=email.policy.default)
    date = _header(message, "Date")
    try:
        order = parsedate_to_datetime(date).timestamp()
    except ValueError:
        order = written
    return Mail(
        _header(message, "Subject") or "(no subject)",
        _header(message, "From"),
        _header(message, "To"),
        date,
        _text(message),
        order,
    )


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, IndexError, AttributeError):  # what the standard parser raises over broken headers
        return ""


def _text(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain",))
    if part is None:
        return "This message has no text part."
    content = part.get_payload(decode=True)
    data = content if isinstance(content, bytes) else b""
    try:
        return data.decode(part.get_content_charset("utf-8"), errors="replace")
    except LookupError:
        return data.decode("utf-8", errors="replace")
