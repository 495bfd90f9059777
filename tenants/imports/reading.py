"""An uploaded file becomes rows, its client secrets apart from all else. No database.

The rows are numbered as the file's reader sees them: in a spreadsheet the header is row 1 and empty rows count; in JSON
the first object is 1. That is why the text is split here and not by tablib, which drops empty rows and says of a row
that is too long neither which it is nor what to do.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from django.views.decorators.debug import sensitive_variables

from tenants.models.credential import LEFT_OUT

from .columns import ENDS_ON, LISTS, NAMES, SECRET
from .formulas import unmarked

LARGEST = 5 * 1024 * 1024  # bytes; 5,000 full rows have about 3 MB
MOST_ROWS = 5000
LONGEST_CELL = 10_000

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ENV_NAME = re.compile(r"(^|[./_-])env($|[._-])", re.IGNORECASE)
_ENV_LINE = re.compile(r"(?:export[ \t]+)?_?[A-Za-z][A-Za-z0-9_]*=")
_SAYS_SEPARATOR = re.compile(r"sep=([,;\t])\r?\n", re.IGNORECASE)
_LIKE_A_SECRET = re.compile(r"[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{20,}")  # the shape of Entra's client secrets
# What may be quoted of a first row that was meant to hold names: where it holds values, one of them may be a secret.
_LIKE_A_NAME = re.compile(r"[A-Za-z][A-Za-z_ ()-]{0,23}")
_SAVE_AS = "In a spreadsheet, choose “CSV UTF-8” when saving."


class BadFile(Exception):
    """The file cannot be imported as it is. Says where and what to do, and quotes no cell."""


@dataclass(frozen=True)
class Entry:
    """One row: what stands in each of its columns, and the client secret that stood there, if any."""

    number: int
    cells: dict[str, str | list[str]]
    secret: str = field(default="", repr=False)


@sensitive_variables()
def text_of(content: bytes) -> str:
    """The file's text. Raises BadFile."""
    if len(content) > LARGEST:
        raise BadFile(f"The file is larger than {LARGEST // 1024 // 1024} MB. Split it.")
    if content.startswith(b"PK\x03\x04") or content.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadFile(f"This is a spreadsheet's own file. {_SAVE_AS}")
    if content.startswith(_UTF16):
        raise BadFile(f"The file is in UTF-16; it must be in UTF-8. {_SAVE_AS}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        raise BadFile(f"The file is not in UTF-8: see line {line}. {_SAVE_AS}") from None
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise BadFile(f"Line {line} holds a NUL character: this is no text file, or a damaged one.")
    if not text.strip():
        raise BadFile("The file is empty.")
    return text


@sensitive_variables()
def kind_of(name: str, text: str) -> str:
    """`csv`, `json` or `env`: by the file's name, and where that says nothing, by what it holds."""
    name = name.lower()
    if name.endswith(".csv"):
        return "csv"
    if name.endswith(".json"):
        return "json"
    if _ENV_NAME.search(name):
        return "env"
    if text.lstrip()[:1] in ("[", "{"):
        return "json"
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return "env" if lines and all(_ENV_LINE.match(line) for line in lines[:5]) else "csv"


@sensitive_variables()
def read_csv(text: str) -> list[Entry]:
    """The rows of a file of columns, separated by comma, semicolon or tab. Raises BadFile."""
    said = _SAYS_SEPARATOR.match(text)
    text = text[said.end() :] if said else text
    separator = said[1] if said else _separator(text)
    reader = enumerate(csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True), start=1)
    entries: list[Entry] = []
    names: list[str] = []
    number = 1
    try:
        for number, row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if names:
                entries.append(entry_of(number, _cells_of(number, names, row)))
                _check_number(entries)
            else:
                names = _names(row)
    except csv.Error as wrong:
        # Its words are Python's own and quote nothing.
        raise BadFile(f"Row {number} or the one after it cannot be read: {wrong}. Look for a stray quote.") from None
    return _some(entries)


@sensitive_variables()
def read_json(text: str) -> list[Entry]:
    """The objects of a JSON list, or the registrations of an export's document. Raises BadFile."""
    try:
        found = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as wrong:
        raise BadFile(f"This is not JSON: line {wrong.lineno}, column {wrong.colno}: {wrong.msg}.") from None
    except (ValueError, RecursionError):
        raise BadFile("This is not JSON that can be read: a number is too long, or it is nested too deeply.") from None
    if isinstance(found, _Pairs):
        found = _registrations_in(found)
    if not _is_list(found):
        raise BadFile(
            "The file must hold a list of objects, one for each registration: [{…}, {…}], or what an export wrote."
        )
    entries: list[Entry] = []
    for number, pairs in enumerate(found, start=1):
        if not isinstance(pairs, _Pairs):
            raise BadFile(f"Row {number} is not an object {{…}}.")
        names = _names([name for name, _ in pairs], f"Row {number}: ")
        values = [value for _, value in pairs]
        cells = {name: _plain(number, name, value) for name, value in zip(names, values, strict=True)}
        entries.append(entry_of(number, cells))
        _check_number(entries)
    return _some(entries)


class _Pairs(list[tuple[str, Any]]):
    """An object's pairs as they stand there, for of a name that stands twice JSON keeps one in silence."""


def _is_list(found: Any) -> bool:
    return isinstance(found, list) and not isinstance(found, _Pairs)


_FORMAT = 1  # of an export's document that is read here (docs/exports.md)
# Where it says what stands in a column: its name there, and inside of it.
_CALLED = {"redirect_uris": "product_uris", "client_secret_ends_at": ENDS_ON}
_INSIDE = {"tenant": "slug", "cloud": "key", "redirect_uris": "products", "scopes": "name"}
# What it says besides follows from the columns.
_FOLLOWS = {"hosts", "authority", "authorize_endpoint", "token_endpoint", "client_secret_left_out"}
_FOLLOWS |= {"permissions", "request_scopes", "warnings"}


@sensitive_variables()
def _registrations_in(document: _Pairs) -> Any:
    parts = dict(document)
    if "registrations" not in parts:
        return None
    if parts.get("format") != _FORMAT:
        raise BadFile(f"This is an export of another format than {_FORMAT}. Export it again.")
    rows = parts["registrations"]
    return [_in_columns(row) if isinstance(row, _Pairs) else row for row in rows] if _is_list(rows) else None


@sensitive_variables()
def _in_columns(row: _Pairs) -> _Pairs:
    is_left_out = dict(row).get("client_secret_left_out") is True
    found = _Pairs()
    for name, value in row:
        if name == "client_secret_ends_at" and isinstance(value, str):
            value = value.partition("T")[0]
        elif name == SECRET and value is None and is_left_out:
            value = LEFT_OUT
        elif name in _INSIDE:
            value = [_inside(name, item) for item in value] if _is_list(value) else _inside(name, value)
        if name not in _FOLLOWS:
            found.append((_CALLED.get(name, name), value))
    return found


@sensitive_variables()
def _inside(name: str, value: Any) -> Any:
    return dict(value).get(_INSIDE[name], value) if isinstance(value, _Pairs) else value


def _separator(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


@sensitive_variables()
def _names(row: Iterable[str], where: str = "") -> list[str]:
    given = [cell.strip() for cell in row]
    while given and not given[-1]:
        given.pop()
    if len(given) > len(NAMES):
        raise BadFile(
            f"{where or 'The first row: '}{len(given):,} columns are more than there are. It must name the columns, "
            f"each once at most: {', '.join(NAMES)}."
        )
    names = [re.sub(r"[\s-]+", "_", name).lower() for name in given]
    if not set(names) & set(NAMES):
        raise BadFile(
            f"{where or 'The first row: '}no name of a column was found. It must name the columns: {', '.join(NAMES)}."
        )
    unknown = [
        f"“{given[place]}”" if _LIKE_A_NAME.fullmatch(given[place]) else f"number {place + 1}"
        for place, name in enumerate(names)
        if name not in NAMES
    ]
    if unknown:
        raise BadFile(
            f"{where}Unknown column{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}. "
            f"Take out or rename what is not one of {', '.join(NAMES)}."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadFile(f"{where}The column {', '.join(twice)} stands there twice. Keep one.")
    return names


@sensitive_variables()
def _cells_of(number: int, names: list[str], row: list[str]) -> dict[str, str | list[str]]:
    if any(cell.strip() for cell in row[len(names) :]):
        raise BadFile(
            f"Row {number} has more cells than there are columns. Put cells that hold the separator into quotes."
        )
    row = row[: len(names)] + [""] * (len(names) - len(row))
    return {name: unmarked(cell.strip()) for name, cell in zip(names, row, strict=True)}


@sensitive_variables()
def _plain(number: int, name: str, value: Any) -> str | list[str]:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and name != SECRET:
        return str(value)
    if _is_list(value) and name in LISTS:
        if all(isinstance(item, str) for item in value):
            return [item.strip() for item in value if item.strip()]
        raise BadFile(f"Row {number}, {name}: a list there may hold texts only.")
    if not isinstance(value, str):
        what = "a text or a list of texts" if name in LISTS else "a text"
        raise BadFile(f"Row {number}, {name}: this must be {what}, or null.")
    return value.strip()


@sensitive_variables()
def entry_of(number: int, cells: dict[str, str | list[str]]) -> Entry:
    """This row, its secret taken out of the cells. An export's placeholder is none, and stays. Raises BadFile."""
    for name, cell in cells.items():
        _check_cell(number, name, "\n".join(cell) if isinstance(cell, list) else cell)
    secret = "" if cells.get(SECRET) == LEFT_OUT else cells.pop(SECRET, "")
    return Entry(number, cells, secret if isinstance(secret, str) else "")


@sensitive_variables()
def _check_cell(number: int, name: str, text: str) -> None:
    if len(text) > LONGEST_CELL:
        raise BadFile(f"Row {number}, {name}: the cell has more than {LONGEST_CELL:,} characters.")
    if "\x00" in text or text.encode(errors="ignore").decode() != text:
        raise BadFile(f"Row {number}, {name}: the cell holds a NUL character, or half of one.")
    if name != SECRET and _LIKE_A_SECRET.search(text):
        raise BadFile(
            f"Row {number}, {name}: this looks like a client secret, which belongs into the column {SECRET}. "
            "Nothing of the file was kept."
        )


def _check_number(entries: list[Entry]) -> None:
    if len(entries) > MOST_ROWS:
        raise BadFile(f"The file has more than {MOST_ROWS:,} rows. Split it.")


def _some(entries: list[Entry]) -> list[Entry]:
    if not entries:
        raise BadFile("The file has no rows: only the names of the columns, or nothing.")
    return entries


def parts_of(cell: str | list[str], separators: str) -> Iterator[str]:
    """What a cell lists, each once: the items of a list, or what stands between these separators (a pattern)."""
    parts = cell if isinstance(cell, list) else re.split(separators, cell)
    yield from dict.fromkeys(part.strip() for part in parts if part.strip())
