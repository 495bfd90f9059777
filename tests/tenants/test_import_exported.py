"""What an export wrote comes back through an import: nothing is lost by it, least of all a secret."""

import pytest
from django.utils import timezone

from tenants.models import AppRegistration, Tenant
from tenants.models.credential import LEFT_OUT
from tests.factories import make_credential, make_operator, make_registration, make_secret, make_tenant
from tests.tenants.exporting import exported, make_exportable, text_of, with_secret
from tests.tenants.uploads import NEXT_YEAR, as_csv, as_json, check, checked, counts, errors, row, upload, write

pytestmark = pytest.mark.django_db


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
