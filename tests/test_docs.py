"""The documents say what is there: every setting, every command, every link between pages."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "SECURITY.md")] + sorted((ROOT / "docs").glob("*.md"))
OURS = {"config", "staff", "tenants", "oauth", "monitoring"}


def settings_read() -> set[str]:
    source = (ROOT / "config" / "settings.py").read_text()
    return set(re.findall(r'\benv(?:\.[a-z_]+)?\(\s*"([A-Z_]+)"', source)) - {"DJANGO_SETTINGS_MODULE"}


@pytest.mark.parametrize("page", [".env.example", "docs/settings.md"])
def test_every_setting_is_told(page: str) -> None:
    text = (ROOT / page).read_text()
    assert {name for name in settings_read() if not re.search(rf"(^|`){name}(=|`)", text, re.M)} == set()


def test_no_setting_is_told_that_is_not_there() -> None:
    told = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    told |= set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.M))
    assert told - settings_read() == set()


def test_every_command_has_its_words() -> None:
    commands = {name for name, app in get_commands().items() if app in OURS}
    told = set(re.findall(r"^### (\w+)$", (ROOT / "docs" / "commands.md").read_text(), re.M))
    assert commands == told


def test_every_make_target_has_its_words() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    told = set(re.findall(r"`make (\w+)`", (ROOT / "docs" / "commands.md").read_text()))
    assert targets == told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []
