"""Aurinko, .env, JSON and Compose: each read back by what it is for, or by its rules; and what none of them tells."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import environ
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tenants import dotenv, scopes
from tenants.exports import DIALECTS, LEFT_OUT, CannotExport, export_many
from tenants.exports.compose import COMPOSE
from tenants.exports.env import ENV
from tenants.exports.json import JSON
from tenants.exports.values import Values, values_of
from tenants.models import AppRegistration
from tests.canary import find
from tests.factories import make_registration, make_secret, make_tenant
from tests.tenants.exporting import URI, end, exported, fresh, make_exportable, text_of, with_secret
from tests.tenants.symfony_dotenv import Dotenv

pytestmark = pytest.mark.django_db

SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)
# A secret as Entra would never make it, with everything in it that some reader takes for something else.
HARD = 'not~real$HOME`id`&;|#*?"\\!{}é'
WITH_SECRET = [key for key, dialect in DIALECTS.items() if dialect.takes_secret]
OF_REGISTERED = [key for key, dialect in DIALECTS.items() if dialect.of_registered]
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def app() -> AppRegistration:
    return make_exportable()


def with_value(app: AppRegistration, secret: str) -> Values:
    return Values(**{**vars(values_of(app)), "client_secret": secret})


def undoubled(value: str) -> str:
    """What Compose makes of a value: $$ is a $; any other $ is a variable, which there must be none of."""
    assert "$" not in value.replace("$$", "")
    return value.replace("$$", "$")


def environment_of(text: str) -> dict[str, str]:
    document = yaml.safe_load(text)
    return {name: undoubled(value) for name, value in document["services"]["app"]["environment"].items()}


def sourced(text: str, folder: Path) -> dict[str, str]:
    """What a shell has in its environment after reading the file."""
    path = folder / "exported.env"
    path.write_text(text)
    script = 'set -a; . "$0"; env -0'
    done = subprocess.run(["/bin/sh", "-c", script, path], env={}, capture_output=True, check=True)
    assert done.stderr == b""
    found = dict(entry.partition("=")[::2] for entry in done.stdout.decode().split("\0") if entry)
    return {name: value for name, value in found.items() if name.startswith("MICROSOFT_")}


# .env


def test_the_variables_of_a_registration() -> None:
    app = make_exportable(uris=(URI, "https://b.example.com/"), scopes=("Mail.ReadOnly", "Mail.Send"))
    base = f"https://login.microsoftonline.com/{app.directory}"
    assert dotenv.read(text_of(exported(app, "dotenv"))) == {
        "MICROSOFT_CLIENT_ID": app.client_id,
        "MICROSOFT_CLIENT_SECRET": LEFT_OUT,
        "MICROSOFT_DIRECTORY": app.directory,
        "MICROSOFT_AUTHORITY": base,
        "MICROSOFT_AUTHORIZE_URL": f"{base}/oauth2/v2.0/authorize",
        "MICROSOFT_TOKEN_URL": f"{base}/oauth2/v2.0/token",
        "MICROSOFT_GRAPH_URL": "https://graph.microsoft.com",
        "MICROSOFT_OUTLOOK_HOST": "outlook.office.com",
        "MICROSOFT_REDIRECT_URIS": f"https://b.example.com/ {URI}",
        "MICROSOFT_SCOPES": "https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/Mail.Send "
        "https://graph.microsoft.com/MailboxSettings.Read https://graph.microsoft.com/User.Read "
        "email openid profile offline_access",
    }


def test_what_there_is_none_of_is_left_out_and_told() -> None:
    export = exported(make_exportable(uris=(), scopes=()), "dotenv")
    read = dotenv.read(text_of(export))
    assert {"MICROSOFT_REDIRECT_URIS", "MICROSOFT_SCOPES"} & read.keys() == set()
    assert [each for each in export.warnings if "is left out" in each and "MICROSOFT_" in each] == [
        "No scopes are ticked, so MICROSOFT_SCOPES is left out.",
        "No redirect URI of a product is entered, so MICROSOFT_REDIRECT_URIS is left out.",
    ]


@pytest.mark.parametrize("secret", [HARD, "~root/not-real", "not&real", "not;real", "not`id`real", "not*real"])
def test_every_reader_of_a_dotenv_reads_the_same(secret: str, tmp_path: Path, monkeypatch: Any) -> None:
    text = text_of(with_secret(make_exportable(secret=secret, uris=(f"{URI}?a=b&c=$d",)), "dotenv"))
    expected = dotenv.read(text)
    assert expected["MICROSOFT_CLIENT_SECRET"] == secret
    assert Dotenv().parse(text) == expected
    assert sourced(text, tmp_path) == expected
    for name in expected:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environ.Env, "ENVIRON", kept := {})
    environ.Env.read_env(tmp_path / "exported.env")
    assert kept == expected


@quick
@given(secret=SECRETS)
@example(secret=HARD)
def test_a_dotenv_holds_any_secret_or_refuses_it_by_name(app: AppRegistration, secret: str) -> None:
    try:
        export = ENV.write(with_value(app, secret))
    except CannotExport:
        assert {"'", "\r", "\n"} & set(secret) or secret.endswith("\\")
        return
    assert Dotenv().parse(text_of(export))["MICROSOFT_CLIENT_SECRET"] == secret


def test_what_a_dotenv_cannot_hold_is_told_with_what_can() -> None:
    with pytest.raises(CannotExport, match="MICROSOFT_CLIENT_SECRET: the value holds a single quote.*JSON or Compose"):
        with_secret(make_exportable(secret="it's-not-a-secret"), "dotenv")


# Compose


@quick
@given(secret=SECRETS)
@example(secret=HARD)
@example(secret="a$$b$")
@example(secret="\U0001f511\x85\u2028\ufeff it's\n")
def test_compose_gets_any_secret_as_it_is(app: AppRegistration, secret: str) -> None:
    text = text_of(COMPOSE.write(with_value(app, secret)))
    assert environment_of(text)["MICROSOFT_CLIENT_SECRET"] == secret


def test_compose_has_the_same_variables() -> None:
    app = make_exportable(uris=(f"{URI}?a=$b",))
    assert environment_of(text_of(exported(app, "compose"))) == dotenv.read(text_of(exported(app, "dotenv")))


# JSON


def test_json_has_the_shape_that_is_documented() -> None:
    app = make_exportable(make_tenant("Contoso"), scopes=("Mail.ReadOnly", "Mail.Draft"))
    assert app.tenant
    document = json.loads(text_of(exported(app, "json")))
    [row] = document["registrations"]
    assert document["format"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["exported_at"])
    base = f"https://login.microsoftonline.com/{app.directory}"
    ends_at = app.credentials.current().get().ends_at
    assert row.pop("warnings") == list(exported(app, "json").warnings)
    assert row == {
        "tenant": {"name": "Contoso", "slug": app.tenant.slug},
        "name": "Contoso Mail",
        "cloud": {"key": "global", "name": "Microsoft 365 worldwide"},
        "hosts": {
            "login": "login.microsoftonline.com",
            "graph": "graph.microsoft.com",
            "outlook": "outlook.office.com",
        },
        "audience": "AzureADMyOrg",
        "directory": app.directory,
        "authority": base,
        "authorize_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "client_id": app.client_id,
        "client_secret": None,
        "client_secret_left_out": True,
        "client_secret_ends_at": f"{ends_at:%Y-%m-%dT%H:%M:%SZ}",
        "redirect_uris": {"tenantry": "http://testserver/oauth/callback/global/", "products": [URI]},
        "return_urls": [],
        "alert_emails": [],
        "scopes": [
            {"name": "Mail.ReadOnly", "permission": "Mail.Read"},
            {"name": "Mail.Draft", "permission": "Mail.ReadWrite"},
        ],
        "permissions": [
            "Mail.Read", "Mail.ReadWrite", "MailboxSettings.Read", "User.Read",
            "openid", "profile", "email", "offline_access",
        ],
        "request_scopes": [
            *(f"https://graph.microsoft.com/{name}" for name in
              ("Mail.Read", "Mail.ReadWrite", "MailboxSettings.Read", "User.Read")),
            "email", "openid", "profile", "offline_access",
        ],
    }  # fmt: skip


@quick
@given(secret=SECRETS)
def test_json_holds_any_secret(app: AppRegistration, secret: str) -> None:
    [row] = json.loads(text_of(JSON.write(with_value(app, secret))))["registrations"]
    assert (row["client_secret"], row["client_secret_left_out"]) == (secret, False)


def test_many_are_one_json_document() -> None:
    apps = [make_exportable(), make_exportable(shared=True), fresh(make_registration(client_id=""))]
    found = export_many(apps, JSON)
    [file] = found.files
    rows = json.loads(file.text)["registrations"]
    assert [row["client_id"] for row in rows] == [app.client_id for app in apps[:2]]
    assert rows[1]["tenant"] is None
    assert [refused.registration for refused in found.refused] == apps[2:]


# Aurinko


def test_aurinkos_text_has_what_its_portal_asks_for() -> None:
    secret = make_secret()
    app = make_exportable(secret=secret, scopes=("Mail.ReadOnly", "Mail.Draft", "Mail.Send"))
    text = text_of(with_secret(app, "aurinko"))
    assert re.search(rf"Client ID +{app.client_id}\n +Client secret +{re.escape(secret)}\n", text)
    assert "Sign in at https://app.aurinko.io\n" in text
    assert "Select your app at the top, then Settings, then the tab OFFICE 365." in text
    rows = re.findall(r"^  ([A-Z][a-z]+\.[A-Za-z]+) +([A-Za-z.]+)(?: +([A-Za-z.]+))?$", text, re.M)
    assert rows == [
        ("Mail.ReadOnly", "Mail.Read", "Mail.Read"),
        ("Mail.Draft", "Mail.ReadWrite", "Mail.Drafts"),
        ("Mail.Send", "Mail.Send", ""),
    ]
    assert "offline_access, openid, email, profile, MailboxSettings.Read, User.Read\n" in text


def test_every_scope_stands_in_the_seeds_words() -> None:
    names = tuple(name for name, scope in scopes.CATALOGUE.items() if scope.family == scopes.GRAPH)
    text = text_of(exported(make_exportable(scopes=names), "aurinko"))
    for name in names:
        assert re.search(rf"^  {re.escape(name)} +{re.escape(scopes.CATALOGUE[name].permission)}\b", text, re.M)


def test_aurinko_is_not_for_imap() -> None:
    export = exported(make_exportable(scopes=("IMAP.AccessAsUser.All",)), "aurinko")
    assert "None of Microsoft Graph is ticked" in text_of(export)
    assert any("has no names for scopes of IMAP" in warning for warning in export.warnings)


# All of them


@pytest.mark.parametrize("key", DIALECTS)
def test_no_secret_is_in_it_unless_asked_for(key: str) -> None:
    secret = make_secret()
    app = make_exportable(secret=secret)
    export = exported(app, key)
    text = "".join(file.text for file in export.files)
    assert find({"secret": secret}, [(key, repr(export).encode() + text.encode())]) == []
    if key in WITH_SECRET:
        assert LEFT_OUT in text
        assert "secret is left out" in " ".join(export.warnings)


@pytest.mark.parametrize("key", WITH_SECRET)
def test_with_a_secret_nothing_stands_in_its_place(key: str) -> None:
    secret = make_secret()
    text = text_of(with_secret(make_exportable(secret=secret), key))
    assert secret in text
    assert LEFT_OUT not in text


@pytest.mark.parametrize("key", DIALECTS)
def test_no_repr_shows_a_secret(key: str) -> None:
    secret = make_secret()
    app = make_exportable(secret=secret)
    shown = repr(with_secret(app, key)) + repr(with_value(app, secret))
    assert find({"secret": secret}, [("repr", shown.encode())]) == []


@pytest.mark.parametrize("key", [key for key in DIALECTS if key != "csv"])  # that one refuses it
def test_no_name_becomes_anything_but_text(key: str) -> None:
    app = make_exportable(make_tenant("T\n```\nX: 1"), name="é\nMICROSOFT_CLIENT_ID=evil\n  evil: 1 # \x1b[31m\u2028x")
    text = "".join(file.text for file in exported(app, key).files)
    assert "\x1b" not in text
    assert re.findall(r"^\s*(?:MICROSOFT_CLIENT_ID=evil|evil:)", text, re.M) == []
    assert yaml.safe_load(text).keys() == {"services"} if key == "compose" else True


@pytest.mark.parametrize("key", DIALECTS)
def test_files_have_safe_names_and_none_twice(key: str) -> None:
    tenant = make_tenant("Contoso", slug="contoso")
    names = ["../../etc/passwd", "Käse & Co.", "日本", "x" * 120, "con", "Mail", "Mail!"]
    apps = [make_exportable(tenant, name=name) for name in names] + [make_exportable(shared=True, name="Mail")]
    files = [file.name for app in apps for file in exported(app, key).files]
    assert len(set(map(str.lower, files))) == len(files)
    assert [name for name in files if not re.fullmatch(r"[a-z0-9][a-z0-9-]*(\.[a-z]+)+", name)] == []
    assert max(map(len, files)) < 100


@pytest.mark.parametrize("key", OF_REGISTERED)
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cloud": "gone"}, "Its cloud is not configured here.*EXTRA_CLOUDS"),
        ({"directory": ""}, "signs in through its own directory, and has none"),
        ({"client_id": ""}, r"no application \(client\) ID yet"),
        ({"archived_at": "2026-01-01T00:00:00Z"}, "It is archived"),
    ],
)
def test_what_is_not_ready_is_refused_with_a_way_out(key: str, fields: dict[str, str], words: str) -> None:
    app = make_exportable()
    AppRegistration.objects.filter(pk=app.pk).update(**fields)
    row = AppRegistration.objects.get(pk=app.pk)
    with pytest.raises(CannotExport, match=f"^{re.escape(str(row))} .*{words}"):
        exported(row, key)


def test_a_registration_without_a_secret_is_exported_and_says_so() -> None:
    export = exported(fresh(make_registration()), "json")
    assert "No client secret is stored in Tenantry for this registration." in export.warnings


def test_imap_needs_a_host(settings: Any) -> None:
    row = {"key": "own", "name": "Own", "login_host": "login.own.example", "graph_host": "graph.own.example"}
    settings.EXTRA_CLOUDS = [row]
    with pytest.raises(CannotExport, match="for which its cloud has no host"):
        exported(make_exportable(cloud="own", scopes=("SMTP.Send",)), "json")


def test_every_dialect_says_what_it_is_for() -> None:
    assert [key for key, dialect in DIALECTS.items() if dialect.key != key] == []
    assert len({dialect.label for dialect in DIALECTS.values()}) == len(DIALECTS)
    assert all(dialect.purpose and not dialect.purpose.endswith(".") for dialect in DIALECTS.values())


def test_the_end_of_a_secret_without_a_date_is_told() -> None:
    app = end(make_exportable(), 1)
    app.credentials.update(ends_at=None)
    assert "When the client secret ends is not known." in exported(fresh(app), "dotenv").warnings
