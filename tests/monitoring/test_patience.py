"""Patience: what gives no answer for one night is no finding, and nothing of it changes; what lasts is."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from monitoring.models import Finding, Sweep
from monitoring.tries import TRIES
from oauth.models import Connection
from tenants.models import AppRegistration
from tests.factories import make_credential, make_registration
from tests.leases import lapse

from .conftest import World, check, work
from .test_ledger import claim_and_die


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=True) as clock:
        yield clock


def night(clock: Any, days: int = 0) -> Sweep:
    """A whole night's check, with all its tries."""
    sweep = Sweep.objects.start_nightly(timezone.localdate() + timedelta(days=days))
    return tries(sweep, clock)


def tries(sweep: Sweep, clock: Any) -> Sweep:
    for _ in range(TRIES):
        work(sweep)
        clock.shift(timedelta(minutes=30))
    assert sweep.finished_at
    return sweep


def silence(world: World, grant_type: str | None = "refresh_token") -> None:
    world.microsoft.set_fault("html", client_id=world.app["client_id"], grant_type=grant_type)


def state(world: World) -> tuple[int, str, str]:
    row = Connection.objects.get(registration=world.registration)
    return row.unanswered, row.unanswered_why, row.token_status


def test_one_night_without_an_answer_is_counted_and_not_told(world, clock):
    world.connect()
    silence(world)
    sweep = night(clock)
    nights, why, status = state(world)
    assert (nights, status) == (1, "active")
    assert "no usable answer" in why
    assert (sweep.done, sweep.set_aside) == (1, 1)
    assert not Finding.objects.exists()


def test_the_second_night_running_is_a_finding(world, clock):
    world.connect()
    silence(world)
    night(clock)
    night(clock, days=1)
    finding = Finding.objects.open().get()
    assert (finding.kind, finding.connection.registration) == ("unverified", world.registration)
    assert state(world)[0] == 2


def test_any_answer_begins_the_count_anew(world, clock):
    world.connect()
    silence(world)
    night(clock)
    world.microsoft.clear_faults()
    night(clock, days=1)
    assert state(world) == (0, "", "active")
    silence(world)
    night(clock, days=2)
    assert not Finding.objects.exists()


def test_a_refusal_is_an_answer_too(world, clock):
    anna = world.connect()
    silence(world)
    night(clock)
    world.microsoft.clear_faults()
    world.microsoft.disable_person(str(anna.oid))
    night(clock, days=1)
    assert state(world) == (0, "", "invalid")


def test_a_check_that_somebody_asked_for_counts_no_night_and_keeps_why(world, clock):
    world.connect()
    silence(world)
    for _ in range(3):
        tries(Sweep.objects.start_manual(), clock)
    nights, why, _ = state(world)
    assert (nights, bool(why)) == (0, True)
    assert not Finding.objects.exists()


def test_how_many_nights_is_a_setting(world, clock, settings):
    settings.UNANSWERED_NIGHTS = 3
    world.connect()
    silence(world)
    for days in range(2):
        night(clock, days)
    assert not Finding.objects.exists()
    night(clock, 2)
    assert Finding.objects.open().get().kind == "unverified"


def test_our_own_trouble_is_told_at_once(world):
    sweep = Sweep.objects.start_nightly(timezone.localdate())
    for _ in range(TRIES):
        claim_and_die(sweep)
        lapse(AppRegistration)
    work(sweep)
    assert Finding.objects.open().get().actor == "operator"


def test_connections_of_a_registration_without_an_answer_are_not_asked_in_vain(world, clock):
    world.connect()
    other = make_registration(cloud=world.cloud.key, directory=world.directory["id"])
    make_credential(other)
    silence(world, grant_type="client_credentials")
    before = len(world.microsoft.token_requests())
    sweep = night(clock)
    asked = [request["grant_type"] for request in world.microsoft.token_requests()[before:]]
    assert "refresh_token" not in asked
    assert (sweep.failed, sweep.set_aside, state(world)[0]) == (1, 1, 0)
    world.microsoft.clear_faults()
    assert check().done == 3
