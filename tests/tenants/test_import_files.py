"""Which files an import takes, and what it says of those it does not. No cell is ever quoted."""

import re
import time
import uuid

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tenants.imports import reading
from tenants.models import AppRegistration, Import, Tenant
from tests.factories import make_operator, make_secret, make_tenant
from tests.tenants.uploads import UPLOAD, as_csv, as_json, checked, counts, errors, post, refusal, row, upload

pytestmark = pytest.mark.django_db

HEADER = "tenant,name,directory,client_id"


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso", slug="contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b" \r\n \n", "The file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        (b"PK\x03\x04rest of a workbook", "This is a spreadsheet's own file. In a spreadsheet, choose “CSV UTF-8”"),
        ("tenant,name\n".encode("utf-16"), "The file is in UTF-16; it must be in UTF-8."),
        (b"tenant,name\nContoso,M\xfcnchen\n", "The file is not in UTF-8: see line 2."),
        (b"tenant,name\nContoso,a\x00b\n", "Line 2 holds a NUL character"),
        (HEADER.encode(), "The file has no rows"),
        (b"Contoso,My app,contoso.example\n", "no name of a column was found. It must name the columns: tenant, name"),
        (b"tenant,name,owner,2nd\nContoso,a,b,c\n", "Unknown columns: “owner”, number 4. Take out or rename"),
        (b"tenant,name,Name\nContoso,a,b\n", "The column name stands there twice."),
        (b"tenant,name\nContoso,a,b\n", "Row 2 has more cells than there are columns."),
        (b'tenant,name\nContoso,"a\n', "cannot be read: unexpected end of data. Look for a stray quote."),
        (b"tenant,name\n\nContoso," + b"x" * 10_001, "Row 3, name: the cell has more than 10,000 characters."),
        (b"tenant,name\nContoso," + b"x" * 200_000, "cannot be read: field larger than field limit"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(client, tenant, content, words) -> None:
    assert words in refusal(client, content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[{", "This is not JSON: line 1, column 3"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"client_id": ' + "9" * 5000 + "}]", "a number is too long"),
        ('{"tenant": "Contoso"}', "The file must hold a list of objects"),
        ('["a"]', "Row 1 is not an object"),
        ("[]", "The file has no rows"),
        ('[{"tenant": "Contoso", "Owner": "x"}]', "Row 1: Unknown column: “Owner”."),
        ('[{"tenant": "Contoso", "tenant": "Fabrikam"}]', "Row 1: The column tenant stands there twice."),
        ('[{"tenant": {"name": "Contoso"}}]', "Row 1, tenant: this must be a text, or null."),
        ('[{"tenant": "Contoso", "scopes": [1]}]', "Row 1, scopes: a list there may hold texts only."),
        ('[{"tenant": "Contoso", "name": ["a"]}]', "Row 1, name: this must be a text, or null."),
        ('[{"tenant": "Contoso", "client_secret": 12345678}]', "Row 1, client_secret: this must be a text, or null."),
        (
            '[{"tenant": "Contoso", "name": "a\\u0000b"}]',
            "Row 1, name: the cell holds a NUL character, or half of one.",
        ),
        ('[{"tenant": "Contoso", "name": "a\\ud800"}]', "Row 1, name: the cell holds a NUL character, or half of one."),
    ],
)
def test_json_that_cannot_be_read_is_refused_with_a_way_out(client, tenant, content, words) -> None:
    assert words in refusal(client, content, "apps.json")


def test_no_file_is_said(client, tenant) -> None:
    response = client.post(UPLOAD, {"cloud": "global"})
    assert response.context["errors"]["file"] == ["Choose a file."]


def test_more_rows_than_are_read_at_once_are_refused(client, tenant, monkeypatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 3)
    assert "more than 3 rows" in refusal(client, as_csv(*(row() for _ in range(4))))
    assert "more than 3 rows" in refusal(client, as_json(*(row() for _ in range(4))), "apps.json")
    assert upload(client, as_csv(*(row() for _ in range(3)))).total == 3


@pytest.mark.parametrize("name", ["name", "owner", "x" * 30])
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_far_too_many_columns_are_refused_at_once_and_in_few_words(client, tenant, kind, name) -> None:
    many = 100_000
    text = ",".join([name] * many) + "\n" if kind == "csv" else "[{" + ",".join([f'"{name}":0'] * many) + "}]"
    began = time.process_time()
    words = refusal(client, text, f"apps.{kind}")
    assert time.process_time() - began < 1
    assert "100,000 columns are more than there are. It must name the columns" in words
    assert len(words) < 1000


def test_a_header_that_holds_a_secret_is_not_quoted(client, tenant) -> None:
    value = make_secret()
    page = post(client, f"name,{value}\nContoso,x\n").content.decode()
    assert "Unknown column: number 2." in page
    assert value not in page


def test_a_secret_in_another_column_is_refused_and_not_quoted(client, tenant) -> None:
    value = "abc8Q~" + "x" * 34
    response = post(client, as_csv(row(alert_emails=value)))
    assert "Row 2, alert_emails: this looks like a client secret" in response.content.decode()
    assert value not in response.content.decode()
    assert not Import.objects.exists()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_spreadsheets_write_is_read(client, tenant, separator, encoding) -> None:
    given = row(name="Büro, “Süd”; Ost", scopes="Mail.Send, Mail.ReadOnly")
    text = as_csv(given, separator=separator).replace("\n", "\r\n")
    taken = checked(upload(client, text.encode(encoding)))
    assert counts(taken) == {"new": 1}
    assert taken.rows.get().plan["name"] == "Büro, “Süd”; Ost"


def test_a_line_that_names_the_separator_is_skipped(client, tenant) -> None:
    given = row()
    taken = upload(client, "sep=;\r\n" + as_csv(given, separator=";"))
    assert (taken.rows.get().number, taken.rows.get().cells["name"]) == (2, given["name"])


def test_names_of_columns_may_be_written_as_people_write_them(client, tenant) -> None:
    taken = upload(client, "Tenant; Name ;Client ID;Product-URIs;;\nContoso;a;b;;;\n")
    assert taken.rows.get().cells == {"tenant": "Contoso", "name": "a", "client_id": "b", "product_uris": ""}


def test_rows_are_numbered_as_a_spreadsheet_does(client, tenant) -> None:
    text = f'{HEADER}\n,,,\nContoso,"two\nlines",a.example,{uuid.uuid4()}\n\nContoso,,a.example,{uuid.uuid4()}\n'
    taken = checked(upload(client, text))
    assert list(taken.rows.values_list("number", flat=True)) == [3, 5]
    assert errors(taken) == [[5, "name", "Give it the name it has in Entra."]]


def test_a_short_row_is_filled_up(client, tenant) -> None:
    assert upload(client, f"{HEADER}\nContoso,a\n").rows.get().cells["client_id"] == ""


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("apps.csv", "[", "csv"),
        ("apps.JSON", "tenant", "json"),
        (".env", "tenant", "env"),
        ("cypht.env", "tenant", "env"),
        (".env.local", "tenant", "env"),
        ("env.txt", "tenant", "env"),
        ("environments.txt", "tenant,name\na,b", "csv"),
        ("apps.txt", " [{}]", "json"),
        ("apps", "# mail\nOUTLOOK_CLIENT_ID=\nexport A=b\n", "env"),
        ("apps", "tenant;name\nA=b;c\n", "csv"),
    ],
)
def test_the_kind_is_told_by_the_name_or_by_what_is_in_it(name, text, kind) -> None:
    assert reading.kind_of(name, text) == kind


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_example_can_be_uploaded_as_it_is(client, tenant, kind) -> None:
    make_tenant("Fabrikam Inc.")
    client.force_login(make_operator(tenants=tuple(Tenant.objects.all())))
    example = client.get(reverse(f"admin:tenants_import_example_{kind}"))
    assert example.headers["Content-Disposition"] == f'attachment; filename="app-registrations.{kind}"'
    assert counts(checked(upload(client, example.content, f"apps.{kind}"))) == {"new": 2}


@pytest.mark.parametrize(
    ("language", "name", "rows"), [("csv", "apps.csv", 2), ("json", "apps.json", 1), ("sh", ".env", 1)]
)
def test_the_examples_of_the_docs_can_be_imported_as_they_stand(client, tenant, language, name, rows) -> None:
    other = make_tenant("Fabrikam Inc.")
    client.force_login(make_operator(tenants=(tenant, other)))
    page = (settings.BASE_DIR / "docs" / "imports.md").read_text()
    example = max(re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL), key=len)
    taken = checked(upload(client, example, name, tenant=tenant.pk))
    assert errors(taken) == []
    assert counts(taken) == {"new": rows}


def test_the_docs_describe_every_column() -> None:
    page = (settings.BASE_DIR / "docs" / "imports.md").read_text()
    assert re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE) == list(reading.NAMES)


def test_the_page_describes_every_column(client, tenant) -> None:
    page = client.get(UPLOAD).content.decode()
    listed = reverse("admin:tenants_appregistration_changelist")
    assert [name for name in reading.NAMES if f"<code>{name}</code>" not in page] == []
    assert UPLOAD in client.get(listed).content.decode()


def test_who_may_not_add_registrations_imports_none(client, tenant) -> None:
    operator = make_operator(tenants=(tenant,))
    operator.groups.clear()
    client.force_login(operator)
    assert client.get(UPLOAD).status_code == 403
    assert post(client, as_csv(row())).status_code == 403
    assert client.get(reverse("admin:tenants_import_example_csv")).status_code == 403
    assert not Import.objects.exists()


def test_an_upload_needs_the_token_of_its_page(tenant) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(make_operator(tenants=(tenant,)))
    text = as_csv(row())
    assert post(client, text).status_code == 403
    page = client.get(UPLOAD)
    token = page.context["csrf_token"]
    file = SimpleUploadedFile("apps.csv", text.encode())
    assert client.post(UPLOAD, {"file": file, "cloud": "global", "csrfmiddlewaretoken": str(token)}).status_code == 302
    assert not AppRegistration.objects.exists()


def test_nobody_comes_in_without_signing_in(client) -> None:
    assert post(client, as_csv(row())).headers["Location"].startswith("/admin/login/")
