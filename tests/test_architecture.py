"""Who may import whom: style.md's rooms, read from the import lines."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ["staff", "tenants", "oauth", "monitoring"]
EDGE = {"admin", "views", "urls", "tasks", "apps", "management"}
ROOMS = {*ORDER, "config", "sandbox", "faults", "tests"}

# (file, room): reason. An exception needs one.
EXCEPTIONS: dict[tuple[str, str], str] = {}


def imported(path: Path) -> set[str]:
    """The first-level names of our own rooms that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names & ROOMS


def python_files(room: str) -> list[Path]:
    return [path for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts]


def allowed(room: str, path: Path) -> set[str]:
    if room == "sandbox":
        return {"sandbox"}
    inner = path.relative_to(ROOT / room).parts
    if {part.removesuffix(".py") for part in inner} & EDGE:
        return set(ORDER)
    return set(ORDER[: ORDER.index(room) + 1])


@pytest.mark.parametrize("room", [*ORDER, "sandbox"])
def test_a_room_imports_only_what_stands_above_it(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(room)
        for name in sorted(imported(path) - allowed(room, path))
        if (str(path.relative_to(ROOT)), name) not in EXCEPTIONS
    ]
    assert wrong == []


def test_the_sandbox_needs_no_django() -> None:
    users = [
        str(path.relative_to(ROOT))
        for path in python_files("sandbox")
        if "import django" in path.read_text() or "from django" in path.read_text()
    ]
    assert users == []


@pytest.mark.parametrize("room", [*ORDER, "config", "sandbox", "faults"])
def test_no_file_holds_two_subjects(room: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files(room)
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_nothing_is_named_for_nothing() -> None:
    names = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in python_files(room)
        if path.stem in {"utils", "helpers", "services", "misc", "common"}
    ]
    assert names == []


def test_the_product_does_not_know_the_sandbox() -> None:
    """It is reached as any cloud of EXTRA_CLOUDS: the word stands only where its flag is read or written."""
    flag = {"tenants/clouds.py"}
    users = [
        str(path.relative_to(ROOT))
        for room in ORDER
        for path in python_files(room)
        if "sandbox" in path.read_text().lower() and str(path.relative_to(ROOT)) not in flag
    ]
    assert users == []


def test_the_product_does_not_know_the_second_provider() -> None:
    """Configuration alone makes it known: neither its key nor that there are dialects stands in the product."""
    users = [
        str(path.relative_to(ROOT))
        for room in [*ORDER, "config"]
        for path in python_files(room)
        if re.search(r"""["']plain["']|dialect|plain.?openid""", path.read_text(), re.IGNORECASE)
        and "export" not in str(path.relative_to(ROOT))  # whose dialects are of files, not of providers
    ]
    assert users == []
