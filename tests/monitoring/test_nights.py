"""One sweep a night: two beats, a missed night, both clock changes of the year; and the bells of the reconciler."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from monitoring import tasks
from monitoring.models import Sweep
from monitoring.sweep import LEASE, batches, night_due
from tests.factories import make_connection, make_credential, make_registration

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


@pytest.fixture
def at(settings):
    """Sets when and where a night begins."""

    def set_to(hour: int, minute: int = 30, zone: str = "Europe/Berlin") -> None:
        settings.SWEEP_AT, settings.TIME_ZONE = time(hour, minute), zone

    set_to(2)
    return set_to


def test_a_night_is_due_from_its_time_on(at):
    assert night_due(datetime(2026, 6, 1, 2, 29, 59, tzinfo=BERLIN)) == date(2026, 5, 31)
    assert night_due(datetime(2026, 6, 1, 2, 30, tzinfo=BERLIN)) == date(2026, 6, 1)
    assert night_due(datetime(2026, 6, 1, 23, 59, tzinfo=BERLIN)) == date(2026, 6, 1)


def test_a_worker_that_is_late_over_midnight_still_starts_the_night_it_was_rung_for(at):
    at(23, 59)
    assert night_due(datetime(2026, 6, 2, 0, 1, tzinfo=BERLIN)) == date(2026, 6, 1)


@pytest.mark.parametrize("changes", [SPRING, AUTUMN])
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 23])
def test_every_night_begins_once_when_the_clocks_change(at, changes, hour):
    at(hour)
    start = datetime.combine(changes - timedelta(days=2), time(12), tzinfo=UTC)
    nights = [night_due(start + timedelta(minutes=minute)) for minute in range(4 * 24 * 60)]
    begun = [night for before, night in zip(nights, nights[1:], strict=False) if night != before]
    assert begun == [nights[0] + timedelta(days=day) for day in range(1, 5)]


def test_a_time_that_the_clocks_skip_counts_an_hour_later_by_the_clock(at):
    assert night_due(datetime(2026, 3, 29, 1, 29, tzinfo=UTC)) == SPRING - timedelta(days=1)
    assert night_due(datetime(2026, 3, 29, 1, 30, tzinfo=UTC)) == SPRING  # 3:30 in Berlin


def test_of_a_time_that_comes_twice_the_first_counts(at):
    assert night_due(datetime(2026, 10, 25, 0, 29, tzinfo=UTC)) == AUTUMN - timedelta(days=1)
    assert night_due(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == AUTUMN


# Rows


def test_two_beats_make_one_sweep(db):
    first, second = (Sweep.objects.start_nightly(date(2026, 6, 1)) for _ in range(2))
    assert first == second
    assert Sweep.objects.count() == 1


def test_what_is_live_is_planned_when_it_starts(db):
    make_connection()
    make_registration(archived_at=timezone.now())
    make_connection(disconnected_at=timezone.now())
    sweep = Sweep.objects.start_nightly(date(2026, 6, 1))
    assert sweep.planned == 3
    make_connection()
    assert Sweep.objects.start_nightly(date(2026, 6, 1)).planned == 3


# Bells


def ring(task, callbacks) -> None:
    with callbacks(execute=True):
        task()


@pytest.fixture
def reconcile(db, at, django_capture_on_commit_callbacks):
    return lambda: ring(tasks.reconcile, django_capture_on_commit_callbacks)


@pytest.fixture
def start_sweep(db, at, django_capture_on_commit_callbacks):
    return lambda: ring(tasks.start_sweep, django_capture_on_commit_callbacks)


def test_beat_starts_the_night_and_rings_for_it(start_sweep, rung):
    with time_machine.travel(datetime(2026, 6, 1, 2, 30, 1, tzinfo=BERLIN), tick=False):
        start_sweep()
        start_sweep()
    sweep = Sweep.objects.get()
    assert sweep.night == date(2026, 6, 1)
    assert rung == [("monitoring.tasks.work_on_sweep", (sweep.pk,))] * 2


def test_a_finished_night_is_not_rung_for_again(start_sweep, rung):
    with time_machine.travel(datetime(2026, 6, 1, 2, 30, 1, tzinfo=BERLIN), tick=False):
        Sweep.objects.create(kind="nightly", night=date(2026, 6, 1), finished_at=timezone.now())
        start_sweep()
    assert rung == []


def test_a_missed_night_is_caught_up_until_the_next_begins(reconcile, rung):
    with time_machine.travel(datetime(2026, 6, 1, 18, 0, tzinfo=BERLIN), tick=False) as clock:
        reconcile()
        assert rung == [("monitoring.tasks.start_sweep", ())]
        tasks.start_sweep()
        clock.move_to(datetime(2026, 6, 5, 3, 0, tzinfo=BERLIN))
        tasks.start_sweep()
    assert list(Sweep.objects.order_by("night").values_list("night", flat=True)) == [date(2026, 6, 1), date(2026, 6, 5)]


def test_a_lost_bell_is_rung_again(reconcile, rung):
    make_credential()
    with time_machine.travel(datetime(2026, 6, 1, 18, 0, tzinfo=BERLIN), tick=False) as clock:
        tonight = Sweep.objects.start_nightly(date(2026, 6, 1))
        reconcile()
        assert rung == [("monitoring.tasks.work_on_sweep", (tonight.pk,))]
        next(batches(tonight.pk))
        reconcile()  # somebody is at it
        assert len(rung) == 1
        clock.shift(LEASE)
        reconcile()  # and has died
        assert len(rung) == 2


def test_a_quiet_minute_rings_nothing(reconcile, rung):
    with time_machine.travel(datetime(2026, 6, 1, 18, 0, tzinfo=BERLIN), tick=False):
        Sweep.objects.create(kind="nightly", night=date(2026, 6, 1), finished_at=timezone.now())
        reconcile()
    assert rung == []
