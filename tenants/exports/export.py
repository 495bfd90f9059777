"""What an export is: files with what to know before using them, made by one dialect from one registration's values."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenants.models import AppRegistration

    from .values import Values

WIDTH = 110


class CannotExport(Exception):
    """Of which registration, why not, and the way out, each a sentence; nothing secret is in any."""

    def __init__(self, registration: "AppRegistration", reason: str, way_out: str) -> None:
        super().__init__(f"{named(registration)}: {reason} {way_out}")
        self.registration = registration
        self.reason = reason
        self.way_out = way_out


@dataclass(frozen=True)
class File:
    """Its name is safe in any file system, and no other registration's file has it."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Export:
    """What is handed out of one registration, or of several in one document."""

    title: str
    files: tuple[File, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """One way to write registrations down. `purpose` is half a sentence: what it is for.

    `write` gets the values of one registration and may raise CannotExport; `together` makes one document of many.
    """

    key: str
    label: str
    purpose: str
    write: Callable[["Values"], Export]
    together: Callable[[Sequence[Export]], Export] | None = None
    takes_secret: bool = True
    takes_redirect_uri: bool = False  # one of the products', which may have to be chosen
    of_registered: bool = True  # only of what has a client ID and a directory to sign in through


def named(registration: "AppRegistration") -> str:
    """The registration with whose it is, on one line whatever its name holds."""
    return one_line(f"{registration} ({registration.tenant or 'shared'})")


def one_line(text: str) -> str:
    """The text without line breaks or control characters, so that it stays in the comment or line it is put in."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def comments(paragraphs: Iterable[str]) -> str:
    """Lines that begin with #, a paragraph each."""
    lines = [
        line
        for paragraph in paragraphs
        for line in textwrap.wrap(
            one_line(paragraph),
            WIDTH,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    return "".join(f"{line}\n" for line in lines)
