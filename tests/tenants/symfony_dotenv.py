"""Symfony's Dotenv 6.4 as it reads a file, written for the tests alone: one character after the other, as PHP does it.

It knows an environment beside the file, runs no command (Cypht has no symfony/process, so one is an error), and
notes what it looked up outside of the file.
"""

from dataclasses import dataclass, field

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
WORD = LETTERS | frozenset("0123456789_")
WHITE = frozenset(" \t\n\r\f\v")


class FormatError(Exception):
    pass


class CommandError(Exception):
    """LogicException: "Resolving commands requires the Symfony Process component." """


@dataclass
class Dotenv:
    environ: dict[str, str] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)

    def parse(self, data: str) -> dict[str, str]:
        self.data = data.replace("\r\n", "\n").replace("\r", "\n")
        self.i = 0
        self.values: dict[str, str] = {}
        self.blank()
        while self.i < len(self.data):
            name = self.name()
            self.values[name] = self.value()
        return self.values

    def peek(self, ahead: int = 0) -> str:
        place = self.i + ahead
        return self.data[place] if 0 <= place < len(self.data) else ""

    def blank(self) -> None:
        while self.peek() and (self.peek() in WHITE or self.peek() == "#"):
            if self.peek() == "#":
                while self.peek() not in ("", "\n"):
                    self.i += 1
            else:
                self.i += 1

    def word(self) -> str:
        """A variable's name at this place, or nothing."""
        end = self.i + (self.peek() == "_")
        if end >= len(self.data) or self.data[end] not in LETTERS:
            return ""
        while end < len(self.data) and self.data[end] in WORD:
            end += 1
        found, self.i = self.data[self.i : end], end
        return found

    def name(self) -> str:
        start = self.i
        exported = False
        if self.data.startswith(("export ", "export\t"), self.i):
            self.i += len("export")
            while self.peek() in (" ", "\t"):
                self.i += 1
            exported = True
        name = self.word()
        if not name and exported:
            self.i, exported = start, False
            name = self.word()
        if not name:
            raise FormatError("Invalid character in variable name")
        if self.peek() in ("", "\n", "#"):
            raise FormatError("Unable to unset" if exported else "Missing =")
        if self.peek() in " \t":
            raise FormatError("Whitespace characters are not supported after the variable name")
        if self.peek() != "=":
            raise FormatError("Missing =")
        self.i += 1
        return name

    def value(self) -> str:
        place = self.i
        while place < len(self.data) and self.data[place] in " \t":
            place += 1
        if place == len(self.data) or self.data[place] in "\n#":
            while place < len(self.data) and self.data[place] != "\n":
                place += 1
            self.i = place
            self.blank()
            return ""
        if self.peek() in " \t":
            raise FormatError("Whitespace are not supported before the value")
        value = ""
        while True:
            if self.peek() == "'":
                value += self.single()
            elif self.peek() == '"':
                value += self.double()
            else:
                value += self.unquoted()
                if self.peek() == "#":
                    break
            if self.peek() in ("", "\n"):
                break
        self.blank()
        return value

    def single(self) -> str:
        value = ""
        self.i += 1
        while self.peek() != "'":
            if not self.peek():
                raise FormatError("Missing quote to end the value")
            value += self.peek()
            self.i += 1
        self.i += 1
        return value

    def double(self) -> str:
        value = ""
        self.i += 1
        while True:
            if not self.peek():
                raise FormatError("Missing quote to end the value")
            if self.peek() == '"' and not (self.peek(-1) == "\\" and self.peek(-2) != "\\"):
                break
            value += self.peek()
            self.i += 1
        self.i += 1
        for written, meant in (('\\"', '"'), ("\\r", "\r"), ("\\n", "\n")):
            value = value.replace(written, meant)
        return self.resolve(value)

    def unquoted(self) -> str:
        value = ""
        before = self.peek(-1)
        while self.peek() and self.peek() not in "\n\"'" and not (before in (" ", "\t") and self.peek() == "#"):
            if self.peek() == "\\" and self.peek(1) and self.peek(1) in "\"'":
                self.i += 1
            before = self.peek()
            value += before
            if before == "$" and self.peek(1) == "(":
                self.i += 1
                value += "(" + self.nested() + ")"
            self.i += 1
        value = value.rstrip(" \t\n\r\0\v")
        resolved = self.resolve(value)
        if resolved == value and any(character in WHITE for character in value):
            raise FormatError("A value containing spaces must be surrounded by quotes")
        return resolved

    def nested(self) -> str:
        value = ""
        self.i += 1
        while self.peek() != ")":
            if self.peek() in ("", "\n"):
                raise FormatError("Missing closing parenthesis.")
            value += self.peek()
            if self.peek() == "(":
                value += self.nested() + ")"
            self.i += 1
        return value

    # What a $ does

    def resolve(self, value: str) -> str:
        if "$" in value:
            value = self.variables(commands(value))
        return value.replace("\\\\", "\\")

    def variables(self, value: str) -> str:
        out = ""
        i = 0
        while i < len(value):
            slashes = 0
            while value[i + slashes : i + slashes + 1] == "\\":
                slashes += 1
            dollar = i + slashes
            if value[dollar : dollar + 1] != "$" or value[dollar + 1 : dollar + 2] == "(":
                out += value[i : dollar + 1]
                i = dollar + 1
                continue
            end = dollar + 1
            opened = value[end : end + 1] == "{"
            end += opened
            scanner = Dotenv()
            scanner.data, scanner.i = value, end
            name = scanner.word()
            end = scanner.i
            default = ""
            if value[end : end + 2] in (":-", ":=") and value[end + 2 : end + 3] not in ("", "}"):
                default = value[end:].partition("}")[0]
                end += len(default)
            closed = value[end : end + 1] == "}"
            end += closed
            out += self.replacement(value[i:end], slashes, opened, name, default, closed)
            i = end
        return out

    def replacement(self, text: str, slashes: int, opened: bool, name: str, default: str, closed: bool) -> str:
        if slashes % 2:
            return text[1:]
        if not (name or default or closed):
            return text
        if opened and not closed:
            raise FormatError("Unclosed braces on variable expansion")
        if name in self.environ:
            found = self.environ[name]
        elif name in self.values:
            found = self.values[name]
        else:
            found = ""
            if name or default:
                self.looked_up.append(name)
        if not found and default:
            if any(character in default for character in "'\"{$"):
                raise FormatError("Unsupported character found in the default value")
            found = default[2:]
            if default[1] == "=":
                self.values[name] = found
        return "\\" * slashes + found + ("}" if closed and not opened else "")


def commands(value: str) -> str:
    out = ""
    i = 0
    while i < len(value):
        escaped = value[i] == "\\" and value[i + 1 : i + 2] == "$"
        dollar = i + escaped
        length = command_length(value[dollar + 1 :]) if value[dollar : dollar + 1] == "$" else 0
        if length and not escaped:
            raise CommandError
        if length:
            out += value[dollar : dollar + 1 + length]
            i = dollar + 1 + length
        else:
            out += value[i]
            i += 1
    return out


def command_length(text: str) -> int:
    """How long the command in parentheses is with which this begins; 0 where it begins with none."""
    if not text.startswith("("):
        return 0
    i = 1
    while i < len(text) and text[i] != ")":
        if text[i] == "(":
            inner = command_length(text[i:])
            if not inner:
                return 0
            i += inner
        else:
            i += 1
    return i + 1 if 1 < i < len(text) else 0


def load(text: str, **environ: str) -> dict[str, str]:
    """What Cypht gets of a .env: the environment of its process wins, and an empty value or "0" counts as none."""
    read = Dotenv(environ).parse(text)
    found = {**read, **environ}
    return {name: value for name, value in found.items() if value not in ("", "0")}
