"""The text of a .env file as Symfony's Dotenv 6.4 reads it, which is how Cypht reads its own.

Names, quotes, escapes, comments and what is refused are Symfony's. One thing is stricter: what a value would be only in
the environment of the process that reads it is refused, for nobody can say it here.
"""

import re
from typing import NoReturn

from django.views.decorators.debug import sensitive_variables

NAME = r"_?[A-Za-z][A-Za-z0-9_]*"
# What needs no quotes. `docker run --env-file` takes quotes as part of the value, so none stand where none are needed.
PLAIN = re.compile(r"[A-Za-z0-9_./:?=&%@+,~!^*\[\]-]*")

_BETWEEN = re.compile(r"(?:\s|#[^\n]*)*", re.ASCII)
_SET = re.compile(rf"(export[ \t]+)?({NAME})")
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_BARE = re.compile(r"""(?:\\["']|\$(?!\()|(?<![ \t])#|[^\n"'#$])*""")
_REFERENCE = re.compile(
    rf"(?<!\\)(?P<backslashes>\\*)\$(?!\()(?P<open>\{{)?(?P<name>{NAME})?(?P<default>:[-=][^}}]+)?(?P<close>\}})?"
)
_TRAILING = " \t\n\r\0\x0b"
# Characters that variables may come to in all. A few lines that each name the one before ten times come to gigabytes.
MOST_REFERRED = 1_000_000


class BadDotenv(Exception):
    """This is no .env file that could be read. The message has the line and the reason, and nothing of what is there.

    Not even a name: where a file is broken, what stands in a name's place may be part of a secret.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"Line {line}: {reason}.")
        self.line = line
        self.reason = reason


class Unwritable(ValueError):
    """A value that no .env file can hold. The message has the variable and the reason, and nothing of the value."""


@sensitive_variables()
def read(text: str) -> dict[str, str]:
    """Every variable the text sets, in its order; of one that is set twice, the later value. Raises BadDotenv."""
    return _Reader(text.replace("\r\n", "\n").replace("\r", "\n")).read()


@sensitive_variables()
def assignment(name: str, value: str, *, plain: re.Pattern[str] = PLAIN) -> str:
    """The line that sets this: bare where `plain` fits the whole value, else in single quotes. Raises Unwritable."""
    if plain.fullmatch(value):
        return f"{name}={value}"
    if reason := _why_not_in_quotes(value):
        raise Unwritable(f"{name}: the value {reason}")
    return f"{name}='{value}'"


def _why_not_in_quotes(value: str) -> str:
    if "'" in value:
        return "holds a single quote ('), which a value in single quotes cannot hold"
    if "\r" in value or "\n" in value:
        return "holds a line break"
    if "\0" in value:
        return "holds a NUL character"
    # Symfony would read it, but Docker Compose, which is handed the same files, takes \' for an escaped quote.
    return (
        "ends in a backslash, which Docker Compose reads together with the quote after it" if value[-1:] == "\\" else ""
    )


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._values: dict[str, str] = {}
        self._may_refer = MOST_REFERRED

    def read(self) -> dict[str, str]:
        if "\0" in self._text:
            self._at = self._text.index("\0")
            self._refuse("it holds a NUL character")
        self._skip()
        while self._at < len(self._text):
            name = self._name()
            self._values[name] = self._value()
            self._skip()
        return self._values

    def _refuse(self, reason: str) -> NoReturn:
        raise BadDotenv(self._text.count("\n", 0, self._at) + 1, reason) from None

    def _skip(self) -> None:
        if between := _BETWEEN.match(self._text, self._at):
            self._at = between.end()

    def _name(self) -> str:
        found = _SET.match(self._text, self._at)
        if found is None:
            self._refuse("a variable's name was expected; it holds letters, digits and underscores only")
        export, name = found.groups()
        after = self._text[found.end() : found.end() + 1]
        if after in (" ", "\t"):
            self._refuse("no space may stand before =")
        if after != "=":
            self._refuse("nothing is set by “export” alone" if export else "no = follows the variable's name")
        self._at = found.end() + 1
        return name

    def _value(self) -> str:
        """The value that begins here, in pieces that are each read by the rules of its quotes."""
        # No generator: an error page hides variables by whose call they are under, and a generator forgets that.
        value = ""
        if nothing := _NOTHING.match(self._text, self._at):
            self._at = nothing.end()
            return value
        if self._text[self._at] in " \t":
            self._refuse("no space may stand between = and the value")
        while self._at < len(self._text) and self._text[self._at] != "\n":
            first = self._text[self._at]
            if first in self._QUOTED:
                value += self._QUOTED[first](self)
                continue
            value += self._bare()
            if self._text.startswith("#", self._at):
                break  # a comment; right after a quote a # belongs to the value
        return value

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            self._refuse("a quote (') is not closed")
        value = self._text[self._at + 1 : end]
        self._at = end + 1
        return value

    def _double(self) -> str:
        end = self._text.find('"', self._at + 1)
        while end >= 0 and self._text[end - 1] == "\\" and self._text[end - 2] != "\\":
            end = self._text.find('"', end + 1)
        if end < 0:
            self._refuse('a quote (") is not closed')
        value = self._text[self._at + 1 : end].replace('\\"', '"').replace("\\r", "\r").replace("\\n", "\n")
        value = self._expanded(value)
        self._at = end + 1
        return value

    def _bare(self) -> str:
        start, pieces = self._at, []
        while plain := _BARE.match(self._text, self._at):
            pieces.append(re.sub(r"""\\(["'])""", r"\1", plain[0]))
            self._at = plain.end()
            if not self._text.startswith("$(", self._at):
                break
            pieces.append(self._parenthesis())
        value, end = "".join(pieces).rstrip(_TRAILING), self._at
        self._at = start
        expanded = self._expanded(value)
        if expanded == value and re.search(r"\s", value, re.ASCII):
            self._refuse("a value with spaces must stand in quotes")
        self._at = end
        return expanded

    def _parenthesis(self) -> str:
        """What stands from a $( to the parenthesis that closes it, whatever quotes are in it."""
        depth, position = 0, self._at
        for position in range(self._at + 1, len(self._text)):
            character = self._text[position]
            depth += {"(": 1, ")": -1}.get(character, 0)
            if character == "\n" or depth == 0:
                break
        if depth or self._text[position] == "\n":
            self._refuse("a parenthesis after $ is not closed")
        piece = self._text[self._at : position + 1]
        self._at = position + 1
        return piece

    # What a $ makes of a value

    def _expanded(self, value: str) -> str:
        if "$" in value:
            value = _REFERENCE.sub(self._referred, self._without_commands(value))
        return value.replace("\\\\", "\\")

    def _without_commands(self, value: str) -> str:
        ends, pieces, done = _ends_of_commands(value), [], 0
        at = value.find("$(")
        while at >= 0:
            end = ends.get(at + 1, 0)
            if end:
                if at == 0 or value[at - 1] != "\\":
                    self._refuse("$( ) would run a command; in single quotes a $ stays as it is")
                pieces += [value[done : at - 1], value[at:end]]
                done = end
            at = value.find("$(", end or at + 1)
        return "".join([*pieces, value[done:]])

    _QUOTED = {"'": _single, '"': _double}

    def _referred(self, found: re.Match[str]) -> str:
        name, default = found["name"] or "", found["default"] or ""
        if len(found["backslashes"]) % 2:
            return found[0][1:]
        if not (name or default or found["close"]):
            return found[0]
        if found["open"] and not found["close"]:
            self._refuse("a brace after $ is not closed")
        value = self._values.get(name, None if name or default else "")
        if value is None:
            self._refuse("it refers to a variable that is not set above; in single quotes a $ stays as it is")
        self._may_refer -= len(value)
        if self._may_refer < 0:  # before anything of it is put together
            self._refuse("its variables make it too large")
        if default and not value:
            if set(default) & set("'\"{$"):
                self._refuse("what a variable is by default must hold no quote, brace or $")
            value = default[2:]
            if default[1] == "=":
                self._values[name] = value
        return found["backslashes"] + value + ("}" if found["close"] and not found["open"] else "")


def _ends_of_commands(value: str) -> dict[int, int]:
    """Opening parenthesis -> what comes after the one that closes it, of each that holds something and no empty one."""
    ends: dict[int, int] = {}
    around: list[int] = []
    spoilt = -1  # the last parenthesis that is empty, or holds an empty one
    for found in re.finditer(r"[()]", value):
        if found[0] == "(":
            around.append(found.start())
        elif around:
            opened = around.pop()
            if found.start() == opened + 1 or spoilt > opened:
                spoilt = opened
            else:
                ends[opened] = found.end()
    return ends
