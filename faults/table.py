"""Fault, expected, seen: one row for each thing that must hold."""

import textwrap
from collections import Counter
from dataclasses import dataclass, field

WIDTHS = (44, 40, 44)


@dataclass(frozen=True)
class Facts:
    """What is expected, in words, and the numbers that say by being nought that it is so."""

    expected: str
    numbers: dict[str, int]


@dataclass(frozen=True)
class Row:
    fault: str
    expected: str
    seen: str
    ok: bool


@dataclass
class Table:
    """Prints each row as it comes. `all_ok` is True while every row is as expected."""

    rows: list[Row] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        self._print("fault", "expected", "seen", "ok")
        print("-" * (sum(WIDTHS) + 10), flush=True)

    def add(self, fault: str, expected: str, seen: str, ok: bool) -> None:
        self.rows.append(Row(fault, expected, seen, ok))
        self._print(fault, expected, seen, "ok" if ok else "NO")

    def judge(self, fault: str, *facts: Facts, note: str = "") -> None:
        """All these numbers must be nought; those that are not are named."""
        numbers = {name: number for each in facts for name, number in each.numbers.items()}
        self.totals.update(numbers)
        wrong = ", ".join(f"{name} {number}" for name, number in numbers.items() if number)
        seen = wrong or "so it is"
        self.add(fault, "; ".join(each.expected for each in facts), f"{seen}; {note}" if note else seen, not wrong)

    def beside(self, what: str, seen: str) -> None:
        """What nothing is expected of: printed for comparison."""
        self.rows.append(Row(what, "", seen, True))
        self._print(what, "(for comparison)", seen, "-")

    def end(self) -> None:
        """What the rounds have in common, over all of them."""
        print()
        for name, number in self.totals.items():
            print(f"{name}: {number}")

    @property
    def all_ok(self) -> bool:
        return bool(self.rows) and all(row.ok for row in self.rows)

    def _print(self, *cells: str) -> None:
        columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=False)]
        columns.append([cells[3]])
        for number in range(max(map(len, columns))):
            line = [column[number] if number < len(column) else "" for column in columns]
            padded = [text.ljust(width) for text, width in zip(line, (*WIDTHS, 2), strict=True)]
            print("  ".join(padded).rstrip(), flush=True)
