"""What an action of the control page is given, and what it gives back."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.typed import BadInput


@dataclass(frozen=True)
class Done:
    """What came of an action: data for the API, a sentence for the page."""

    result: dict[str, Any]
    notice: str
    secret: str = ""  # shown once, on the page that follows
    secret_id: str = ""  # beside it, as the portal does, where people take one for the other


class Arguments:
    """Named arguments from JSON or from a form; whatever does not fit is BadInput by name."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def text(self, name: str, default: str | None = None) -> str:
        value = self._given.get(name)
        if value in (None, "") and default is not None:
            return default
        if not isinstance(value, str) or not value:
            raise BadInput(f"“{name}” must be given, as text.")
        return value

    def maybe(self, name: str) -> str | None:
        return self.text(name) if self._given.get(name) not in (None, "") else None

    def flag(self, name: str) -> bool:
        value = self._given.get(name, False)
        if value in (True, "on", "true", "yes"):
            return True
        if value in (False, None, "", "false", "no"):
            return False
        raise BadInput(f"“{name}” must be true or false.")

    def number(self, name: str, default: float | None = None) -> float:
        value = self._given.get(name)
        if value in (None, "") and default is not None:
            return default
        try:
            number = float("nan" if value is None or isinstance(value, bool) else value)
        except (TypeError, ValueError):
            number = float("nan")
        if not abs(number) < 1e12:
            raise BadInput(f"“{name}” must be a number.")
        return number

    def moment(self, name: str) -> float | None:
        """A date or time as ISO text, UTC unless it says otherwise."""
        value = self.maybe(name)
        if value is None:
            return None
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError:
            raise BadInput(f"“{value}” is not a date. Example: 2027-03-31") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        return moment.timestamp()

    def lines(self, name: str) -> list[str]:
        """A list of texts, or a text with one a line."""
        value = self._given.get(name) or []
        lines = value.splitlines() if isinstance(value, str) else value
        if not isinstance(lines, list) or not all(isinstance(each, str) for each in lines):
            raise BadInput(f"“{name}” must be a list of texts.")
        return lines

    def object(self, name: str) -> dict[str, Any]:
        value = self._given.get(name) or {}
        if not isinstance(value, dict):
            raise BadInput(f"“{name}” must be an object.")
        return value

    def raw(self, name: str) -> Any:
        return self._given.get(name)
