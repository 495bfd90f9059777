"""What an upload leaves behind: no secret in a table, a file, a log, a task, a page, a message or history."""

import json
import logging
import os
import traceback
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from django.db import connection as database
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter

from config.logs import Lines
from tenants.imports import reading, work
from tenants.models import AppRegistration, Credential, Import, ImportRow, Tenant
from tests.canary import find
from tests.factories import make_operator, make_registration, make_secret, make_tenant
from tests.tenants.uploads import NEXT_YEAR, UPLOAD, as_csv, as_json, checked, page, post, press, row, upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso", slug="contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


@pytest.fixture
def log() -> Iterator[StringIO]:
    """All that is logged, at the lowest level, without the filter that would take out what looks secret."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines())
    loggers = [logging.getLogger(), logging.getLogger("import_export"), logging.getLogger("django")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield stream
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def tasks() -> Iterator[list[str]]:
    messages: list[str] = []

    def note(sender: str, body: Any, headers: Any, **kwargs: Any) -> None:
        messages.append(f"{sender} {body!r} {headers!r}")

    before_task_publish.connect(note, weak=False)
    yield messages
    before_task_publish.disconnect(note)


@pytest.fixture
def folder(tmp_path, settings, monkeypatch) -> Any:
    """Where Django would put what is uploaded, and where Python would put what is temporary."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def written(folder, monkeypatch) -> list[str]:
    """Every file that was opened for writing meanwhile."""
    opened: list[str] = []
    real = os.open

    def note(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            opened.append(str(path))
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", note)
    return opened


def tables() -> Iterator[tuple[str, bytes]]:
    for table in database.introspection.table_names():
        with database.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}"')
            yield f"table {table}", repr(cursor.fetchall()).encode()


def sinks(log: StringIO, tasks: list[str], *responses: Any) -> Iterator[tuple[str, bytes]]:
    yield from tables()
    yield "log", log.getvalue().encode()
    yield "tasks", repr(tasks).encode()
    for response in responses:
        yield f"answer {response.status_code}", repr(response.headers).encode() + response.content
        yield "messages", repr([str(message) for message in get_messages(response.wsgi_request)]).encode()


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_whole_import_leaves_no_secret_anywhere(
    client, tenant, log, tasks, folder, kind, django_capture_on_commit_callbacks
) -> None:
    values = {"first": make_secret(), "second": make_secret()}
    stored = make_registration(tenant)
    rows = [
        row(client_secret=values["first"], secret_ends_on=NEXT_YEAR),
        {"client_id": stored.client_id, "client_secret": values["second"], "secret_ends_on": NEXT_YEAR},
    ]
    if kind == "csv":
        rows[1] = row(**rows[1], name=stored.name)
    text = as_csv(*rows) if kind == "csv" else as_json(*rows)
    with django_capture_on_commit_callbacks(execute=True):
        response = post(client, text, f"apps.{kind}")
    taken = Import.objects.get()
    assert tasks
    assert find(values, sinks(log, tasks, response)) == []
    shown = client.get(reverse("admin:tenants_import_change", args=[checked(taken).pk]))
    assert "new secret" in shown.content.decode()
    assert find(values, sinks(log, tasks, shown)) == []
    with django_capture_on_commit_callbacks(execute=True):
        pressed = press(client, taken)
    work.carry_on(taken.pk)
    kept = [credential.value.reveal("test") for credential in Credential.objects.all() if credential.value]
    assert set(kept) == set(values.values())
    listed = client.get(reverse("admin:tenants_event_changelist"))
    assert find(values, sinks(log, tasks, pressed, listed)) == []
    assert not ImportRow.objects.exists()
    assert list(folder.iterdir()) == []


def test_the_search_would_find_a_leak(client, tenant, log, tasks) -> None:
    value = make_secret()
    taken = upload(client, as_csv(row(client_secret=value, secret_ends_on=NEXT_YEAR)))
    ImportRow.objects.filter(upload=taken).update(cells={"client_secret": value})
    logging.getLogger("import_export.resources").debug("row %s", value)
    assert find({"it": value}, sinks(log, tasks)) == ["it in table tenants_importrow", "it in log"]


def test_a_file_that_is_refused_leaves_nothing(client, tenant, log, tasks, folder) -> None:
    value = make_secret()
    good = as_csv(row(client_secret=value, secret_ends_on=NEXT_YEAR))
    refused = [
        post(client, good + "x,y,z,too,many,cells,here,for,it,and,more,of,them\n"),
        post(client, good.replace("client_secret", "password")),
        post(client, good.replace("tenant,", "tenant,owner,")),
        post(client, good.encode("utf-16")),
        post(client, good.encode() + b"\xff"),
        post(client, good + '"unclosed'),
        post(client, json.dumps([row(client_secret=value)])[:-3], "apps.json"),
        post(client, json.dumps([row(client_secret=[value])]), "apps.json"),
        post(client, json.dumps([{value: "x"}]), "apps.json"),
        post(client, f"{value},x\n"),
        post(client, f"OUTLOOK_CLIENT_ID=x\nOUTLOOK_CLIENT_SECRET={value} {value}\n", ".env", tenant=tenant.pk),
    ]
    assert [response.status_code for response in refused] == [200] * len(refused)
    assert not Import.objects.exists()
    assert find({"secret": value}, sinks(log, tasks, *refused)) == []
    assert list(folder.iterdir()) == []


def test_a_large_file_stays_in_memory_too(client, tenant, written, folder) -> None:
    value = make_secret()
    rows = [row(alert_emails="a@example.com " * 200, name=f"App {number}") for number in range(1000)]
    text = as_csv(row(client_secret=value, secret_ends_on=NEXT_YEAR, alert_emails=""), *rows)
    assert len(text) > 2_600_000  # Django's own limit is 2.5 MB
    response = post(client, text)
    assert response.status_code == 302
    assert Import.objects.get().total == 1001
    assert [path for path in written if path.startswith(str(folder))] == []
    assert list(folder.iterdir()) == []


def test_a_file_that_is_too_large_is_dropped(client, tenant, written, folder) -> None:
    text = "tenant,name\n" + "Contoso,x\n" * (reading.LARGEST // 10 + 20_000)
    response = post(client, text)
    assert response.context["errors"]["file"] == ["The file is larger than 5 MB. Split it."]
    assert [path for path in written if path.startswith(str(folder))] == []
    assert not Import.objects.exists()


def test_where_django_decides_a_large_file_would_be_on_the_disk(tenant, written, folder) -> None:
    """The tests above would see it."""
    file = SimpleUploadedFile("apps.csv", b"x" * 2_700_000)
    request = RequestFactory().post(UPLOAD, {"file": file})
    with request.FILES["file"]:
        assert [path for path in written if path.startswith(str(folder))] != []


class Broken:
    """A database that fails on these statements, with what they were given in its error, as databases do."""

    def __init__(self, statement: str) -> None:
        self.statement = statement

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.statement in sql:
            raise DatabaseError(f"cannot run {sql} with {params}")
        return execute(sql, params, many, context)


def told_of(wrong: BaseException) -> bytes:
    """What Python and Django tell of it, every variable in every frame but the test's own."""
    assert wrong.__traceback__ is not None
    frames = wrong.__traceback__.tb_next
    reporter = ExceptionReporter(RequestFactory().get("/"), type(wrong), wrong, frames)
    told = "".join(traceback.format_exception(wrong)) + reporter.get_traceback_html() + reporter.get_traceback_text()
    assert "cannot run" in told
    return told.encode()


@pytest.mark.parametrize(
    "statement",
    ['INSERT INTO "tenants_importrow"', 'INSERT INTO "tenants_import"'],
)
def test_an_error_while_it_is_uploaded_tells_nothing(tenant, client, log, tasks, mailoutbox, statement) -> None:
    client.raise_request_exception = False
    value = make_secret()
    with database.execute_wrapper(Broken(statement)):
        response = post(client, as_csv(row(client_secret=value, secret_ends_on=NEXT_YEAR)))
    assert response.status_code == 500
    assert "DatabaseError" in log.getvalue()
    assert mailoutbox == []
    assert find({"secret": value}, sinks(log, tasks)) == []
    assert value not in response.content.decode()


@pytest.mark.parametrize(
    "statement",
    [
        'INSERT INTO "tenants_appregistration"',
        'INSERT INTO "tenants_credential"',
        'INSERT INTO "tenants_event"',
        'DELETE FROM "tenants_importrow"',
    ],
)
def test_an_error_in_the_midst_of_writing_leaves_no_secret_and_no_row(tenant, client, log, tasks, statement) -> None:
    value = make_secret()
    taken = checked(upload(client, as_csv(row(client_secret=value, secret_ends_on=NEXT_YEAR))))
    press(client, taken)
    with database.execute_wrapper(Broken(statement)), pytest.raises(DatabaseError) as caught:
        work.carry_on(taken.pk)
    assert find({"secret": value}, [*sinks(log, tasks), ("report", told_of(caught.value))]) == []
    assert not AppRegistration.objects.exists()
    taken.refresh_from_db()
    assert taken.state == Import.State.WRITING


def test_an_error_in_the_midst_of_checking_leaves_no_secret(tenant, client, log, tasks) -> None:
    value = make_secret()
    taken = upload(client, as_csv(row(client_secret=value, secret_ends_on=NEXT_YEAR)))
    with database.execute_wrapper(Broken('UPDATE "tenants_importrow"')), pytest.raises(DatabaseError) as caught:
        work.carry_on(taken.pk)
    assert find({"secret": value}, [*sinks(log, tasks), ("report", told_of(caught.value))]) == []


def test_what_is_sealed_in_a_row_is_for_that_row_alone(client, tenant) -> None:
    value = make_secret()
    taken = upload(client, as_csv(row(client_secret=value, secret_ends_on=NEXT_YEAR), row()))
    first, second = taken.rows.order_by("number")
    assert first.secret is not None
    assert first.secret.reveal("test") == value
    assert second.secret is None
    assert value not in repr(vars(first))


def test_an_abandoned_import_is_shredded_after_a_day(client, tenant) -> None:
    old = checked(upload(client, as_csv(row(client_secret=make_secret(), secret_ends_on=NEXT_YEAR))))
    young = checked(upload(client, as_csv(row())))
    Import.objects.filter(pk=old.pk).update(created_at=timezone.now() - Import.KEPT)
    Import.objects.end_abandoned()
    old.refresh_from_db()
    assert old.state == Import.State.ABANDONED
    assert set(ImportRow.objects.values_list("upload", flat=True)) == {young.pk}
    assert "abandoned" in page(client, old)


def test_the_page_is_kept_by_no_browser(client, tenant) -> None:
    taken = checked(upload(client, as_csv(row())))
    response = client.get(reverse("admin:tenants_import_change", args=[taken.pk]))
    assert "no-store" in response.headers["Cache-Control"]
    assert Client().get(reverse("admin:tenants_import_change", args=[taken.pk])).status_code == 302
