"""docs/promises.md: every rule stands there once, and every test it names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "promises.md"
ATTACKS = ["T1", "T2a", "T2b", *(f"T{number}" for number in range(3, 16))]
RULES = [*(f"O{number}" for number in range(1, 28)), *ATTACKS]
NOT_YET = {"O24"}
NAMED = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def rows() -> list[tuple[str, str, str]]:
    """The table's rows: id, promise, what proves it."""
    lines = PAGE.read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| [OT][0-9]", line)]
    assert {len(row) for row in cells} == {3}
    return [(row[0], row[1], row[2]) for row in cells]


def defined_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_rule_stands_there_once() -> None:
    assert [row[0] for row in rows()] == RULES


def test_every_promise_is_a_sentence() -> None:
    assert [rule for rule, promise, _ in rows() if not (promise[:1].isupper() and promise.endswith("."))] == []


def test_every_promise_names_its_proof_and_nothing_else() -> None:
    for rule, promise, proof in rows():
        assert bool(proof) is (rule not in NOT_YET), rule
        assert promise.startswith("Not yet:") is (rule in NOT_YET), rule
        assert NAMED.sub("", proof).replace(",", "").split() == [], rule


@pytest.mark.parametrize("rule", RULES)
def test_every_proof_is_a_test_that_is_run(rule: str, request: pytest.FixtureRequest) -> None:
    [proof] = [proof for name, _, proof in rows() if name == rule]
    patterns = request.config.getini("python_files")
    folders = [ROOT / folder for folder in request.config.getini("testpaths")]
    for file, name in NAMED.findall(proof):
        path = ROOT / file
        assert path.is_file(), file
        assert any(path.match(pattern) for pattern in patterns), f"{file} is not collected"
        assert any(path.is_relative_to(folder) for folder in folders), f"{file} is not collected"
        assert name in defined_in(path), f"{file}::{name}"


def test_pages_lead_there() -> None:
    assert "(docs/promises.md)" in (ROOT / "SECURITY.md").read_text()
