"""A cloud that answers nobody: one finding for operators, none for tenants, and a probe a minute until it is back."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from monitoring import outages
from monitoring import sweep as ledger
from monitoring.models import Finding, Outage, Sweep
from oauth.models import Connection
from tenants.models import AppRegistration
from tests.factories import make_connection, make_credential, make_registration

from .conftest import World, check, work


def asked(world: World) -> int:
    return len(world.microsoft.token_requests())


def night() -> Sweep:
    return Sweep.objects.start_nightly(timezone.localdate())


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=True) as clock:
        yield clock


@pytest.mark.parametrize("what", ["down", "html", "empty", "garbage", "drop"])
def test_where_the_only_registration_gets_no_answer_the_cloud_rests(world, what):
    world.connect()
    world.microsoft.set_fault(what)
    sweep = work(night())
    world.registration.refresh_from_db()
    assert Outage.objects.get().cloud == world.cloud.key
    assert (world.registration.tries, world.registration.next_at, world.registration.lease_by) == (0, None, None)
    assert (sweep.seen, sweep.finished_at) == (0, None)


def test_a_cloud_that_rests_is_asked_by_nobody_until_its_minute_is_over(world, clock):
    world.microsoft.set_fault("down")
    sweep = work(night())
    before = asked(world)
    work(sweep)
    assert not ledger.has_work(sweep)
    clock.shift(outages.PROBE_EVERY)
    assert ledger.has_work(sweep)
    work(sweep)
    work(sweep)
    assert asked(world) == before + 1


def test_whoever_presses_check_now_has_it_asked_at_once(world):
    world.microsoft.set_fault("down", times=1)
    work(night())
    assert check().finished_at
    assert not Outage.objects.exists()


def test_of_many_only_a_few_ask_whether_it_is_back(world, clock, settings):
    settings.CHECKS_IN_FLIGHT = 2
    for _ in range(150):
        registration = make_registration(cloud=world.cloud.key, directory=world.directory["id"])
        make_credential(registration)
    world.microsoft.set_fault("down")
    sweep = work(night())
    assert Outage.objects.exists()
    before = asked(world)
    assert before < 75  # ten are enough; a few more are under way until the worker has heard of them
    clock.shift(outages.PROBE_EVERY)
    work(sweep)
    assert asked(world) == before + 3
    assert not AppRegistration.objects.filter(tries__gt=1).exists()


def test_one_registration_without_an_answer_is_no_outage_while_others_have_one(world):
    other = make_registration(cloud=world.cloud.key, directory=world.directory["id"])
    make_credential(other)
    world.microsoft.set_fault("down", client_id=other.client_id)
    work(night())
    other.refresh_from_db()
    assert not Outage.objects.exists()
    assert other.tries == 1


def test_a_few_accounts_without_an_answer_are_no_outage(world):
    for number in range(5):
        world.connect(f"Person{number}")
    world.microsoft.set_fault("down", grant_type="refresh_token")
    work(night())
    assert not Outage.objects.exists()
    assert {connection.tries for connection in Connection.objects.all()} == {1}


def test_being_asked_to_wait_is_no_outage(world):
    world.microsoft.set_fault("throttled")
    work(night())
    assert not Outage.objects.exists()


def test_an_outage_that_lasts_is_one_finding_for_operators_and_is_over_when_it_answers(world, clock):
    anna = world.connect()
    world.microsoft.set_fault("down")
    sweep = work(night())
    clock.shift(timedelta(minutes=9))
    work(sweep)
    assert not Finding.objects.exists()
    for _ in range(3):
        clock.shift(timedelta(minutes=2))
        work(sweep)
    finding = Finding.objects.open().get()
    assert (finding.kind, finding.cloud, finding.tenant) == ("cloud_unreachable", world.cloud.key, None)
    assert finding.severity == "critical"

    world.microsoft.clear_faults()
    clock.shift(timedelta(minutes=1))
    sweep = work(sweep)
    anna.refresh_from_db()
    assert not Finding.objects.open().exists()
    assert not Outage.objects.exists()
    assert (sweep.done, anna.unanswered) == (2, 0)
    assert sweep.finished_at


def test_a_sweep_that_gives_up_on_a_cloud_says_nothing_of_what_is_in_it(world, clock):
    world.connect()
    make_connection(world.registration)
    world.microsoft.set_fault("down")
    sweep = work(night())
    clock.shift(timedelta(hours=12))
    sweep = work(sweep)
    assert sweep.finished_at
    assert (sweep.done, sweep.seen) == (0, 3)
    assert not Finding.objects.exclude(kind="cloud_unreachable").exists()
    assert not AppRegistration.objects.exclude(unanswered=0).exists()
