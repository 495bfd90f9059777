"""docs/monitoring.md lists every kind of finding as the table has it.

After a change of the table, write the list anew: python -m tests.test_monitoring_doc
"""

from itertools import groupby
from pathlib import Path

from monitoring.kinds import KINDS
from oauth.errors import ACTORS, CODES, ERRORS, SUBERRORS
from oauth.kinds import Kind

PAGE = Path(__file__).resolve().parent.parent / "docs" / "monitoring.md"
HEADING = "## Every finding and its remedy\n"
ORDER = ["client secret", "registration", "registration, connection", "connection", "channel", "cloud"]


def place(kind: Kind) -> tuple[int, str]:
    return ORDER.index(kind.subjects) if kind.subjects in ORDER else len(ORDER), kind.subjects


def row(kind: Kind) -> str:
    how_bad = "warning, later critical" if kind.in_steps else kind.severity
    told = "daily digest, the last day at once" if kind.in_steps else "daily digest" if kind.is_coming else "at once"
    return f"| `{kind.kind}` | {kind.what} | {ACTORS[kind.actor]} | {kind.remedy} | {how_bad} | {told} |"


def section() -> str:
    """All kinds by whom they are about, in the table's order."""
    lines = [HEADING]
    for (_, subjects), kinds in groupby(sorted(KINDS.values(), key=place), place):
        lines += [
            f"### About a {subjects.replace(', ', ' or a ')}\n".replace("a the", "the"),
            "| kind | what it means | who acts | what to do | how bad | told |",
            "|---|---|---|---|---|---|",
            *map(row, kinds),
            "",
        ]
    return "\n".join(lines)


def parts() -> tuple[str, str, str]:
    """The page before the list, the list, and what comes after."""
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(HEADING)
    assert found, f"docs/monitoring.md has no heading “{HEADING.strip()}”"
    body, next_heading, after = rest.partition("\n## ")
    return before, found + body, next_heading + after


def test_every_kind_stands_on_the_page_as_in_the_table() -> None:
    told = parts()[1].strip()
    assert told == section().strip(), "Write the list anew: python -m tests.test_monitoring_doc"


def test_every_kind_that_microsoft_gives_and_that_lasts_is_in_the_table() -> None:
    rows = [*CODES.values(), *SUBERRORS.values(), *ERRORS.values()]
    assert {fault.kind for fault in rows if not fault.retryable} <= set(KINDS)
    assert not {fault.kind for fault in rows if fault.retryable} & set(KINDS)


def test_every_kind_says_what_is_wrong_and_what_to_do_in_sentences() -> None:
    for kind in KINDS.values():
        assert kind.what.endswith("."), kind.kind
        assert kind.remedy.endswith("."), kind.kind


if __name__ == "__main__":
    before, _, after = parts()
    PAGE.write_text(before + section().rstrip() + "\n" + after, encoding="utf-8")
