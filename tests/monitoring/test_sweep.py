"""Checks against the sandbox, through the real MSAL: what is found, what is kept, who is told."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from monitoring.models import Alert, Delivery, Finding, Sweep
from oauth.entra import EntraClient
from oauth.id_token import PERSONAL
from oauth.models import Connection
from tenants.models import AppRegistration
from tenants.scopes import request_scopes
from tests.factories import make_connection, make_registration, make_tenant

from .conftest import World, check, work

PERSONAL_ONLY = AppRegistration.Audience.PERSONAL


def one_finding() -> Finding:
    return Finding.objects.open().get()


def night(world: World, days: int = 0) -> Sweep:
    return work(Sweep.objects.start_nightly(timezone.localdate() + timedelta(days=days)))


# All is well


def test_a_healthy_connection_is_active_and_keeps_the_new_token(world):
    connection = world.connect()
    old = connection.refresh_token.reveal("test")
    sweep = check()
    connection.refresh_from_db()
    assert (sweep.planned, sweep.done, sweep.failed, sweep.set_aside) == (2, 2, 0, 0)
    assert sweep.finished_at
    assert connection.token_status == "active"
    assert connection.refresh_token.reveal("test") != old
    assert "Mail.Read" in connection.scopes_granted
    assert not Finding.objects.exists()


def test_the_token_kept_one_night_works_the_next(world):
    connection = world.connect()
    tokens = set()
    for days in range(3):
        assert night(world, days).done == 2
        connection.refresh_from_db()
        tokens.add(connection.refresh_token.reveal("test"))
    assert len(tokens) == 3


def test_a_registration_signs_in_anew_each_time(world):
    for _ in range(3):
        check()
    asked = [request["grant_type"] for request in world.microsoft.token_requests()]
    assert asked == ["client_credentials"] * 3


def test_a_registration_is_asked_before_its_connections(world):
    world.connect()
    before = len(world.microsoft.token_requests())
    check()
    asked = [request["grant_type"] for request in world.microsoft.token_requests()[before:]]
    assert asked == ["client_credentials", "refresh_token"]


# The secret


def test_an_expired_secret_is_one_finding_told_once_and_once_more_when_mended(world):
    world.registration.alert_emails = ["one@example.com", "two@example.com"]
    world.registration.save()
    world.connect()
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])
    check()
    finding = one_finding()
    assert (finding.kind, finding.actor, finding.step) == ("secret_ending", "operator", 1000)
    assert finding.evidence["codes"] == [7000222]
    assert sorted(Delivery.objects.values_list("address", flat=True)) == ["one@example.com", "two@example.com"]

    check()
    assert Delivery.objects.count() == 2

    world.new_secret()
    check()
    assert not Finding.objects.open().exists()
    assert Delivery.objects.filter(alerts__step=0).count() == 2
    assert Delivery.objects.count() == 4


def test_a_secret_whose_date_has_passed_and_that_microsoft_refuses_is_one_finding(world):
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])
    world.credential.ends_at = timezone.now() - timedelta(days=1)
    world.credential.save()
    check()
    assert one_finding().inhibits


def test_what_microsoft_refused_is_not_taken_back_by_a_date_while_nobody_can_be_asked(world):
    world.credential.ends_at = timezone.now() + timedelta(days=20)
    world.credential.save()
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])
    check()
    world.microsoft.set_fault("down")
    sweep = Sweep.objects.start_nightly(timezone.localdate())
    with time_machine.travel(timezone.now(), tick=True) as clock:
        for _ in range(3):
            work(sweep)
            clock.shift(timedelta(hours=1))
    finding = Finding.objects.open().get(kind="secret_ending")
    assert (finding.severity, finding.step, finding.inhibits) == ("critical", 1000, True)


def test_a_wrong_secret_is_one_finding_and_touches_no_connection(world):
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    connections = [make_connection(world.registration, checked_at=None) for _ in range(30)]
    tokens = [connection.refresh_token for connection in connections]
    sweep = check()
    assert one_finding().kind == "secret_invalid"
    assert (sweep.done, sweep.failed) == (1, 30)
    assert [request["grant_type"] for request in world.microsoft.token_requests()] == ["client_credentials"]
    for connection, token in zip(connections, tokens, strict=True):
        connection.refresh_from_db()
        assert (connection.token_status, connection.blocked, connection.checked_at) == ("active", "", None)
        assert connection.refresh_token == token


def test_a_secret_refused_right_after_it_signed_in_has_the_registration_asked_again(world):
    connection = world.connect()
    world.microsoft.set_fault(7000215, client_id=world.app["client_id"], grant_type="refresh_token")
    sweep = check()
    connection.refresh_from_db()
    asked = [request["grant_type"] for request in world.microsoft.token_requests()]
    assert asked[-3:] == ["client_credentials", "refresh_token", "client_credentials"]
    assert (connection.token_status, connection.checked_at) == ("active", None)
    assert (sweep.planned, sweep.done, sweep.finished_at) == (3, 2, None)


def test_an_application_missing_in_one_customers_directory_is_no_fault_of_the_registration(world):
    connection, other = world.connect("Anna"), world.connect("Bert")
    world.microsoft.set_fault(700016, oid=str(connection.oid), grant_type="refresh_token")
    check()
    other.refresh_from_db()
    assert one_finding().connection == connection
    assert other.checked_at


# Personal accounts only


def personal(world: World) -> World:
    """As a registration for personal accounts only, with one that consented."""
    world.microsoft.set_app(world.app["client_id"], audience=PERSONAL_ONLY)
    world.registration.audience = PERSONAL_ONLY
    world.registration.save()
    return world


def connect_personal(world: World) -> Connection:
    kim = world.microsoft.add_personal_account("Kim", "kim@outlook.example")
    client = EntraClient(world.cloud, "consumers", world.app["client_id"], world.secret["value"])
    flow = client.begin(
        scopes=request_scopes(["Mail.ReadOnly"], world.cloud), redirect_uri=world.app["redirect_uris"][0]
    )
    grant = client.redeem(flow, world.microsoft.sign_in(flow["auth_uri"], kim["oid"]).fields)
    return make_connection(
        world.registration,
        refresh_token=grant.refresh_token,
        tid=PERSONAL,
        oid=kim["oid"],
        scopes_granted=list(grant.scopes),
    )


def test_one_for_personal_accounts_only_is_not_asked_and_opens_nothing(world):
    sweep = night(personal(world))
    assert (sweep.done, sweep.failed) == (1, 0)
    assert not world.microsoft.token_requests()
    assert not Finding.objects.exists()


def test_its_connections_prove_its_secret_or_tell_that_it_is_refused(world):
    connection = connect_personal(personal(world))
    night(world)
    connection.refresh_from_db()
    world.credential.refresh_from_db()
    assert connection.token_status == "active"
    assert world.credential.worked_at
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    night(world, 1)
    assert (one_finding().kind, one_finding().registration) == ("secret_invalid", world.registration)
    world.new_secret()
    night(world, 2)
    assert not Finding.objects.open().exists()


def test_its_secrets_end_is_announced_all_the_same(world):
    world.credential.ends_at = timezone.now() + timedelta(days=5)
    world.credential.save()
    night(personal(world))
    assert one_finding().kind == "secret_ending"


# A connection


def test_a_revoked_person_must_reconnect(world):
    connection = world.connect()
    world.microsoft.revoke_sessions(str(connection.oid))
    check()
    connection.refresh_from_db()
    finding = one_finding()
    assert connection.token_status == "dead"
    assert (finding.connection, finding.kind, finding.actor) == (connection, "grant_revoked", "mailbox_owner")


def test_a_dead_connection_is_not_asked_again_and_its_finding_stays(world):
    connection = world.connect()
    world.microsoft.revoke_sessions(str(connection.oid))
    check()
    asked = len(world.microsoft.token_requests())
    sweep = check()
    assert (sweep.planned, sweep.done) == (2, 2)
    assert len(world.microsoft.token_requests()) == asked + 1  # the registration's own
    assert one_finding().connection == connection
    assert Delivery.objects.count() == 1


def test_a_disabled_account_is_blocked_until_its_administrator_enables_it(world):
    connection = world.connect()
    world.microsoft.disable_person(str(connection.oid))
    check()
    connection.refresh_from_db()
    assert (connection.token_status, connection.blocked) == ("invalid", "account_disabled")
    assert one_finding().actor == "tenant_admin"

    world.microsoft.enable_person(str(connection.oid))
    check()
    connection.refresh_from_db()
    assert (connection.token_status, connection.blocked) == ("active", "")
    assert not Finding.objects.open().exists()


def test_a_token_for_another_account_is_not_kept(world):
    connection = world.connect()
    token = connection.refresh_token
    world.microsoft.set_fault("id_token", change={"oid": "00000000-0000-0000-0000-000000000001"})
    check()
    connection.refresh_from_db()
    assert one_finding().kind == "other_account"
    assert connection.refresh_token == token


# No answer


@pytest.mark.parametrize("what", ["down", "throttled", "html", "empty", "garbage", "drop"])
def test_what_is_no_answer_is_no_verdict(world, what):
    connection = world.connect()
    world.microsoft.set_fault(what, grant_type="refresh_token")
    sweep = check()
    connection.refresh_from_db()
    assert (connection.token_status, connection.checked_at, connection.lease_by) == ("active", None, None)
    assert connection.next_at > timezone.now()
    assert connection.tries == (0 if what == "throttled" else 1)
    assert sweep.finished_at is None
    assert not Finding.objects.exists()


def test_a_check_that_cannot_be_made_is_a_finding_of_its_own_and_resolves_no_other(world, settings):
    settings.UNANSWERED_NIGHTS = 1
    connection = world.connect()
    world.microsoft.disable_person(str(connection.oid))
    check()
    world.microsoft.set_fault("down", grant_type="refresh_token")
    sweep = Sweep.objects.start_nightly(timezone.localdate())
    with time_machine.travel(timezone.now(), tick=True) as clock:
        for _ in range(3):
            assert work(sweep).finished_at is None or sweep.set_aside
            clock.shift(timedelta(hours=1))
    kinds = set(Finding.objects.open().values_list("kind", flat=True))
    assert kinds == {"account_disabled", "unverified"}
    assert (sweep.done, sweep.failed, sweep.set_aside) == (1, 0, 1)
    assert sweep.finished_at

    world.microsoft.clear_faults()
    check()
    assert one_finding().kind == "account_disabled"


def test_a_registration_that_cannot_be_asked_is_one_finding_for_all_its_connections(world, settings):
    settings.UNANSWERED_NIGHTS = 1
    for name in ("Anna", "Bert", "Carl"):
        world.connect(name)
    make_registration(cloud=world.cloud.key, directory=world.directory["id"], tenant=world.registration.tenant)
    world.microsoft.set_fault("down", client_id=world.app["client_id"])
    sweep = Sweep.objects.start_nightly(timezone.localdate())
    with time_machine.travel(timezone.now(), tick=True) as clock:
        for _ in range(3):
            work(sweep)
            clock.shift(timedelta(hours=1))
    finding = Finding.objects.open().get(registration=world.registration)
    assert (finding.kind, finding.inhibits) == ("unverified", True)
    assert (sweep.failed, sweep.set_aside) == (3, 1)


def test_throttling_costs_no_try_and_waits_as_long_as_asked(world):
    connection = world.connect()
    world.microsoft.set_fault("throttled", grant_type="refresh_token")
    sweep = Sweep.objects.start_nightly(timezone.localdate())
    with time_machine.travel(timezone.now(), tick=True) as clock:
        for _ in range(5):
            work(sweep)
            clock.shift(timedelta(seconds=61))
        connection.refresh_from_db()
        assert connection.tries == 0
        assert sweep.set_aside == 0
        asked = len(world.microsoft.token_requests())
        world.microsoft.clear_faults()
        work(sweep)
    assert len(world.microsoft.token_requests()) == asked + 1
    assert sweep.finished_at


def test_a_sweep_that_lasts_too_long_gives_up_what_is_left_and_says_so(world, settings):
    settings.UNANSWERED_NIGHTS = 1
    world.connect()
    world.microsoft.set_fault("throttled", grant_type="refresh_token")
    sweep = Sweep.objects.start_nightly(timezone.localdate())
    with time_machine.travel(timezone.now(), tick=True) as clock:
        work(sweep)
        asked = len(world.microsoft.token_requests())
        clock.shift(timedelta(hours=12))
        work(sweep)
    assert sweep.finished_at
    assert sweep.failed == 1
    assert one_finding().kind == "unverified"
    assert len(world.microsoft.token_requests()) == asked


def test_whoever_presses_check_now_does_not_wait_for_the_nights_pause(world):
    world.connect()
    world.microsoft.set_fault("down", times=1)
    work(Sweep.objects.start_nightly(timezone.localdate()))
    assert check().finished_at


# What cannot be asked


def test_a_registration_without_directory_is_never_healthy(world):
    connection = world.connect()
    make_multi_tenant_without_directory(world)
    sweep = check()
    connection.refresh_from_db()
    assert (one_finding().kind, one_finding().actor) == ("unverified", "operator")
    assert (sweep.done, sweep.failed) == (1, 1)
    assert connection.checked_at  # the accounts sign in elsewhere


def make_multi_tenant_without_directory(world: World) -> None:
    world.registration.audience, world.registration.directory = "AzureADMultipleOrgs", ""
    world.registration.save()


def test_without_a_directory_the_connections_tell_that_the_secret_is_wrong_and_when_it_is_right_again(world):
    connections = [world.connect("Anna"), world.connect("Bert")]
    make_multi_tenant_without_directory(world)
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    for _ in range(2):
        check()
        assert Finding.objects.open().get(kind="secret_invalid").registration == world.registration
    world.new_secret()
    check()
    assert one_finding().kind == "unverified"
    for connection in connections:
        connection.refresh_from_db()
        assert (connection.token_status, connection.last_sweep) == ("active", Sweep.objects.latest("pk").pk)


def test_without_a_directory_an_expired_secret_is_told_once_too(world):
    world.connect()
    make_multi_tenant_without_directory(world)
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])
    for _ in range(3):
        check()
    assert Finding.objects.get(kind="secret_ending").epoch == 1
    assert Delivery.objects.filter(alerts__finding__kind="secret_ending").count() == 1


def test_a_corrected_date_resolves_what_a_wrong_one_opened(world):
    make_multi_tenant_without_directory(world)
    world.credential.ends_at = timezone.now() - timedelta(days=1)
    world.credential.save()
    check()
    world.credential.ends_at = timezone.now() + timedelta(days=300)
    world.credential.save()
    check()
    assert one_finding().kind == "unverified"


def test_a_registration_without_secret_says_so(world):
    world.credential.slot = "previous"
    world.credential.save()
    check()
    assert one_finding().kind == "no_secret"
    assert world.microsoft.token_requests() == []


def test_an_unknown_cloud_is_never_healthy(db):
    registration = make_registration(cloud="gone")
    from tests.factories import make_credential

    make_credential(registration)
    check()
    assert one_finding().kind == "unverified"
    assert "gone" in one_finding().remedy


# Dates


def test_a_secret_that_ends_soon_is_told_of_without_asking_microsoft(world):
    world.credential.ends_at = timezone.now() + timedelta(days=20, hours=1)
    world.credential.save()
    make_multi_tenant_without_directory(world)
    check()
    finding = Finding.objects.open().get(kind="secret_ending")
    assert world.microsoft.token_requests() == []
    assert (finding.credential, finding.severity) == (world.credential, "warning")
    assert re.search(r"The client secret \S{3}… of “Contoso Mail” ends on .* in 21 days", finding.what)


def test_a_secret_that_runs_out_is_told_of_once_a_step_and_no_more(world):
    begin = timezone.now()
    world.credential.ends_at = begin + timedelta(days=40)
    world.credential.save()
    told = {}
    for day in (0, 5, 10, 11, 26, 33, 37, 39, 40, 41, 50):
        with time_machine.travel(begin + timedelta(days=day), tick=True):
            night(world)
        told[day] = Alert.objects.count()
    assert told == {0: 1, 5: 1, 10: 2, 11: 2, 26: 3, 33: 4, 37: 5, 39: 6, 40: 7, 41: 7, 50: 7}


# Whom a sweep covers


def test_a_sweep_of_a_tenant_looks_at_the_shared_registration_its_connections_need(db):
    tenant, shared, other = make_tenant(), make_registration(shared=True), make_registration()
    mine, theirs = make_connection(shared, tenant=tenant), make_connection(shared, tenant=make_tenant())
    sweep = Sweep.objects.start_manual(tenant)
    assert list(sweep.registrations()) == [shared]
    assert list(sweep.connections()) == [mine]
    assert other not in sweep.registrations()
    assert theirs not in sweep.connections()


def test_a_sweep_of_a_connection_looks_at_its_registration_first(db):
    connection = make_connection()
    make_connection(connection.registration)
    sweep = Sweep.objects.start_manual(connection)
    assert list(sweep.registrations()) == [connection.registration]
    assert list(sweep.connections()) == [connection]
    assert sweep.planned == 2


def test_nothing_of_a_suspended_tenant_is_looked_at(world):
    world.connect()
    world.registration.tenant.suspended_at = timezone.now()
    world.registration.tenant.save()
    asked = len(world.microsoft.token_requests())
    sweep = check()
    assert sweep.planned == 0
    assert sweep.finished_at
    assert len(world.microsoft.token_requests()) == asked


def test_a_second_press_joins_the_check_that_runs(db):
    registration = make_registration()
    first = Sweep.objects.start_manual(registration)
    assert Sweep.objects.start_manual(registration) == first
    assert Sweep.objects.start_manual(registration.tenant) != first
