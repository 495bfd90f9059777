"""What an export wrote comes back through an import: nothing is lost by it, least of all a secret."""

import json
from typing import Any

import pytest
from django.utils import timezone

from tenants.exports import DIALECTS, export_many
from tenants.models import AppRegistration, RedirectURI, Tenant
from tenants.models.credential import LEFT_OUT
from tests.factories import make_credential, make_operator, make_registration, make_secret, make_superuser, make_tenant
from tests.tenants.exporting import end, exported, fresh, make_exportable, text_of, with_secret
from tests.tenants.uploads import (
    NEXT_YEAR,
    as_csv,
    as_json,
    check,
    checked,
    counts,
    errors,
    refusal,
    row,
    upload,
    write,
)

pytestmark = pytest.mark.django_db

BOTH = ["json", "csv"]  # hold everything


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso", slug="contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


# The placeholder of a secret that was left out


def test_a_cypht_env_without_its_secret_keeps_the_one_that_is_stored(client, tenant) -> None:
    secret = make_secret()
    app = make_exportable(tenant, secret=secret)
    ends_at = app.credentials.get().ends_at
    text = text_of(exported(app, "cypht"))
    assert f"OFFICE365_CLIENT_SECRET={LEFT_OUT}\n" in text
    for day in ("", NEXT_YEAR):
        taken = checked(upload(client, text, ".env", tenant=tenant.pk, secret_ends_on=day))
        assert counts(taken) == {"unchanged": 1}
    changed = text.replace("https://mail.example.com/", "https://new.example.com/")
    write(client, checked(upload(client, changed, ".env", tenant=tenant.pk)))
    assert "https://new.example.com/" in AppRegistration.objects.get().product_uris
    [kept] = app.credentials.all()
    assert (kept.slot, kept.ends_at) == ("current", ends_at)
    assert kept.value is not None
    assert kept.value.reveal("test") == secret


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_placeholder_keeps_secret_and_end_and_an_end_beside_it_corrects_the_stored_one(
    client, tenant, kind
) -> None:
    stored = make_registration(tenant)
    credential = make_credential(stored, value=make_secret())
    given = {"client_id": stored.client_id, "client_secret": LEFT_OUT, "secret_ends_on": ""}
    written = {"csv": as_csv, "json": as_json}[kind]
    assert counts(checked(upload(client, written(given), f"apps.{kind}"))) == {"unchanged": 1}
    taken = checked(upload(client, written({**given, "secret_ends_on": NEXT_YEAR}), f"apps.{kind}"))
    assert list(taken.rows.get().changes) == ["secret_ends_on"]
    write(client, taken)
    [kept] = stored.credentials.all()
    assert (kept.pk, f"{kept.ends_at:%Y-%m-%d}") == (credential.pk, NEXT_YEAR)


def test_a_new_registration_gets_neither_the_placeholder_nor_the_end_of_what_is_not_here(client, tenant) -> None:
    for day in (NEXT_YEAR, "2020-01-01"):
        taken = check(client, row(client_secret=LEFT_OUT, secret_ends_on=day))
        assert errors(taken) == []
        assert {"client_secret", "secret_ends_on"} & set(taken.rows.get().changes) == set()
        write(client, taken)
        assert not AppRegistration.objects.latest("pk").credentials.exists()


def test_an_end_that_is_over_and_stored_as_it_is_changes_nothing(client, tenant) -> None:
    stored = make_registration(tenant)
    ended = make_credential(stored, days_left=-40).ends_at
    given = {"client_id": stored.client_id, "client_secret": LEFT_OUT, "secret_ends_on": f"{ended:%Y-%m-%d}"}
    assert counts(check(client, given)) == {"unchanged": 1}
    assert "ended already" in errors(check(client, {**given, "secret_ends_on": "2020-01-01"}))[0][2]


# What holds everything


def make_full(tenant: Tenant, **fields: Any) -> AppRegistration:
    """A registration with something in every column of an import."""
    app = make_exportable(
        tenant,
        uris=("https://a.example/", "https://b.example/?page=home"),
        scopes=("Mail.ReadOnly", "Mail.Draft", "Calendar.ReadWrite"),
        alert_emails=["oncall@example.com", "+mail@example.com"],
        **fields,
    )
    RedirectURI.objects.create(registration=app, use=RedirectURI.Use.RETURN, uri="https://app.example/connected")
    return fresh(app)


def written(apps: list[AppRegistration], kind: str) -> str:
    [file] = export_many(apps, DIALECTS[kind]).files
    return file.text


def held(app: AppRegistration) -> dict[str, Any]:
    """All of a registration that an import can write."""
    app = fresh(app)
    credential = app.credentials.current().first()
    columns = ("tenant", "name", "cloud", "audience", "directory", "client_id", "alert_emails", "scope_names")
    return {
        **{name: getattr(app, name) for name in (*columns, "product_uris", "return_urls")},
        "secret": credential and credential.value and credential.value.reveal("test"),
        "ends": credential and credential.ends_at and f"{credential.ends_at:%Y-%m-%d}",
    }


@pytest.mark.parametrize("kind", BOTH)
def test_an_export_without_secrets_changes_nothing(client, tenant, kind) -> None:
    client.force_login(make_superuser())
    apps = [
        make_full(tenant),
        make_exportable(shared=True, audience="AzureADMultipleOrgs", directory="", uris=(), scopes=()),
        end(make_full(make_tenant("Fabrikam"), cloud="china"), days=-40),
        fresh(make_registration(tenant, name="No secret yet")),
    ]
    before = [held(app) for app in apps]
    taken = checked(upload(client, written(apps, kind), f"registrations.{kind}"))
    assert errors(taken) == []
    assert counts(taken) == {"unchanged": 4}
    assert [held(app) for app in apps] == before


@pytest.mark.parametrize("kind", BOTH)
def test_an_export_with_secrets_brings_everything_where_nothing_is(client, tenant, kind) -> None:
    app = make_full(tenant)
    before, text = held(app), text_of(with_secret(app, kind))
    AppRegistration.objects.update(archived_at=timezone.now())
    write(client, checked(upload(client, text, f"registrations.{kind}")))
    assert held(AppRegistration.objects.get(archived_at=None)) == before


@pytest.mark.parametrize("kind", BOTH)
def test_what_was_edited_in_an_export_is_what_changes(client, tenant, kind) -> None:
    apps = [make_full(tenant, name=f"Mail {number}") for number in range(3)]
    text = written(apps, kind).replace("https://b.example/?page=home", "https://c.example/").replace("Mail 2", "Post")
    taken = checked(upload(client, text, f"registrations.{kind}"))
    assert [sorted(row.changes) for row in taken.rows.order_by("number")] == [
        ["product_uris"],
        ["product_uris"],
        ["name", "product_uris"],
    ]
    write(client, taken)
    assert {held(app)["product_uris"][1] for app in apps} == {"https://c.example/"}
    assert {held(app)["secret"] is None for app in apps} == {False}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"format": 2, "registrations": []}, "This is an export of another format than 1. Export it again."),
        ({"registrations": [{}]}, "This is an export of another format than 1."),
        ({"format": 1, "registrations": {}}, "The file must hold a list of objects"),
        ({"format": 1, "registrations": []}, "The file has no rows"),
        ({"format": 1, "registrations": ["x"]}, "Row 1 is not an object"),
        ({"format": 1, "registrations": [{"name": "x", "owner": "y"}]}, "Row 1: Unknown column: “owner”."),
        ({"format": 1, "registrations": [{"tenant": {"id": 1}}]}, "Row 1, tenant: this must be a text, or null."),
        ({"format": 1, "registrations": [{"cloud": {"key": ["a"]}}]}, "Row 1, cloud: this must be a text, or null."),
        ({"format": 1, "registrations": [{"scopes": [{"permission": "x"}]}]}, "a list there may hold texts only"),
        ({"format": 1, "registrations": [{"redirect_uris": {"products": 1.5}}]}, "Row 1, product_uris: this must be"),
        ({"format": 1, "registrations": [{"client_secret": 12345678}]}, "Row 1, client_secret: this must be a text"),
    ],
)
def test_a_document_that_is_no_export_is_refused_with_a_way_out(client, tenant, document, words) -> None:
    assert words in refusal(client, json.dumps(document), "registrations.json")


# A Cypht's .env


@pytest.mark.parametrize("audience", AppRegistration.Audience.values)
def test_what_cypht_was_given_comes_back_as_it_is_stored(client, tenant, audience) -> None:
    app = make_exportable(tenant, audience=audience, scopes=("IMAP.AccessAsUser.All",))
    for export in (exported(app, "cypht"), with_secret(app, "cypht")):
        taken = checked(upload(client, text_of(export), ".env", tenant=tenant.pk))
        assert counts(taken) == {"unchanged": 1}


@pytest.mark.parametrize("audience", AppRegistration.Audience.values)
def test_elsewhere_it_becomes_a_registration_for_the_same_people(client, tenant, audience) -> None:
    secret = make_secret()
    text = text_of(with_secret(make_exportable(tenant, audience=audience, secret=secret), "cypht"))
    AppRegistration.objects.update(archived_at=timezone.now())
    assert counts(checked(taken := upload(client, text, ".env", tenant=tenant.pk))) == {"new": 1}
    write(client, taken)
    made = AppRegistration.objects.get(archived_at=None)
    value = made.credentials.get().value
    assert value is not None
    assert (made.audience, value.reveal("test")) == (audience, secret)
