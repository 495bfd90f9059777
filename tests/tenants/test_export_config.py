"""The command export_config: which registrations, into what, and that a secret goes into a new file of its owner's."""

import io
import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tenants.exports import LEFT_OUT
from tenants.imports.reading import read_csv
from tenants.models import AppRegistration, Event
from tests.canary import find
from tests.factories import make_operator, make_registration, make_secret, make_superuser, make_tenant
from tests.tenants.exporting import REASON, URI, make_exportable
from tests.tenants.symfony_dotenv import load
from tests.tenants.test_exports_secrets import make_person

pytestmark = pytest.mark.django_db


def run(*args: Any) -> str:
    """What is printed."""
    out = io.StringIO()
    call_command("export_config", *map(str, args), stdout=out, stderr=out)
    return out.getvalue()


def of(app: AppRegistration, key: str = "cypht") -> tuple[Any, ...]:
    return ("--dialect", key, "--registration", app.pk)


def take(by: Any, *args: Any, reason: str = REASON) -> str:
    return run(*args, "--with-secrets", "--reason", reason, "--as", by)


def refused(*args: Any) -> str:
    with pytest.raises(CommandError) as caught:
        run(*args)
    return str(caught.value)


# Which registrations


def test_one_is_printed_without_its_secret() -> None:
    secret = make_secret()
    app = make_exportable(secret=secret)
    text = run(*of(app))
    assert load(text)["OFFICE365_CLIENT_ID"] == app.client_id
    assert load(text)["OFFICE365_CLIENT_SECRET"] == LEFT_OUT
    assert find({"secret": secret}, [("output", text.encode())]) == []
    assert not Event.objects.exists()


@pytest.mark.parametrize("write", [str, str.upper, "{{{}}}".format])
def test_a_registration_is_named_by_its_client_id_too(write: Any) -> None:
    app = make_exportable()
    assert app.client_id in run("--dialect", "json", "--registration", write(app.client_id))


def test_several_are_named_or_taken_together() -> None:
    tenant = make_tenant(slug="contoso")
    apps = [make_exportable(tenant, name="A"), make_exportable(tenant, name="B"), make_exportable(shared=True)]
    make_registration(tenant, name="Old", archived_at="2026-01-01T00:00:00Z")

    def ids(*args: Any) -> set[str]:
        return {row["client_id"] for row in json.loads(run("--dialect", "json", *args))["registrations"]}

    all_ids = [app.client_id for app in apps]
    assert ids("--registration", apps[0].pk, "--registration", all_ids[2]) == {all_ids[0], all_ids[2]}
    assert ids("--tenant", "contoso") == set(all_ids[:2])
    assert ids("--all") == set(all_ids)


def test_all_are_one_table_that_an_import_reads(tmp_path: Path) -> None:
    apps = [make_exportable(name="=A"), make_exportable(name="B")]
    table = tmp_path / "registrations.csv"
    run("--dialect", "csv", "--all", "--output", table)
    entries = read_csv(table.read_bytes().decode("utf-8-sig"))
    assert [(entry.cells["name"], entry.cells["client_id"]) for entry in entries] == [
        ("=A", apps[0].client_id),
        ("B", apps[1].client_id),
    ]


@pytest.mark.parametrize("name", ["999999", "b1d1cf0a-0000-4000-8000-000000000000", "Contoso Mail", "9" * 40, ""])
def test_a_registration_that_there_is_not_is_named(name: str) -> None:
    make_exportable()
    words = refused("--dialect", "json", "--registration", name)
    assert words == f"No registration that is not archived has the client ID or number “{name}”."


def test_what_is_archived_is_not_found() -> None:
    app = make_exportable()
    AppRegistration.objects.update(archived_at="2026-01-01T00:00:00Z")
    assert "that is not archived" in refused(*of(app))
    assert "no registration to export" in refused("--dialect", "json", "--all")


def test_one_client_id_in_two_clouds_is_asked_about() -> None:
    app = make_exportable()
    other = make_exportable(cloud="china", client_id=app.client_id)
    words = refused("--dialect", "json", "--registration", app.client_id)
    assert f"{app.pk} (global) or {other.pk} (china)" in words


def test_a_tenant_that_there_is_not_is_named() -> None:
    assert refused("--dialect", "json", "--tenant", "nobody") == "No tenant has the short name “nobody”."


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--dialect", "json"), "one of the arguments --registration --tenant --all is required"),
        (("--dialect", "json", "--all", "--tenant", "x"), "not allowed with"),
        (("--dialect", "toml", "--all"), "invalid choice: 'toml' (choose from"),
        (("--all",), "--dialect"),
    ],
)
def test_what_is_missing_is_named(args: tuple[str, ...], words: str) -> None:
    assert words in refused(*args)


def test_what_cannot_be_exported_is_told_after_the_rest() -> None:
    good = make_exportable()
    make_registration(make_tenant("Fabrikam"), name="Waiting", client_id="")
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("export_config", "--dialect", "json", "--all", stdout=out)
    assert [row["client_id"] for row in json.loads(out.getvalue())["registrations"]] == [good.client_id]
    assert str(caught.value).startswith("Not exported, 1 of 2:\nWaiting (Fabrikam): It has no application (client) ID")


def test_a_redirect_uri_is_chosen() -> None:
    app = make_exportable(uris=(URI, "https://b.example.com/"))
    assert "Choose one of them" in refused(*of(app))
    text = run(*of(app), "--redirect-uri", "https://b.example.com/")
    assert load(text)["OFFICE365_CLIENT_URI"] == "https://b.example.com/"
    assert "has several of these redirect URIs" in refused(
        *of(app), "--redirect-uri", URI, "--redirect-uri", "https://b.example.com/"
    )
    assert "has the redirect URI https://c.example.com/" in refused(
        *of(app), "--redirect-uri", "https://c.example.com/"
    )


# Into what


def test_a_file_is_new_and_its_owners(tmp_path: Path) -> None:
    app = make_exportable()
    path = tmp_path / "cypht.env"
    assert run(*of(app), "--output", path) == f"Wrote {path}\n"
    assert load(path.read_text())["OFFICE365_CLIENT_ID"] == app.client_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_gets_a_file_each(tmp_path: Path, ending: str) -> None:
    apps = [make_exportable(name=name) for name in ("A", "B")]
    folder = tmp_path / "new"
    run("--dialect", "cypht", "--all", "--output", f"{folder}{ending}")
    read = [load(path.read_text())["OFFICE365_CLIENT_ID"] for path in folder.iterdir()]
    assert sorted(read) == sorted(app.client_id for app in apps)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_one_goes_into_a_folder_that_is_there_or_meant(tmp_path: Path) -> None:
    app = make_exportable()
    for output in (str(tmp_path), f"{tmp_path}/meant/"):
        run(*of(app), "--output", output)
    assert [path.name for path in tmp_path.rglob("*.env")] == [f"{app.tenant.slug}-contoso-mail-{app.pk}.cypht.env"] * 2


def test_several_files_are_not_printed() -> None:
    for name in "AB":
        make_exportable(name=name)
    assert refused("--dialect", "cypht", "--all") == "These are 2 files. Say with --output into which folder they go."


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    app = make_exportable()
    there, link, empty = tmp_path / "there", tmp_path / "link", tmp_path / "empty"
    there.write_text("mine")
    link.symlink_to(empty)
    by = make_superuser()
    for output in (there, link):
        assert f"{output} is already there and is not overwritten" in refused(*of(app), "--output", output)
        with pytest.raises(CommandError, match="is already there and is not overwritten"):
            take(by, *of(app), "--output", output)
    make_exportable(name="B")
    assert "is no folder, and these are 2 files" in refused("--dialect", "cypht", "--all", "--output", there)
    assert (there.read_text(), empty.exists()) == ("mine", False)
    assert not Event.objects.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    words = refused(*of(make_exportable()), "--output", tmp_path / "a" / "b.env")
    assert words == f"{tmp_path / 'a'} is no folder. Make it first, or name another --output."


# With secrets


def test_secrets_go_into_a_file_and_nowhere_else(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    secret = make_secret()
    app = make_exportable(secret=secret)
    person = make_person(app, "view_appregistration", "export_secrets")
    path = tmp_path / "cypht.env"
    printed = take(person, *of(app), "--output", path)
    assert load(path.read_text())["OFFICE365_CLIENT_SECRET"] == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [event] = Event.objects.all()
    assert (event.verb, event.actor, event.reason, event.subject_id) == (
        "secret exported", person, REASON, str(app.pk),
    )  # fmt: skip
    sinks = [("output", printed.encode()), ("log", caplog.text.encode()), ("event", repr(vars(event)).encode())]
    assert find({"secret": secret}, sinks) == []


def test_secrets_of_many_go_into_a_folder(tmp_path: Path) -> None:
    secrets = [make_secret(), make_secret()]
    for secret in secrets:
        make_exportable(secret=secret)
    take(make_superuser(), "--dialect", "cypht", "--all", "--output", tmp_path / "out")
    files = list((tmp_path / "out").iterdir())
    assert sorted(load(path.read_text())["OFFICE365_CLIENT_SECRET"] for path in files) == sorted(secrets)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert Event.objects.count() == 2


def test_one_of_two_still_goes_into_the_folder(tmp_path: Path) -> None:
    secret = make_secret()
    make_exportable(secret=secret)
    make_exportable(secret="it's-not-a-real-secret")
    with pytest.raises(CommandError, match="Not exported, 1 of 2:\n.*CLIENT_SECRET: the value holds a single quote"):
        take(make_superuser(), "--dialect", "cypht", "--all", "--output", tmp_path / "out")
    assert [load(path.read_text())["OFFICE365_CLIENT_SECRET"] for path in (tmp_path / "out").iterdir()] == [secret]
    assert Event.objects.count() == 1


def test_secrets_are_not_printed() -> None:
    with pytest.raises(CommandError, match="Client secrets are not printed.*Say with --output"):
        take(make_superuser(), *of(make_exportable()))
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "args", [(), ("--reason", "x"), ("--as", "root"), ("--reason", " ", "--as", "root"), ("--reason", "x", "--as", "")]
)
def test_reason_and_name_are_asked_for(args: tuple[str, ...], tmp_path: Path) -> None:
    words = refused(*of(make_exportable()), "--with-secrets", "--output", tmp_path / "x", *args)
    assert words == "--with-secrets needs --reason TEXT and --as USERNAME: both are recorded."


@pytest.mark.parametrize("args", [("--reason", "x"), ("--as", "root")])
def test_a_reason_without_secrets_is_a_mistake(args: tuple[str, ...]) -> None:
    assert "go with --with-secrets" in refused(*of(make_exportable()), *args)


def test_a_reason_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="longer than 300 characters"):
        take(make_superuser(), *of(make_exportable()), "--output", tmp_path / "x", reason="x" * 301)


def test_who_takes_them_must_be_there_permitted_and_see_them(tmp_path: Path) -> None:
    app = make_exportable()
    output = ("--output", tmp_path / "x")
    gone = make_superuser()
    gone.is_active = False
    gone.save()
    for name in ("nobody", gone.username):
        with pytest.raises(CommandError, match=f"No active user is called “{name}”"):
            take(name, *of(app), *output)
    with pytest.raises(CommandError, match="may not export client secrets. A superuser can give"):
        take(make_person(app, "view_appregistration", "change_appregistration"), *of(app), *output)
    stranger = make_operator(tenants=(make_tenant(),))
    for which in (("--registration", app.pk), ("--tenant", app.tenant.slug), ("--all",)):
        with pytest.raises(CommandError, match=f"that {stranger} may see"):
            take(stranger, "--dialect", "cypht", *which, *output)
    assert not Event.objects.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_is_recorded_as_taken_can_be_written_first(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no folder"):
        take(make_superuser(), *of(make_exportable()), "--output", tmp_path / "a" / "b.env")
    assert not Event.objects.exists()
