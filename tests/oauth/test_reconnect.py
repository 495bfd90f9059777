"""A link for one connection: the same person brings the same record back to life, and nobody else touches it."""

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from monitoring.models import Finding, Sweep
from oauth.models import Connection, Link, Mail
from tenants.models import Event
from tests.factories import make_link, make_superuser
from tests.monitoring.conftest import check
from tests.oauth.consenting import World, consent, make_world


@pytest.fixture
def connected(client, world) -> World:
    """The person has consented; the world's link is now one to reconnect, handed to somebody's fresh browser."""
    connection = consent(client, world).connection
    Mail.objects.all().delete()
    return reconnecting(world, connection)


def reconnecting(world: World, connection: Connection) -> World:
    world.link, world.token = make_link(
        world.registration, tenant=connection.tenant, purpose="reconnect", connection=connection
    )
    return world


def stored() -> Connection:
    return Connection.objects.get()


# The same person


def test_the_same_person_updates_the_same_record(connected):
    before = stored()

    attempt = consent(Client(), connected)

    assert attempt.outcome == "connected"
    assert stored() == before == attempt.connection
    assert stored().refresh_token.reveal("test") != before.refresh_token.reveal("test")
    assert stored().connected_at > before.connected_at
    assert Link.objects.get(pk=connected.link.pk).uses == 1


def test_it_is_in_the_history_as_a_reconnect(connected):
    consent(Client(), connected)

    assert Event.objects.get(verb="reconnected").subject_id == str(stored().pk)
    assert Event.objects.filter(verb="connected").count() == 1


def test_a_dead_connection_comes_alive_and_its_fault_is_over(connected):
    connected.microsoft.revoke_sessions(connected.person["oid"])
    check(Sweep.ALL)
    assert stored().token_status == "dead"
    assert Finding.objects.open().get().connection == stored()

    consent(Client(), connected)

    assert stored().token_status == "active"
    assert not Finding.objects.open().exists()
    assert check(Sweep.ALL).done == 2
    assert stored().token_status == "active"


def test_a_disconnected_one_comes_back(connected):
    Connection.objects.all().disconnect()
    assert stored().refresh_token is None

    attempt = consent(Client(), connected)

    assert attempt.outcome == "connected"
    assert stored().disconnected_at is None
    assert stored().refresh_token.reveal("test")


def test_what_the_account_is_called_now_is_what_is_kept(connected):
    Connection.objects.update(address="ada.byron@contoso.example", person="Ada Byron")

    consent(Client(), connected)

    assert (stored().address, stored().person) == ("ada@contoso.example", "Ada Lovelace")


def test_scopes_asked_since_are_asked_and_kept(connected):
    connected.registration.scope_selections.create(scope="Mail.Send")

    consent(Client(), connected)

    assert "Mail.Send" in stored().scopes_asked
    assert "Mail.Send" in stored().scopes_granted


def test_a_reconnected_mailbox_is_told_again(connected):
    consent(Client(), connected)

    mail = Mail.objects.get()
    assert (mail.kind, mail.address) == ("notice", "ada@contoso.example")
    assert (mail.link.purpose, mail.link.connection) == ("disconnect", stored())


def test_a_personal_account_reconnects(db, site_url, microsoft, cloud):
    world = make_world(microsoft, cloud, audience="AzureADandPersonalMicrosoftAccount", directory="")
    world.person = microsoft.add_personal_account("Kim", "kim@outlook.example")
    first = consent(Client(), world).connection

    attempt = consent(Client(), reconnecting(world, first))

    assert (attempt.outcome, attempt.connection) == ("connected", first)


def test_a_link_for_anybody_reconnects_too(client, world):
    first = consent(client, world).connection
    world.link, world.token = make_link(world.registration)

    assert consent(Client(), world).connection == first


# Somebody else


def test_another_person_is_refused_and_the_stored_token_is_untouched(connected):
    other = connected.microsoft.add_person(connected.directory["id"], "Grace", "grace@contoso.example")
    before = Connection.objects.values().get()

    attempt = consent(Client(), connected, oid=other["oid"])

    assert (attempt.outcome, attempt.fault_kind, attempt.connection) == ("rejected", "wrong_account", None)
    assert Connection.objects.values().get() == before
    assert Link.objects.get(pk=connected.link.pk).uses == 0


def test_another_person_who_took_the_address_over_is_refused(connected):
    # People leave, and their addresses are given to others: the object ID is what stays.
    connected.microsoft.set_fault(
        "id_token", grant_type="authorization_code", change={"preferred_username": "ada@contoso.example"}
    )
    other = connected.microsoft.add_person(connected.directory["id"], "Ada Second", "ada2@contoso.example")

    attempt = consent(Client(), connected, oid=other["oid"])

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "wrong_account")
    assert str(stored().oid) == connected.person["oid"]


@pytest.mark.parametrize(("differs", "reason"), [("oid", "wrong_account"), ("tid", "wrong_directory")])
def test_only_the_same_object_of_the_same_directory_counts(connected, differs, reason):
    connected.microsoft.set_fault("id_token", grant_type="authorization_code", change={differs: str(uuid.uuid4())})
    before = Connection.objects.values().get()

    attempt = consent(Client(), connected)

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", reason)
    assert Connection.objects.values().get() == before


def test_the_maker_hears_that_another_person_came(connected):
    maker = make_superuser()
    Link.objects.filter(pk=connected.link.pk).update(created_by=maker)
    other = connected.microsoft.add_person(connected.directory["id"], "Grace", "grace@contoso.example")

    consent(Client(), connected, oid=other["oid"])

    mail = Mail.objects.get()
    assert (mail.kind, mail.address) == ("mismatch", maker.email)
    assert "ada@contoso.example" in mail.text


def test_a_link_to_reconnect_ends_with_its_tenant_as_any_other(connected):
    type(connected.link.tenant).objects.update(suspended_at=timezone.now())

    assert Client().get(f"/c/{connected.token}/").status_code == 404
