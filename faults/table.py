"""Fault, expected, seen: one row for each thing that must hold."""

import textwrap
from dataclasses import dataclass, field

WIDTHS = (44, 40, 44)


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

    def begin(self) -> None:
        self._print("fault", "expected", "seen", "ok")
        print("-" * (sum(WIDTHS) + 10), flush=True)

    def add(self, fault: str, expected: str, seen: str, ok: bool) -> None:
        self.rows.append(Row(fault, expected, seen, ok))
        self._print(fault, expected, seen, "ok" if ok else "NO")

    def judge(self, fault: str, numbers: dict[str, int], note: str = "") -> None:
        """Each of these numbers must be nought; those that are not are named."""
        wrong = {name: number for name, number in numbers.items() if number}
        seen = ", ".join(f"{name} {number}" for name, number in wrong.items()) or "all 0"
        names = ", ".join(numbers)
        self.add(fault, f"0: {names}", f"{seen}; {note}" if note else seen, not wrong)

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
