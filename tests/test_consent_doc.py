"""docs/consent.md is whole and true: each table against the code it tells of, and every test it names is there."""

import ast
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone

from oauth.errors import CODES, ERRORS, SUBERRORS
from oauth.explanations import explanation_of
from oauth.models import AdminGrant, ConsentAttempt, Link, Mail
from oauth.returning import STATUS, address_for
from tenants.models import RedirectURI
from tenants.scopes import ALWAYS, GRAPH, SCOPES
from tests.factories import make_connection, make_link
from tests.oauth.test_explanations import OWN

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "consent.md").read_text(encoding="utf-8")
PAGES = ROOT / "templates" / "consent"

LINKS, WAY_BACK, SCOPE_TABLE = "## Links", "### The way back to a product", "### Which way comes first"
APPROVALS, MAILS = "## What an approval is worth", "## Mails"
ENDS, STANDING = "### How an attempt ends", "### While there is no end"
OURS, NOT_STARTED = "### Why Tenantry takes no answer", "### Before there is an attempt"
REFUSALS = "## Microsoft's refusals"

Outcome = ConsentAttempt.Outcome
FAILED = {"refused", "rejected", "unreachable"}
# An attempt's moments from now on, and the page that tells of it.
UNFINISHED = {
    "waiting": ({"expires_at": timedelta(hours=1)}, "waiting"),
    "no answer": ({"created_at": timedelta(minutes=-31), "expires_at": timedelta(minutes=29)}, "waiting"),
    "expired": ({"created_at": timedelta(minutes=-61), "expires_at": timedelta(minutes=-1)}, "expired"),
    "working": ({"claimed_at": timedelta()}, "working"),
    "spreading": ({"claimed_at": timedelta(), "next_at": timedelta(seconds=3)}, "spreading"),
    "interrupted": ({"claimed_at": timedelta(minutes=-3)}, "interrupted"),
}
# Pages that refuse before there is an attempt; cannot_start has the title of its kind as well.
REFUSING = (
    "unusable",
    "elsewhere",
    "cannot_start",
    "too_many_tries",
    "too_many_requests",
    "enough_links",
    "unmatched",
)
WHO = {
    "operator": "operator",
    "tenant_admin": "administrator",
    "mailbox_owner": "mailbox owner",
    "nobody": "nobody",
}


def lines_of(heading: str) -> list[str]:
    """The rows of the first table under a heading, without its head."""
    _, found, after = TEXT.partition(f"\n{heading}\n")
    assert found, f"docs/consent.md has no heading “{heading}”"
    section = re.split(r"\n##", after, maxsplit=1)[0].splitlines()
    start = next(number for number, line in enumerate(section) if line.startswith("|"))
    rows = []
    for line in section[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(line)
    return rows


def rows_of(heading: str) -> dict[str, list[str]]:
    """The cells of each row, by every name that stands in backticks in its first."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines_of(heading)]
    return {name: row for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"“([^”]+)”", cell))


def titles_in(page: str) -> set[str]:
    """What the title of a page may say."""
    source = (PAGES / f"{page}.html").read_text(encoding="utf-8")
    title = source.partition("{% block title %}")[2].partition("{% endblock %}")[0]
    return set(re.findall(r'translate "([^"]+)"', title))


# Ends


def test_every_end_of_an_attempt_has_its_row():
    assert list(rows_of(ENDS)) == Outcome.values
    assert list(rows_of(STANDING)) == list(UNFINISHED)


def test_every_page_of_an_attempt_is_among_them():
    parts = {"base", "back", "after_connecting", "unanswered"}
    pages = {path.stem for path in (PAGES / "outcome").glob("*.html")} - parts
    assert pages == {*Outcome.values} - FAILED | {"failed"} | {page for _, page in UNFINISHED.values()}


@pytest.mark.parametrize("outcome", Outcome.values)
def test_the_operator_reads_the_words_of_the_outcome(outcome):
    assert rows_of(ENDS)[outcome][3].startswith(f"*{ConsentAttempt(outcome=outcome).status}*")


@pytest.mark.parametrize("state", UNFINISHED)
def test_the_operator_reads_how_it_stands(state):
    now = timezone.now()
    attempt = ConsentAttempt(**{name: now + since for name, since in UNFINISHED[state][0].items()})
    assert rows_of(STANDING)[state][3].startswith(f"*{attempt.status}*")


@pytest.mark.parametrize("outcome", sorted({*Outcome.values} - FAILED))
def test_the_person_reads_the_title_of_the_outcomes_page(outcome):
    assert quoted(rows_of(ENDS)[outcome][2]) == titles_in(f"outcome/{outcome}")


def test_who_met_silence_reads_the_title_for_it():
    assert quoted(rows_of(ENDS)["unreachable"][2]) == {explanation_of("unreachable").title}


@pytest.mark.parametrize("state", UNFINISHED)
def test_the_person_reads_the_title_of_how_it_stands(state):
    assert quoted(rows_of(STANDING)[state][2]) == titles_in(f"outcome/{UNFINISHED[state][1]}")


def test_every_kind_of_our_own_has_its_row():
    assert sorted(rows_of(OURS)) == sorted(OWN)


@pytest.mark.parametrize("kind", sorted(OWN))
def test_the_person_reads_the_title_of_the_kind(kind):
    assert quoted(rows_of(OURS)[kind][2]) == {explanation_of(kind).title}


@pytest.mark.parametrize("kind", sorted(OWN))
def test_the_operator_reads_how_a_kind_of_our_own_ends(kind):
    ends = {f"*{ConsentAttempt(outcome=outcome).status}*" for outcome in FAILED} | {"*no attempt*"}
    assert rows_of(OURS)[kind][3].startswith(tuple(ends))


def test_every_page_that_refuses_before_an_attempt_has_its_row():
    assert list(rows_of(NOT_STARTED)) == list(REFUSING)


@pytest.mark.parametrize("page", REFUSING)
def test_the_person_reads_the_title_of_the_page_that_refuses(page):
    assert quoted(rows_of(NOT_STARTED)[page][2]) == titles_in(page)


# What Microsoft refuses


def refusals() -> list[str]:
    """The table as the code has it: by who must act, then as in aadsts.json."""
    rows = [*CODES.items(), *SUBERRORS.items(), *ERRORS.items()]
    faults = {fault.kind: fault for _, fault in reversed(rows)}
    in_order = sorted(dict.fromkeys(fault.kind for _, fault in rows), key=lambda kind: [*WHO].index(faults[kind].actor))
    return [_refusal(kind, [key for key, fault in rows if fault.kind == kind]) for kind in in_order]


def _refusal(kind: str, keys: list[int | str]) -> str:
    numbers = [key for key in keys if isinstance(key, int)]
    fault = CODES[numbers[0]] if numbers else {**ERRORS, **SUBERRORS}[str(keys[0])]
    told = explanation_of(kind).title
    remedy = fault.remedy.partition(". ")[0].rstrip(".")
    cells = [f"`{kind}`", ", ".join(map(str, numbers)) or "-", WHO[fault.actor], f"“{told}”", f"{remedy}."]
    return f"| {' | '.join(cells)} |"


def test_the_refusals_are_told_as_the_code_has_them():
    told, expected = lines_of(REFUSALS), refusals()
    kinds = {line.split(" | ")[0]: line for line in told}
    wrong = [
        f"  instead of  {kinds.get(line.split(' | ')[0], 'no row')}\n  write       {line}"
        for line in expected
        if line not in told
    ]
    gone = [
        f"  take out    {line}" for line in told if line.split(" | ")[0] not in {e.split(" | ")[0] for e in expected}
    ]
    assert not wrong + gone, f"docs/consent.md, “{REFUSALS}”:\n" + "\n".join(wrong + gone)
    assert told == expected, "The rows of docs/consent.md stand in another order than in oauth/aadsts.json."


# The other tables


def test_every_purpose_of_a_link_is_told():
    assert list(rows_of(LINKS)) == Link.Purpose.values


def test_every_status_that_a_product_is_told_has_its_row():
    outcomes = {status: {o for o in Outcome.values if STATUS.get(o, "failed") == status} for status in STATUS.values()}
    outcomes["failed"] = {*Outcome.values} - {*STATUS}
    told = {status: set(re.findall(r"`([^`]+)`", row[1])) for status, row in rows_of(WAY_BACK).items()}
    assert told == outcomes


def test_the_example_of_the_way_back_is_true(db):
    example = re.search(r"^(https://app\.example/\S+)&status=connected&connection=(\S+)$", TEXT, re.MULTILINE)
    link, _ = make_link(return_url=example[1])
    RedirectURI.objects.create(registration=link.registration, use=RedirectURI.Use.RETURN, uri=example[1])
    connection = make_connection(link.registration, id=UUID(example[2]))
    assert address_for(ConsentAttempt(link=link, outcome="connected", connection=connection)) == example[0]


def test_what_microsofts_policy_keeps_to_administrators_is_told():
    expected = [f"| `{s.name}` | `{s.permission}` | {'no' if s.needs_admin else 'yes'} |" for s in SCOPES]
    always = [f"| always with Graph | `{name}` |" for name in ALWAYS[GRAPH]]
    told = lines_of(SCOPE_TABLE)
    assert told[: len(expected)] == expected
    assert [line.rpartition(" | ")[0] + " |" for line in told[len(expected) :]] == always


def test_every_word_of_an_approval_is_told():
    assert list(rows_of(APPROVALS)) == AdminGrant.Status.values


def test_every_kind_of_mail_is_told():
    assert list(rows_of(MAILS)) == Mail.Kind.values


# The tests that prove it


def functions_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    missing = [
        f"{path}::{name}" for path, name in named if not (ROOT / path).exists() or name not in functions_in(path)
    ]
    assert missing == []


@pytest.mark.parametrize("heading", [ENDS, STANDING, OURS, NOT_STARTED])
def test_every_end_names_the_test_that_proves_it(heading):
    assert [name for name, row in rows_of(heading).items() if "::test_" not in row[-1]] == []
