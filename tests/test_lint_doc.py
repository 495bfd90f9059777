"""docs/lint.md lists every rule as the code has it.

After a change of a rule, write the list anew:

    python manage.py shell -c "from tests import test_lint_doc; test_lint_doc.write()"
"""

from pathlib import Path

from tenants.lint import LATER, NOTE, REFUSED, RULES
from tenants.lint.rule import Rule

PAGE = Path(__file__).resolve().parent.parent / "docs" / "lint.md"
HEADING = "## Every rule\n"
TITLES = {
    REFUSED: "### Microsoft would refuse it",
    LATER: "### It works, and would hurt later",
    NOTE: "### To plan for",
}


def row(rule: Rule) -> str:
    codes = ", ".join(f"AADSTS{code}" for code in rule.codes) or "-"
    return f"| `{rule.kind}` | {rule.what} | {rule.fix} | {codes} | {rule.source} |"


def section() -> str:
    """All rules by how bad it is to break them, in the code's order."""
    lines = [HEADING]
    for level, title in TITLES.items():
        lines += [
            f"{title}\n",
            "| rule | what it says | what to do | prevents | rests on |",
            "|---|---|---|---|---|",
            *(row(rule) for rule in RULES if rule.level == level),
            "",
        ]
    return "\n".join(lines)


def parts() -> tuple[str, str]:
    """The page before the list, and the list."""
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(HEADING)
    assert found, f"docs/lint.md has no heading “{HEADING.strip()}”"
    return before, found + rest


def test_every_rule_stands_on_the_page_as_in_the_code() -> None:
    assert parts()[1].strip() == section().strip(), "Write the list anew, as this file says."


def write() -> None:
    PAGE.write_text(parts()[0] + section().rstrip() + "\n", encoding="utf-8")
