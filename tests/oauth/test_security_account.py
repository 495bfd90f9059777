"""Whose account it is: nobody but the one a link is for gets in, and who is refused changes nothing."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection as database
from django.test import Client

from oauth.models import Connection, ConsentAttempt, Link, Mail
from tenants.clouds import Cloud
from tenants.models import Event
from tests.factories import make_connection, make_link
from tests.oauth.consenting import World, consent, go


def stored() -> list[tuple[Any, ...]]:
    """Every connection, byte for byte."""
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM oauth_connection ORDER BY id")
        return list(cursor.fetchall())


def relink(world: World, **fields: Any) -> World:
    """The same world with another link."""
    world.link, world.token = make_link(world.registration, tenant=world.link.tenant, **fields)
    return world


def reconnecting(world: World) -> Connection:
    """Ada's connection, dead, and a link to reconnect it."""
    connection = make_connection(
        world.registration,
        tenant=world.link.tenant,
        tid=world.directory["id"],
        oid=world.person["oid"],
        address="ada@contoso.example",
        token_status="dead",
    )
    relink(world, purpose=Link.Purpose.RECONNECT, connection=connection)
    return connection


def ended(attempt: ConsentAttempt) -> tuple[str, str]:
    return attempt.outcome, attempt.fault_kind


def refused(world: World, **how: Any) -> tuple[str, str]:
    """How a consent ends that must leave everything as it was."""
    before = stored()
    attempt = consent(Client(), world, **how)
    assert stored() == before
    assert attempt.connection is None
    assert Link.objects.get(pk=world.link.pk).uses == 0
    assert not Event.objects.filter(verb__in=["connected", "reconnected"]).exists()
    return ended(attempt)


# To reconnect one account


def test_the_same_account_reconnects_its_own_connection(world: World) -> None:
    dead = reconnecting(world)

    attempt = consent(Client(), world)

    again = Connection.objects.get()
    assert (attempt.outcome, again.pk, again.token_status) == ("connected", dead.pk, "active")


@pytest.mark.parametrize(("same_tid", "same_oid"), [(True, False), (False, True), (False, False)])
def test_another_account_reconnects_nothing(world: World, cloud: Cloud, same_tid: bool, same_oid: bool) -> None:
    reconnecting(world)
    other = world.microsoft.add_person(world.directory["id"], "Mallory", "mallory@contoso.example")
    if not same_tid:
        # Microsoft would not let such an account come this far: what is tested is that we do not rest on that.
        tid = str(uuid4())
        world.microsoft.set_fault("id_token", change={"tid": tid, "iss": cloud.issuer(tid)})

    outcome, kind = refused(world, oid="" if same_oid else other["oid"])

    assert (outcome, kind) == ("rejected", "wrong_account" if same_tid else "wrong_directory")
    assert Connection.objects.count() == 1


def test_the_same_name_on_another_account_reconnects_nothing(world: World) -> None:
    reconnecting(world)
    other = world.microsoft.add_person(world.directory["id"], "Ada Lovelace", "ada2@contoso.example")
    world.microsoft.set_fault("id_token", change={"preferred_username": "ada@contoso.example"})

    assert refused(world, oid=other["oid"]) == ("rejected", "wrong_account")


def test_an_account_with_a_new_name_is_still_the_same(world: World) -> None:
    dead = reconnecting(world)
    world.microsoft.set_fault("id_token", change={"preferred_username": "ada.king@contoso.example"})

    attempt = consent(Client(), world)

    assert attempt.outcome == "connected"
    assert (Connection.objects.get().pk, Connection.objects.get().address) == (dead.pk, "ada.king@contoso.example")


def test_who_sent_the_link_hears_once_of_another_account(world: World) -> None:
    reconnecting(world)
    other = world.microsoft.add_person(world.directory["id"], "Mallory", "mallory@contoso.example")
    for _ in range(3):
        refused(world, oid=other["oid"])

    mail = Mail.objects.get(kind=Mail.Kind.MISMATCH)
    assert mail.address == "ops@example.com"
    assert "mallory" not in mail.text


# Pinned by a link


def pinned(world: World, pin: str) -> World:
    """A link for one directory, with a domain that nobody asked about before: the answer is kept for an hour."""
    world.directory = world.microsoft.add_directory("Alder", f"alder-{uuid4().hex[:8]}.example")
    world.person = world.microsoft.add_person(world.directory["id"], "Ada", f"ada@{world.directory['domain']}")
    return relink(world, expected_directory=world.directory[pin])


@pytest.mark.parametrize("written", ["ada@contoso.example", "ADA@Contoso.Example"])
def test_the_expected_account_comes_in(open_world: World, written: str) -> None:
    world = relink(open_world, expected_address=written)

    assert consent(Client(), world).outcome == "connected"


def test_an_expected_account_is_proposed_to_microsoft(open_world: World) -> None:
    auth_uri = go(Client(), relink(open_world, expected_address="ada@contoso.example"))

    assert "login_hint=ada%40contoso.example" in auth_uri
    assert "prompt=" not in auth_uri


def test_another_account_than_expected_is_refused(open_world: World) -> None:
    world = relink(open_world, expected_address="ada@contoso.example")
    other = world.microsoft.add_person(world.directory["id"], "Mallory", "mallory@contoso.example")

    assert refused(world, oid=other["oid"]) == ("rejected", "wrong_account")
    assert Mail.objects.filter(kind=Mail.Kind.MISMATCH).count() == 1


@pytest.mark.parametrize("pin", ["id", "domain"])
def test_the_expected_directory_comes_in(open_world: World, pin: str) -> None:
    world = pinned(open_world, pin)

    assert consent(Client(), world).outcome == "connected"


@pytest.mark.parametrize("pin", ["id", "domain"])
def test_another_directory_than_expected_is_refused(open_world: World, cloud: Cloud, pin: str) -> None:
    world = pinned(open_world, pin)
    tid = str(uuid4())
    world.microsoft.set_fault("id_token", change={"tid": tid, "iss": cloud.issuer(tid)})

    outcome, kind = refused(world)

    assert (outcome, kind in ("iss", "wrong_directory")) == ("rejected", True)


def test_a_single_tenant_registration_takes_no_account_of_another_directory(world: World, cloud: Cloud) -> None:
    tid = str(uuid4())
    world.microsoft.set_fault("id_token", change={"tid": tid, "iss": cloud.issuer(tid)})

    assert refused(world)[0] == "rejected"


def test_a_guest_is_refused(open_world: World) -> None:
    fabrikam = open_world.microsoft.add_directory("Fabrikam", "fabrikam.example")
    home = open_world.microsoft.add_person(fabrikam["id"], "Grace", "grace@fabrikam.example")
    guest = open_world.microsoft.add_guest(open_world.directory["id"], home["oid"])
    world = relink(open_world, expected_directory=open_world.directory["id"])

    assert refused(world, oid=guest["oid"]) == ("rejected", "guest")


# An address that somebody made up


def test_an_email_that_another_directory_made_up_satisfies_no_pin(open_world: World) -> None:
    evil = open_world.microsoft.add_directory("Evil", "evil.example")
    mallory = open_world.microsoft.add_person(evil["id"], "Mallory", "mallory@evil.example")
    open_world.microsoft.set_mail(mallory["oid"], "ada@contoso.example")
    world = relink(open_world, expected_address="ada@contoso.example")

    assert refused(world, oid=mallory["oid"]) == ("rejected", "wrong_account")


def test_a_made_up_email_satisfies_no_pin_where_no_username_comes(open_world: World) -> None:
    evil = open_world.microsoft.add_directory("Evil", "evil.example")
    mallory = open_world.microsoft.add_person(evil["id"], "Mallory", "mallory@evil.example")
    change = {"email": "ada@contoso.example"}
    open_world.microsoft.set_fault("id_token", change=change, remove=["preferred_username"])
    world = relink(open_world, expected_address="ada@contoso.example")

    assert refused(world, oid=mallory["oid"]) == ("rejected", "wrong_account")


def test_an_email_counts_where_the_directory_is_pinned(open_world: World) -> None:
    open_world.microsoft.set_mail(open_world.person["oid"], "ada.lovelace@contoso.example")
    pins = {"expected_address": "ada.lovelace@contoso.example", "expected_directory": open_world.directory["id"]}

    assert consent(Client(), relink(open_world, **pins)).outcome == "connected"


def test_an_account_is_known_by_its_ids_and_not_by_its_address(open_world: World) -> None:
    link = {"max_uses": 2}
    first = consent(Client(), relink(open_world, **link)).connection
    evil = open_world.microsoft.add_directory("Evil", "evil.example")
    mallory = open_world.microsoft.add_person(evil["id"], "Mallory", "mallory@evil.example")
    open_world.microsoft.set_fault("id_token", change={"preferred_username": "ada@contoso.example"})
    before = stored()

    second = consent(Client(), open_world, oid=mallory["oid"]).connection

    assert second != first
    assert [row for row in stored() if row in before] == before
