"""CSV: an import reads in every cell what was put there, and no spreadsheet runs any of them."""

import csv
from io import StringIO
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tenants.exports import LEFT_OUT, CannotExport, export_many
from tenants.exports.csv import CSV
from tenants.exports.values import Values, values_of
from tenants.imports.columns import NAMES
from tenants.imports.reading import read_csv, text_of
from tenants.models import AppRegistration, RedirectURI, Tenant
from tests.canary import find
from tests.factories import make_operator, make_secret, make_tenant
from tests.tenants.exporting import error_page, exported, fresh, make_exportable, with_secret
from tests.tenants.exporting import text_of as text_in
from tests.tenants.uploads import checked, counts, errors, upload

pytestmark = pytest.mark.django_db

RUNS = tuple("=+-@\t\r\n＝＋－＠")
FORMULAS = ["=1+1", "+1", "-1", "@A", "\tx", "\rx", "'=1", "''+1", "'- 1", "＝1", "=cmd|' /C x'!A0", '="a,b";c']
TEXTS = st.text(st.sampled_from("=+-@'\"\t\r;, ＝ax\\"), min_size=1, max_size=12) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40
)


@pytest.fixture
def tenant(client: Any) -> Tenant:
    tenant = make_tenant("Contoso", slug="contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


@pytest.fixture
def app() -> AppRegistration:
    return make_exportable()


def cells_seen(text: str) -> list[str]:
    """What a spreadsheet takes for cells, whatever separates them where it is opened."""
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    return [cell for separator in ",;\t" for row in csv.reader(lines, delimiter=separator) for cell in row]


def test_it_has_the_columns_of_an_import() -> None:
    app = make_exportable(
        make_tenant("Contoso", slug="contoso"),
        uris=("https://a.example/", "https://b.example/"),
        scopes=("Mail.ReadOnly", "Mail.Send"),
        alert_emails=["oncall@example.com", "mail@example.com"],
    )
    RedirectURI.objects.create(registration=app, use=RedirectURI.Use.RETURN, uri="https://app.example/done")
    text = text_in(exported(fresh(app), "csv"))
    assert text.startswith("\ufeff" + ",".join(NAMES) + "\r\n")
    [row] = csv.DictReader(StringIO(text.removeprefix("\ufeff")))
    assert row == {
        "tenant": "contoso",
        "name": "Contoso Mail",
        "cloud": "global",
        "audience": "AzureADMyOrg",
        "directory": app.directory,
        "client_id": app.client_id,
        "scopes": "Mail.ReadOnly Mail.Send",
        "product_uris": "https://a.example/ https://b.example/",
        "return_urls": "https://app.example/done",
        "alert_emails": "oncall@example.com mail@example.com",
        "client_secret": LEFT_OUT,
        "secret_ends_on": f"{app.credentials.get().ends_at:%Y-%m-%d}",
    }


def test_many_are_one_table() -> None:
    apps = [make_exportable(name=f"App {number}") for number in range(3)]
    found = export_many(apps, CSV)
    [file] = found.files
    entries = read_csv(text_of(file.text.encode()))
    assert (file.name, [entry.cells["name"] for entry in entries]) == ("registrations.csv", ["App 0", "App 1", "App 2"])
    assert sum("secret is left out" in warning for warning in found.exports[0].warnings) == 3


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_that_looks_like_a_formula_runs_nowhere_and_comes_back(client, tenant, name: str) -> None:
    app = make_exportable(tenant, name=name, alert_emails=["=ops@example.com", "-ops@example.com"])
    text = text_in(exported(app, "csv"))
    assert [cell for cell in cells_seen(text) if cell.lstrip().startswith(RUNS)] == []
    taken = checked(upload(client, text, "registrations.csv"))
    assert errors(taken) == []
    assert counts(taken) == {"unchanged": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(secret=TEXTS)
@example(secret="-begins~like-a-formula")
@example(secret="not-real;=HYPERLINK(1)")
def test_any_secret_comes_back_and_runs_nowhere_or_is_refused(app: AppRegistration, secret: str) -> None:
    assume(secret == secret.strip() and secret != LEFT_OUT)
    values = Values(**{**vars(values_of(app)), "client_secret": secret})
    try:
        text = text_in(CSV.write(values))
    except CannotExport:
        assert ";" in secret or not secret.isprintable()
        return
    assert [cell for cell in cells_seen(text) if cell.lstrip(" ").startswith(RUNS)] == []
    [entry] = read_csv(text_of(text.encode()))
    assert entry.secret == secret


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "two\nlines"}, "Its name holds a line break or another control character."),
        ({"name": "red\x1b[31m"}, "Its name holds a line break"),
        ({"name": "a; =1+1"}, "Its name holds what a spreadsheet may take for a cell's end and a formula."),
        ({"name": "\t=1+1"}, "Its name holds what a spreadsheet may take for a cell's end and a formula."),
        ({"uris": ("https://a.example/,", "https://b.example/")}, "A cell cannot hold its product_uris so that"),
        ({"alert_emails": ['"a,b"@example.com']}, "A cell cannot hold its alert_emails"),
    ],
)
def test_what_would_not_come_back_is_refused_with_what_can_hold_it(fields: dict[str, Any], words: str) -> None:
    app = make_exportable(**fields)
    with pytest.raises(CannotExport) as caught:
        exported(app, "csv")
    assert words in caught.value.reason
    assert "Choose the JSON export" in caught.value.way_out


def test_a_secret_that_begins_like_a_formula_is_stored_as_it_is(client, tenant) -> None:
    secret = "-" + make_secret()
    text = text_in(with_secret(make_exportable(tenant, secret=secret), "csv"))
    assert f",'{secret}," in text
    assert counts(checked(upload(client, text, "registrations.csv"))) == {"unchanged": 1}


def test_a_secret_that_is_refused_is_not_shown() -> None:
    secret = f"{make_secret()};=1+1"
    app = make_exportable(secret=secret)
    shown = error_page(lambda: with_secret(app, "csv"))
    assert "_cell" in shown
    assert find({"secret": secret}, [("error page", shown.encode())]) == []
