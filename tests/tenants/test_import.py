"""An import from end to end: what it adds and changes, that it is all or nothing, and what history says of it."""

import uuid
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from oauth.models import Verification
from tenants.models import AppRegistration, Credential, Event, Import, ImportRow, Tenant
from tests.factories import (
    make_connection,
    make_credential,
    make_operator,
    make_registration,
    make_secret,
    make_superuser,
    make_tenant,
)
from tests.tenants.uploads import NEXT_YEAR, as_csv, as_json, check, checked, counts, errors, page, press, row, upload
from tests.tenants.uploads import write as write_it

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso", slug="contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


def revealed(registration: AppRegistration) -> str:
    credential = registration.credentials.current().get()
    assert credential.value is not None
    return credential.value.reveal("test")


def test_a_row_with_everything_becomes_a_registration(client, tenant) -> None:
    value, client_id = make_secret(), str(uuid.uuid4())
    given = row(
        tenant="contoso",
        name="Contoso Mail",
        cloud="Microsoft 365 worldwide",
        audience="single",
        directory="{AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE}",
        client_id=f"{{{client_id.upper()}}}",
        scopes="Mail.ReadWrite; calendar.read,Mail.Drafts",
        product_uris="https://mail.contoso.example/?page=home\nhttps://b.contoso.example/",
        return_urls="https://app.contoso.example/done",
        alert_emails="ops@contoso.example; a@contoso.example",
        client_secret=value,
        secret_ends_on="2099-01-31",
    )
    done = write_it(client, check(client, given))
    assert done.state == Import.State.DONE
    made = AppRegistration.objects.get()
    assert (made.tenant, made.name, made.cloud, made.client_id) == (tenant, "Contoso Mail", "global", client_id)
    assert (made.audience, made.directory) == ("AzureADMyOrg", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
    assert made.scope_names == ["Mail.ReadWrite", "Mail.Draft", "Calendar.ReadOnly"]
    assert made.product_uris == ["https://b.contoso.example/", "https://mail.contoso.example/?page=home"]
    assert made.return_urls == ["https://app.contoso.example/done"]
    assert made.alert_emails == ["ops@contoso.example", "a@contoso.example"]
    assert revealed(made) == value
    assert made.credentials.get().ends_at == datetime(2099, 1, 31, tzinfo=UTC)


def test_json_says_the_same_with_lists(client, tenant) -> None:
    given = row(scopes=["Mail.Send", "Tasks.Read"], product_uris=["https://a.example/?a=1,https://b"], cloud=None)
    write_it(client, checked(upload(client, as_json(given), "apps.json")))
    made = AppRegistration.objects.get()
    assert made.scope_names == ["Mail.Send", "Tasks.ReadOnly"]
    assert made.product_uris == ["https://a.example/?a=1,https://b"]


def test_nothing_is_written_before_the_button(client, tenant) -> None:
    taken = check(client, row(client_secret=make_secret(), secret_ends_on=NEXT_YEAR))
    assert taken.is_ready
    assert not AppRegistration.objects.exists()
    assert not Event.objects.exists()
    assert "Import 1 registration<" in page(client, taken)


def test_a_row_that_is_met_changes_what_it_names_and_nothing_else(client, tenant) -> None:
    stored = make_registration(tenant, name="Old", scopes=("Mail.Send",), alert_emails=["a@example.com"])
    credential = make_credential(stored)
    taken = check(client, {"client_id": stored.client_id.upper(), "name": "New", "scopes": "Mail.Send Mail.ReadOnly"})
    assert counts(taken) == {"changed": 1}
    assert taken.rows.get().changes == {
        "name": ["Old", "New"],
        "scopes": [["Mail.Send"], ["Mail.ReadOnly", "Mail.Send"]],
    }
    write_it(client, taken)
    stored = AppRegistration.objects.get()
    assert (stored.name, stored.scope_names) == ("New", ["Mail.ReadOnly", "Mail.Send"])
    assert (stored.alert_emails, stored.tenant) == (["a@example.com"], tenant)
    assert stored.credentials.get() == credential


def test_an_empty_cell_empties_and_keeps_the_secret(client, tenant) -> None:
    stored = make_registration(tenant, alert_emails=["a@example.com"], audience="AzureADMultipleOrgs")
    value = make_secret()
    make_credential(stored, value=value)
    given = row(name=stored.name, client_id=stored.client_id, directory="", scopes="", alert_emails="", audience="")
    write_it(client, check(client, {**given, "client_secret": "", "secret_ends_on": ""}))
    stored = AppRegistration.objects.get()
    assert (stored.directory, stored.scope_names, stored.alert_emails) == ("", [], [])
    assert stored.audience == "AzureADMultipleOrgs"
    assert revealed(stored) == value


def test_a_new_secret_takes_the_place_of_the_stored_one(client, tenant) -> None:
    stored = make_registration(tenant)
    old, value = make_credential(stored), make_secret()
    given = {"client_id": stored.client_id, "client_secret": value, "secret_ends_on": NEXT_YEAR}
    taken = check(client, given)
    assert taken.rows.get().changes["client_secret"] == ["", "new secret"]
    write_it(client, taken)
    assert revealed(stored) == value
    assert stored.credentials.get(slot=Credential.Slot.PREVIOUS) == old
    again = check(client, given)
    assert counts(again) == {"unchanged": 1}
    assert "Everything in the file is stored already." in page(client, again)


def test_the_stored_secret_s_day_alone_can_be_corrected(client, tenant) -> None:
    stored = make_registration(tenant)
    old = make_credential(stored)
    write_it(client, check(client, {"client_id": stored.client_id, "secret_ends_on": "2099-01-31"}))
    credential = stored.credentials.get()
    assert (credential.pk, credential.ends_at) == (old.pk, datetime(2099, 1, 31, tzinfo=UTC))


def test_addresses_that_are_not_named_any_more_are_taken_away(client, tenant) -> None:
    given = row(product_uris="https://a.example/ https://b.example/", return_urls="https://a.example/")
    write_it(client, check(client, given))
    write_it(client, check(client, {**given, "product_uris": "https://b.example/ https://c.example/"}))
    stored = AppRegistration.objects.get()
    assert stored.product_uris == ["https://b.example/", "https://c.example/"]
    assert stored.return_urls == ["https://a.example/"]


def test_all_or_nothing(client, tenant) -> None:
    taken = check(client, row(client_secret=make_secret(), secret_ends_on=NEXT_YEAR), row(name=""))
    assert counts(taken) == {"new": 1, "wrong": 1}
    assert errors(taken) == [[3, "name", "Give it the name it has in Entra."]]
    shown = page(client, taken)
    assert "Import 1 registration" not in shown
    assert "mend the file and upload it again" in shown
    press(client, taken)
    taken.refresh_from_db()
    assert taken.state == Import.State.CHECKED
    assert not AppRegistration.objects.exists()


def test_where_something_is_wrong_no_secret_is_kept(client, tenant) -> None:
    taken = check(client, row(client_secret=make_secret(), secret_ends_on=NEXT_YEAR), row(name=""))
    assert not taken.rows.filter(secret__isnull=False).exists()


def test_once_it_has_ended_nothing_of_the_file_is_left(client, tenant) -> None:
    done = write_it(client, check(client, row(client_secret=make_secret(), secret_ends_on=NEXT_YEAR)))
    cancelled = check(client, row(client_secret=make_secret(), secret_ends_on=NEXT_YEAR))
    press(client, cancelled, "cancel")
    cancelled.refresh_from_db()
    assert (done.state, cancelled.state) == (Import.State.DONE, Import.State.CANCELLED)
    assert not ImportRow.objects.exists()


def test_history_has_one_line_for_each_registration(client, tenant) -> None:
    stored = make_registration(tenant, name="Old", directory="a.example")
    old = make_credential(stored)
    value = make_secret()
    change = row(
        name="New", client_id=stored.client_id, directory="a.example", client_secret=value, secret_ends_on="2099-01-31"
    )
    done = write_it(client, check(client, change, row(name="Added")))
    assert {event.reason for event in Event.objects.all()} == {f"import {done.pk}"}
    assert {event.actor for event in Event.objects.all()} == {done.created_by}
    changed = Event.objects.get(verb="changed")
    assert (changed.subject_id, changed.tenant, changed.address) == (str(stored.pk), tenant, "127.0.0.1")
    assert changed.changes == {
        "name": ["Old", "New"],
        "client secret (value)": "changed",
        "client secret ends on": [f"{old.ends_at:%Y-%m-%d}", "2099-01-31"],
    }
    added = Event.objects.get(verb="added")
    assert (added.subject_name, added.changes["scopes"]) == ("Added", [None, ["Mail.ReadOnly"]])
    history = client.get(reverse("admin:tenants_appregistration_history", args=[stored.pk])).content.decode()
    assert f"Changed: import {done.pk}" in history
    assert "Old → New" in history
    assert "Added" in page(client, done)


def test_those_with_a_new_secret_are_told_to_whoever_tries_them(client, tenant) -> None:
    from tenants.signals import secrets_imported

    heard = []

    def hear(sender, registrations, by, **kwargs) -> None:
        heard.append((registrations, by))

    secrets_imported.connect(hear)
    done = write_it(
        client, check(client, row(), row(name="With", client_secret=make_secret(), secret_ends_on=NEXT_YEAR))
    )
    secrets_imported.disconnect(hear)
    stored = AppRegistration.objects.get(name="With")
    assert heard == [([stored.pk], done.created_by)]
    asked = Verification.objects.get()
    assert (asked.registration, asked.asked_by, asked.finished_at) == (stored, done.created_by, None)


def test_what_people_consented_to_is_met_and_stays(client, tenant) -> None:
    stored = make_registration(tenant)
    make_connection(stored)
    write_it(client, check(client, row(client_id=stored.client_id, name="New name", directory=stored.directory)))
    changed = AppRegistration.objects.get()
    assert (changed.name, changed.client_id, changed.cloud) == ("New name", stored.client_id, "global")


def test_the_same_client_id_in_another_cloud_is_another_registration(client, tenant) -> None:
    stored = make_registration(tenant)
    taken = check(client, row(client_id=stored.client_id, cloud="china"))
    assert counts(taken) == {"new": 1}


def test_an_archived_registration_is_not_met(client, tenant) -> None:
    stored = make_registration(tenant, archived_at=timezone.now())
    assert counts(check(client, row(client_id=stored.client_id, name=stored.name))) == {"new": 1}


def test_a_shared_one_is_for_those_who_see_the_platform(client, tenant) -> None:
    given = row(tenant="", audience="multi", directory="")
    assert "Name the tenant" in errors(check(client, given))[0][2]
    client.force_login(make_operator(platform=True))
    write_it(client, check(client, given))
    assert AppRegistration.objects.get().tenant is None


def test_a_registration_may_wait_for_its_client_id(client, tenant) -> None:
    write_it(client, check(client, row(client_id="", directory="")))
    assert AppRegistration.objects.get().client_id == ""


def test_what_looks_like_a_formula_is_text(client, tenant) -> None:
    write_it(client, check(client, row(name='=HYPERLINK("https://x.example","y")'), row(name="+1-2"), row(name="@a")))
    assert set(AppRegistration.objects.values_list("name", flat=True)) == {
        '=HYPERLINK("https://x.example","y")',
        "+1-2",
        "@a",
    }


def test_what_is_worth_a_second_look_is_said(client, tenant) -> None:
    taken = check(client, row(scopes="", client_secret=make_secret(), secret_ends_on="2099-01-31"))
    shown = page(client, taken)
    assert "at most 24 months" in shown
    assert "tick them on its page" in shown


def test_the_differences_are_paged(client, tenant) -> None:
    taken = checked(upload(client, as_csv(*(row(name=f"Many {number:03}") for number in range(60)))))
    assert "Many 049" in page(client, taken)
    assert "Many 050" not in page(client, taken)
    assert "Many 050" in page(client, taken, p=2)
    assert "Many 050" in page(client, taken, p="9999999")


def test_a_superuser_looks_on_and_cancels_and_imports_nobody_else_s(client, tenant) -> None:
    taken = check(client, row())
    client.force_login(make_superuser())
    assert "Import 1 registration" not in page(client, taken)
    assert "Only who uploaded it" in press(client, taken).content.decode()
    assert not AppRegistration.objects.exists()
    press(client, taken, "cancel")
    taken.refresh_from_db()
    assert taken.state == Import.State.CANCELLED
