"""docs/exports.md shows what is really exported."""

import re
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest
import time_machine

from tenants.exports import DIALECTS
from tests.factories import make_tenant
from tests.tenants.exporting import exported, fresh, make_exportable, text_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exports.md"
SHOWN_AS = {"cypht": "ini", "aurinko": "text", "dotenv": "sh", "json": "json", "csv": "csv", "compose": "yaml"}


@pytest.mark.django_db
@pytest.mark.parametrize("key", SHOWN_AS)
def test_each_example_is_what_is_exported(key: str, settings) -> None:
    settings.SITE_URL = "https://tenantry.example.com"
    app = make_exportable(
        make_tenant("Contoso", slug="contoso"),
        client_id="11111111-2222-3333-4444-555555555555",
        directory="aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        uris=("https://mail.contoso.example/",),
        scopes=("Mail.ReadOnly", "Mail.Send"),
    )
    app.credentials.update(ends_at=datetime(2027, 5, 1, tzinfo=UTC))
    with time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC), tick=False):
        text = text_of(exported(fresh(app), key))
    [example] = re.findall(rf"^```{SHOWN_AS[key]}\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    assert dedent(example) == text.removeprefix("\ufeff").replace("\r\n", "\n")


def test_every_dialect_has_its_line() -> None:
    page = PAGE.read_text()
    assert [label for label in (dialect.label for dialect in DIALECTS.values()) if f"[{label}](#" not in page] == []
