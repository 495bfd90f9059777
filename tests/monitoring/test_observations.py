"""From what a batch found out to what is said: which secrets are told of, what rules what out, in how many queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from monitoring import observations
from monitoring.models import Alert, Finding
from monitoring.observations import Result
from oauth import health
from oauth.entra import Grant
from oauth.health import Verdict
from oauth.models import AdminGrant, Connection
from oauth.signals import Seen
from tenants.models import AppRegistration, Credential, ScopeSelection
from tests.factories import make_connection, make_credential, make_registration, make_tenant

from .conftest import World, check

pytestmark = pytest.mark.django_db

SIGNED_IN = Verdict(ruled_out=health.RULED_OUT_BY_SIGN_IN)
REFUSED = Verdict(
    incident=Seen("secret_invalid", "operator", "Wrong.", "Mend it.", inhibits=True), ruled_out=health.BEFORE_ASKING
)
EXPIRED = Verdict(
    incident=Seen("secret_ending", "operator", "Over.", "Mend it.", inhibits=True, step=1000),
    ruled_out=health.BEFORE_ASKING,
)
NOT_ASKED = Verdict(is_checked=False)
DISABLED = Seen("account_disabled", "tenant_admin", "It is off.", "Switch it on.", severity="warning")


def renewed(*scopes: str) -> Verdict:
    grant = Grant(refresh_token="not-a-real-token", scopes=scopes, identity=None)  # noqa: S106
    return Verdict(ruled_out=None, status="active", grant=grant)


def tell(*looks: tuple[AppRegistration | Connection, Verdict]) -> None:
    results = []
    for row, verdict in looks:
        row = type(row).objects.select_related("tenant").get(pk=row.pk)  # type: ignore[union-attr]
        registration = row if isinstance(row, AppRegistration) else row.registration
        results.append((Result(row, verdict, registration.credentials.current().first()), verdict))
    with transaction.atomic():
        observations.tell(results, timezone.now())


def told_of() -> set[Any]:
    """The secrets whose end is an open finding."""
    return {finding.credential for finding in Finding.objects.open().filter(kind="secret_ending")}


@pytest.fixture
def registration() -> AppRegistration:
    return make_registration()


# Every live secret


def add(registration: AppRegistration, slot: str, days_left: float, **fields: Any) -> Credential:
    fields = {"ends_at": timezone.now() + timedelta(days=days_left), "hint": slot[:3], **fields}
    return Credential.objects.create(registration=registration, slot=slot, **fields)


@pytest.mark.parametrize("slot", ["next", "current", "previous"])
def test_every_live_secret_is_told_of(registration, slot):
    credential = add(registration, slot, 5)
    tell((registration, SIGNED_IN))
    assert told_of() == {credential}


def test_a_secret_that_is_retired_or_removed_is_not_told_of_and_no_longer(registration):
    ending = make_credential(registration, days_left=5)
    make_connection(registration)
    tell((registration, SIGNED_IN))
    assert told_of() == {ending}
    add(registration, "", 5)
    add(registration, "next", 5, removed_at=timezone.now())
    Credential.objects.filter(pk=ending.pk).update(slot="")
    tell((registration, SIGNED_IN))
    assert told_of() == set()
    assert Finding.objects.get().resolved_at


def test_what_has_a_working_successor_is_not_told_of_and_no_longer(registration):
    old = make_credential(registration, days_left=5)
    tell((registration, SIGNED_IN))
    assert told_of() == {old}
    new = make_credential(registration, days_left=300)
    tell((registration, SIGNED_IN))
    assert told_of() == set()
    assert Credential.objects.get(pk=new.pk).worked_at
    tell((registration, NOT_ASKED))  # that it worked stays known
    assert told_of() == set()


def test_a_successor_counts_once_it_has_signed_in_and_not_while_it_is_refused(registration):
    old = make_credential(registration, days_left=5)
    new = make_credential(registration, days_left=300)
    tell((registration, NOT_ASKED))
    assert told_of() == {old}
    tell((registration, REFUSED))
    assert told_of() == {old}
    tell((registration, SIGNED_IN))
    assert told_of() == set()
    tell((registration, REFUSED))
    assert told_of() == {old}
    tell((registration, NOT_ASKED))  # refused, as far as is known
    assert told_of() == {old}
    assert Credential.objects.get(pk=new.pk).worked_at


def test_a_successor_that_ends_sooner_is_none(registration):
    old = make_credential(registration, days_left=20)
    new = make_credential(registration, days_left=10)
    tell((registration, SIGNED_IN))
    assert told_of() == {old, new}


def test_a_successor_that_was_removed_at_microsoft_is_none(registration):
    current = add(registration, "current", 5)
    add(registration, "next", 300, worked_at=timezone.now(), removed_at=timezone.now())
    tell((registration, SIGNED_IN))
    assert told_of() == {current}


def test_a_replaced_secret_is_no_successor_of_the_one_that_signs_in(registration):
    add(registration, "previous", 300, worked_at=timezone.now())
    current = add(registration, "current", 5, worked_at=timezone.now())
    tell((registration, SIGNED_IN))
    assert told_of() == {current}


def test_the_next_one_is_once_it_works_but_not_of_a_current_one_that_has_ended(registration):
    current = add(registration, "current", 5)
    upcoming = add(registration, "next", 300)
    tell((registration, SIGNED_IN))
    assert told_of() == {current}
    Credential.objects.filter(pk=upcoming.pk).update(worked_at=timezone.now())
    tell((registration, SIGNED_IN))
    assert told_of() == set()
    Credential.objects.filter(pk=current.pk).update(ends_at=timezone.now() - timedelta(days=1))
    tell((registration, SIGNED_IN))
    assert told_of() == {current}


def test_one_that_was_replaced_and_ended_unnoticed_is_not_dug_up(registration):
    add(registration, "previous", -30)
    add(registration, "current", 300)
    tell((registration, NOT_ASKED))
    assert told_of() == set()


def test_what_a_replaced_secret_wants_is_another_thing(registration):
    make_credential(registration, days_left=5)
    make_credential(registration, days_left=300)
    tell((registration, NOT_ASKED))
    assert "the new one is not known to work yet" in Finding.objects.get().remedy


def test_a_tenants_own_days_count():
    registration = make_registration(make_tenant(warn_days=[4]))
    make_credential(registration, days_left=20)
    other = make_credential(make_registration(), days_left=20)
    tell((registration, SIGNED_IN), (other.registration, SIGNED_IN))
    assert told_of() == {other}


def test_when_a_secret_signed_in_is_written_down(registration):
    refused, silent = make_registration(), make_registration()
    for each in (registration, refused, silent):
        make_credential(each)
    tell((registration, SIGNED_IN), (refused, REFUSED), (silent, NOT_ASKED))
    assert Credential.objects.exclude(worked_at=None).get().registration == registration


def test_where_the_registration_cannot_sign_in_a_renewed_connection_proves_its_secret():
    registration = make_registration(directory="", audience="AzureADMultipleOrgs")
    old, new = make_credential(registration, days_left=5), make_credential(registration)
    connection = make_connection(registration)
    tell((registration, NOT_ASKED))
    assert told_of() == {old}
    tell((connection, renewed("Mail.Read")))
    assert Credential.objects.get(pk=new.pk).worked_at
    tell((registration, NOT_ASKED))
    assert told_of() == set()


# Drift


def missing() -> list[Connection]:
    return [finding.connection for finding in Finding.objects.open().filter(kind="scopes_missing")]


def test_what_was_ticked_since_is_missing_until_it_is_granted(registration):
    connection = make_connection(registration)
    tell((connection, renewed("Mail.Read", "User.Read")))
    assert missing() == []
    ScopeSelection.objects.create(registration=registration, scope="Mail.Send")
    tell((connection, renewed("Mail.Read", "User.Read")))
    assert missing() == [connection]
    tell((connection, renewed("Mail.Read", "Mail.Send")))
    assert missing() == []


def test_further_missing_scopes_are_told_in_its_words_and_not_announced_again(registration):
    connection = make_connection(registration)
    for scope in ("Mail.Send", "Calendar.ReadOnly"):
        ScopeSelection.objects.create(registration=registration, scope=scope)
        tell((connection, renewed("Mail.Read")))
    assert "Calendar.ReadOnly" in Finding.objects.get().what
    assert Alert.objects.count() == 1


def test_unknown_grants_open_nothing_close_nothing_and_close_all_else(registration):
    connection = make_connection(registration, scopes_granted=[])
    ScopeSelection.objects.create(registration=registration, scope="Mail.Send")
    tell((connection, renewed()))
    assert missing() == []
    tell((connection, renewed("Mail.Read")))
    tell((connection, Verdict(faults=(DISABLED,), status="invalid")))
    assert Finding.objects.open().count() == 2
    tell((connection, renewed()))
    assert Finding.objects.open().get().kind == "scopes_missing"


def test_where_the_answer_names_none_what_was_granted_before_counts(registration):
    connection = make_connection(registration, scopes_granted=["User.Read"])
    tell((connection, renewed()))
    assert missing() == [connection]


@pytest.mark.parametrize(
    "verdict",
    [NOT_ASKED, Verdict(faults=(DISABLED,), status="invalid", blocked="account_disabled"), Verdict(status="dead")],
    ids=["not asked", "blocked", "dead"],
)
def test_who_was_not_renewed_is_not_nagged(registration, verdict):
    ScopeSelection.objects.create(registration=registration, scope="Mail.Send")
    tell((make_connection(registration), verdict))
    assert missing() == []


# Idle sign-ins


def idle(days: float, **fields: Any) -> Connection:
    return make_connection(refreshed_at=timezone.now() - timedelta(days=days), **fields)


def idle_steps() -> list[int]:
    return [alert.step for alert in Alert.objects.filter(finding__kind="token_idle").order_by("pk")]


def test_one_that_cannot_be_renewed_is_told_of_towards_its_end_and_over_when_it_can():
    connection, refused = idle(77), Verdict(faults=(DISABLED,), status="invalid", blocked="account_disabled")
    tell((connection, refused))
    tell((connection, refused))
    Connection.objects.update(refreshed_at=timezone.now() - timedelta(days=84))
    tell((connection, refused))
    assert idle_steps() == [986, 993]
    tell((connection, renewed("Mail.Read")))
    assert idle_steps() == [986, 993, 0]


def test_one_that_is_renewed_or_dead_is_not_told_of():
    tell((idle(89), renewed("Mail.Read")))
    connection = idle(80)
    tell((connection, Verdict(faults=(DISABLED,), status="invalid")))
    assert Finding.objects.open().filter(kind="token_idle").exists()
    tell((connection, Verdict(faults=(DISABLED,), status="dead")))
    assert not Finding.objects.open().filter(kind="token_idle").exists()


def test_a_broken_registration_speaks_for_its_connections_in_one_finding_that_gets_worse(registration):
    make_credential(registration)
    connections = [idle(70, registration=registration) for _ in range(3)]
    Connection.objects.filter(pk=connections[0].pk).update(refreshed_at=timezone.now() - timedelta(days=76))
    tell((registration, REFUSED), *((connection, NOT_ASKED) for connection in connections))
    assert "3 connections are not renewed" in Finding.objects.get().what
    Connection.objects.filter(pk=connections[0].pk).update(refreshed_at=timezone.now() - timedelta(days=83.2))
    tell((registration, REFUSED))
    tell((registration, REFUSED))
    assert list(Alert.objects.order_by("pk").values_list("step", flat=True)) == [87, 94]
    tell((registration, SIGNED_IN))
    assert not Finding.objects.open().exists()


def test_a_refused_expired_secret_gets_worse_too(registration):
    make_credential(registration)
    connection = idle(10, registration=registration)
    tell((registration, EXPIRED))
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=timezone.now() - timedelta(days=87))
    tell((registration, EXPIRED))
    assert list(Alert.objects.order_by("pk").values_list("step", flat=True)) == [1000, 1097]


def test_of_a_shared_registration_no_tenants_administrator_is_asked_to_act():
    off = Seen("app_disabled", "tenant_admin", "It is off.", "Switch it on.", inhibits=True)
    verdict = Verdict(incident=off, ruled_out=health.BEFORE_ASKING)
    shared, own = make_registration(shared=True), make_registration()
    tell((shared, verdict), (own, verdict))
    actors = dict(Finding.objects.values_list("registration", "actor"))
    assert actors == {shared.pk: "operator", own.pk: "tenant_admin"}


# Approvals


def approval(registration: AppRegistration, **fields: Any) -> AdminGrant:
    of = {"registration": registration, "tenant": registration.tenant, "client_id": registration.client_id}
    read = {"status": "verified", "verified_at": timezone.now() - timedelta(hours=23), "looks": 4}
    return AdminGrant.objects.create(tid="1b2c3d4e-0000-0000-0000-000000000000", **{**of, **read, **fields})


@pytest.mark.parametrize(
    ("fields", "verdict", "is_read"),
    [
        ({}, SIGNED_IN, True),
        ({}, REFUSED, False),
        ({"status": "seen", "verified_at": None}, SIGNED_IN, False),
        ({"verified_at": timezone.now()}, SIGNED_IN, False),
    ],
    ids=["verified", "of one that cannot sign in", "never verified", "read today"],
)
def test_what_was_read_from_a_directory_is_read_again_at_night(registration, fields, verdict, is_read):
    make_credential(registration)
    grant = approval(registration, **fields)
    tell((registration, verdict))
    grant.refresh_from_db()
    assert ((grant.look_at is not None), grant.looks) == ((True, 0) if is_read else (False, 4))


# Numbers


def test_a_healthy_batch_costs_the_same_however_many_are_in_it():
    def cost(number: int) -> int:
        registrations = [make_registration() for _ in range(number)]
        looks: list[tuple[Result, Verdict]] = []
        for registration in registrations:
            add(registration, "previous", 5)
            credential, connection = make_credential(registration), make_connection(registration)
            looks += [(Result(registration, SIGNED_IN, credential), SIGNED_IN)]
            verdict = renewed("Mail.Read")
            looks += [(Result(connection, verdict, credential), verdict)]
        with transaction.atomic(), CaptureQueriesContext(database) as queries:
            observations.tell(looks, timezone.now())
        return len(queries)

    assert cost(2) == cost(20) <= 6
    assert not Finding.objects.exists()


# End to end


def test_a_secret_that_microsoft_takes_silences_the_one_it_replaced(world: World) -> None:
    Credential.objects.update(ends_at=timezone.now() + timedelta(days=5))
    check()
    assert told_of() == {world.credential}
    world.new_secret()
    check()
    assert told_of() == set()


def test_a_scope_that_is_ticked_later_is_found_missing_at_the_next_check(world: World) -> None:
    connection = world.connect()
    check()
    assert missing() == []
    ScopeSelection.objects.create(registration=world.registration, scope="Mail.Send")
    check()
    assert missing() == [connection]


def test_an_application_that_is_off_in_its_own_directory_is_told_so(world: World) -> None:
    world.microsoft.disable_app(world.app["client_id"], world.directory["id"])
    check()
    finding = Finding.objects.open().get()
    assert finding.kind == "app_disabled"
    assert f"That directory, {world.directory['id']}, is its own." in finding.what
    assert finding.inhibits
