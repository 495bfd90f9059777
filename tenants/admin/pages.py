"""What stands around an object's form: buttons above it, tables above and below it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Panel:
    """A read-only table. Cells are texts or safe HTML; `empty` stands there when it has no rows."""

    title: str
    columns: list[str]
    rows: list[list[Any]]
    empty: str
    more: str = ""  # the address of all of them
    more_words: str = "Show all"
    summary: str = ""
    tone: str = ""

    def named_rows(self) -> list[list[tuple[str, Any]]]:
        """Each cell with its column's name, which stands before it on a narrow screen."""
        return [list(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Button:
    label: str
    url: str
    post: bool = True
    new_tab: bool = False  # for what is not ours


@dataclass
class Page:
    """All of it, for one object and one user."""

    buttons: list[Button] = field(default_factory=list)
    above: list[Panel] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)

    def put_wrong_first(self, findings: Panel) -> None:
        """What is wrong stands above the form; that nothing is, below it."""
        (self.above if findings.rows else self.panels).append(findings)
