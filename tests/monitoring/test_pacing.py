"""Rates: so many a second of one registration in one directory, Retry-After for all of it, and turns among tenants."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from monitoring import claims
from monitoring import sweep as ledger
from monitoring.models import Sweep
from monitoring.pacing import Pace
from oauth.models import Connection
from tests.factories import make_connection, make_credential, make_registration, make_tenant

from .conftest import work

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DOOR, OTHER = (1, "a"), (1, "b")


def refreshes(world) -> list[str]:
    asked = world.microsoft.token_requests()
    return [request["oid"] for request in asked if request["grant_type"] == "refresh_token"]


def test_a_seconds_worth_may_go_at_once_and_the_rest_comes_again_one_after_the_other():
    pace = Pace(4)
    answers = [pace.admit(DOOR, NOW) for _ in range(7)]
    assert answers == [None] * 4 + [NOW + timedelta(seconds=n / 4) for n in (1, 2, 3)]
    assert pace.admit(OTHER, NOW) is None


def test_what_comes_again_when_it_was_told_to_goes_through():
    pace = Pace(4)
    told = [moment for _ in range(10) if (moment := pace.admit(DOOR, NOW))]
    assert [pace.admit(DOOR, moment) for moment in told] == [None] * 6


def test_nothing_is_saved_up_over_a_pause():
    pace = Pace(4)
    assert [pace.admit(DOOR, NOW) for _ in range(4)] == [None] * 4
    later = NOW + timedelta(hours=1)
    assert [pace.admit(DOOR, later) is None for _ in range(5)] == [True] * 4 + [False]


def test_less_than_one_a_second_is_a_rate_too():
    pace = Pace(0.5)
    assert [pace.admit(DOOR, NOW + timedelta(seconds=n)) is None for n in (0, 1, 2, 3)] == [True, False, True, False]


def test_one_registration_is_not_asked_faster_than_it_may_be(world, settings):
    people = [world.connect(f"Person{number}") for number in range(9)]
    settings.CHECKS_PER_SECOND = 4
    begun = time.monotonic()
    sweep = work(Sweep.objects.start_manual())
    assert time.monotonic() - begun >= 1.0
    assert sorted(refreshes(world)) == sorted(str(person.oid) for person in people)
    assert (sweep.done, sweep.failed, sweep.set_aside) == (10, 0, 0)
    assert {person.tries for person in Connection.objects.all()} == {0}


def test_a_busy_registration_holds_up_no_other(world, settings):
    for number in range(6):
        world.connect(f"Person{number}")
    other = make_registration(cloud=world.cloud.key, directory=world.directory["id"])
    make_credential(other)
    settings.CHECKS_PER_SECOND = 2
    working = claims.claim(Sweep.objects.start_manual())
    assert {row.pk for row in working.rows} == {world.registration.pk, other.pk}


def test_a_429_closes_its_door_for_everybody_until_the_time_it_names(world, settings):
    settings.CHECKS_IN_FLIGHT = 1
    people = [world.connect(f"Person{number}") for number in range(8)]
    world.microsoft.set_fault("throttled", grant_type="refresh_token")
    sweep = Sweep.objects.start_nightly(timezone.localdate())
    with time_machine.travel(timezone.now(), tick=True) as clock:
        work(sweep)
        rows = list(Connection.objects.all())
        before = len(refreshes(world))
        assert before == 1
        assert {row.tries for row in rows} == {0}
        assert min(row.next_at for row in rows) > timezone.now() + timedelta(seconds=5)
        work(sweep)
        assert len(refreshes(world)) == before
        world.microsoft.clear_faults()
        clock.shift(timedelta(minutes=2))
        assert work(sweep).done == len(people) + 1


def test_a_429_closes_it_for_what_nobody_has_claimed_yet(world, settings, monkeypatch):
    settings.CHECKS_IN_FLIGHT = 1
    monkeypatch.setattr(claims, "BATCH", 2)
    for number in range(6):
        world.connect(f"Person{number}")
    elsewhere = make_connection(world.registration)
    world.microsoft.set_fault("throttled", grant_type="refresh_token", directory=world.directory["id"])
    work(Sweep.objects.start_nightly(timezone.localdate()))
    assert len([oid for oid in refreshes(world) if oid != str(elsewhere.oid)]) <= 2
    waiting = Connection.objects.exclude(pk=elsewhere.pk)
    assert not waiting.filter(next_at=None).exists()


def test_what_comes_due_after_the_last_claim_is_not_left_behind(world):
    world.connect()
    sweep = Sweep.objects.start_manual()
    with ledger.Turn(sweep) as turn:
        sweep.registrations().update(next_at=timezone.now())
        assert turn.wait()
        sweep.registrations().update(next_at=timezone.now() + timedelta(minutes=1))
        assert not turn.wait()


def test_small_tenants_do_not_wait_for_a_large_one(db, monkeypatch):
    monkeypatch.setattr(claims, "BATCH", 10)
    large = make_registration()
    for _ in range(60):
        make_connection(large)
    small = [make_registration() for _ in range(15)]
    for registration in small:
        make_connection(registration)
        make_connection(registration)
    sweep = Sweep.objects.start_manual()
    sweep.registrations().update(last_sweep=sweep.pk)
    seen = [row.tenant_id for _ in range(4) for row in claims.claim(sweep).rows]
    assert {registration.tenant_id for registration in small} <= set(seen)
    assert seen.count(large.tenant_id) <= 10


def test_a_tenants_connections_are_looked_at_ten_at_a_time(db):
    tenant = make_tenant()
    assert [make_connection(make_registration(tenant)).turn for _ in range(21)] == [0] * 10 + [1] * 10 + [2]
    assert make_connection().turn == 0


@pytest.fixture(autouse=True)
def no_long_waits(settings):
    settings.CHECKS_IN_FLIGHT = 8
