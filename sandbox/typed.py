"""What may be typed, and the refusal of what may not."""

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any


class BadInput(Exception):
    """What was asked of the control page makes no sense; the message is the whole explanation."""


class Unknown(BadInput):
    """It names something that is not here."""


def guid(value: str | None, what: str) -> str:
    if value is None:
        return str(uuid.uuid4())
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise BadInput(f"{what} “{value}” is not a GUID.") from None


def named(name: str, what: str) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= 120:
        raise BadInput(f"{what} needs a name of at most 120 characters.")
    return name


def address(text: str) -> str:
    text = text.strip()
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", text):
        raise BadInput(f"“{text}” is not an email address. Example: adele@contoso.example")
    return text


def switched(names: list[str], name: str, on: bool) -> list[str]:
    """The list with the name, or without it."""
    return [*(each for each in names if each != name), *([name] if on else [])]


def each_once(texts: Iterable[str]) -> list[str]:
    """Without the empty ones."""
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))


def from_json(text: str | bytes, what: str) -> Any:
    """What the JSON says; it can be written again, too."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # no half of a character
    except (ValueError, RecursionError) as exc:
        where = f", line {exc.lineno}" if isinstance(exc, json.JSONDecodeError) else ""
        raise BadInput(f"{what} is not readable JSON{where}.") from None
    return value
