"""What may be typed, and the refusal of what may not."""

import re
import uuid
from collections.abc import Iterable


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


def redirect_uris(uris: Iterable[str]) -> list[str]:
    kept = list(dict.fromkeys(uri.strip() for uri in uris if uri.strip()))
    for uri in kept:
        if len(uri) > 256 or not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[^\s\"'<>\\#;,]*)?", uri):
            raise BadInput(
                f"“{uri}” cannot be a redirect URI: give a full http or https address, at most 256 characters."
            )
        if uri.startswith("http:") and not re.match(r"http://(localhost|127\.0\.0\.1)[:/]", uri + "/"):
            raise BadInput(f"“{uri}” cannot be a redirect URI: http is for localhost only, elsewhere it must be https.")
    return kept
