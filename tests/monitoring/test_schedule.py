"""When a night begins: set in the admin, kept by the clock, right on both days of the year on which clocks change."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from celery import current_app
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from monitoring import schedule, tasks
from monitoring.models import Sweep

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
START_SWEEP = "monitoring.tasks.start_sweep"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def in_berlin(settings):
    settings.SWEEP_AT, settings.TIME_ZONE = time(2, 30), "Europe/Berlin"


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)


def night(of: date, **fields) -> Sweep:
    moment = schedule.start_of(of, time(2, 30))
    return Sweep.objects.create(kind="nightly", night=of, started_at=moment, **{"finished_at": moment, **fields})


# Which night it is


def test_a_night_is_due_from_its_time_on():
    at = time(2, 30)
    assert schedule.night_of(berlin(2026, 6, 1, 2, 29, 59), at) == date(2026, 5, 31)
    assert schedule.night_of(berlin(2026, 6, 1, 2, 30), at) == date(2026, 6, 1)
    assert schedule.night_of(berlin(2026, 6, 1, 23, 59), at) == date(2026, 6, 1)


def test_a_worker_that_is_late_over_midnight_still_starts_the_night_it_was_rung_for():
    assert schedule.night_of(berlin(2026, 6, 2, 0, 1), time(23, 59)) == date(2026, 6, 1)


@pytest.mark.parametrize("changes", [SPRING, AUTUMN])
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 23])
def test_every_night_begins_once_when_the_clocks_change(changes, hour):
    start = datetime.combine(changes - timedelta(days=2), time(12), tzinfo=UTC)
    minutes = (start + minute * MINUTE for minute in range(4 * 24 * 60))
    nights = [schedule.night_of(minute, time(hour, 30)) for minute in minutes]
    begun = [night for before, night in zip(nights, nights[1:], strict=False) if night != before]
    assert begun == [nights[0] + timedelta(days=day) for day in range(1, 5)]


def test_a_time_that_the_clocks_skip_counts_an_hour_later_by_the_clock():
    assert schedule.start_of(SPRING, time(2, 30)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 3:30 in Berlin


def test_of_a_time_that_comes_twice_the_first_counts():
    assert schedule.start_of(AUTUMN, time(2, 30)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# The clock's row


@pytest.mark.django_db
def test_until_the_clock_has_its_entry_the_setting_counts():
    assert schedule.begins() == time(2, 30)
    assert not schedule.is_switched_off()


@pytest.mark.django_db
def test_the_setting_is_the_first_value_and_no_more(settings):
    schedule.keep()
    settings.SWEEP_AT = time(5, 0)
    schedule.keep()
    assert schedule.begins() == time(2, 30)
    assert PeriodicTask.objects.count() == CrontabSchedule.objects.count() == 1


@pytest.mark.django_db
def test_the_reconciler_sees_that_the_clock_has_its_entry(rung):
    tasks.reconcile()
    assert PeriodicTask.objects.get().task == START_SWEEP


@pytest.mark.django_db
def test_the_clock_follows_the_sites_time_zone(settings):
    schedule.keep()
    settings.TIME_ZONE = "Asia/Tokyo"
    schedule.keep()
    assert str(PeriodicTask.objects.get().crontab.timezone) == "Asia/Tokyo"
    assert schedule.start_of(date(2026, 6, 1), schedule.begins()) == datetime(2026, 5, 31, 17, 30, tzinfo=UTC)


@pytest.mark.django_db
def test_another_time_changes_the_row_in_place():
    schedule.keep()
    schedule.change(time(14, 5))
    assert schedule.begins() == time(14, 5)
    assert PeriodicTask.objects.count() == CrontabSchedule.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "change"),
    [
        (PeriodicTask, {"enabled": False}),
        (CrontabSchedule, {"hour": "*/2"}),
        (CrontabSchedule, {"day_of_week": "1"}),
        (PeriodicTask, {"crontab": None}),
    ],
    ids=["disabled", "every other hour", "on Mondays only", "no time"],
)
def test_what_somebody_did_in_the_database_is_seen_and_saving_a_time_mends_it(rows, change):
    schedule.keep()
    rows.objects.update(**change)
    assert schedule.is_switched_off()
    assert schedule.begins() == time(2, 30)
    schedule.change(time(4, 0))
    assert not schedule.is_switched_off()
    assert schedule.begins() == time(4, 0)


@pytest.mark.django_db
def test_a_deleted_entry_is_made_anew():
    schedule.change(time(4, 0))
    PeriodicTask.objects.all().delete()
    schedule.keep()
    assert PeriodicTask.objects.get().enabled


# Another time during the day


@pytest.mark.django_db
def test_a_later_time_makes_no_second_night_of_the_same_day_and_skips_none():
    night(date(2026, 6, 1))
    schedule.change(time(14, 0))
    assert schedule.night_due(berlin(2026, 6, 1, 12, 0)) == date(2026, 6, 1)  # not May 31, which nobody began
    assert schedule.night_due(berlin(2026, 6, 1, 14, 1)) == date(2026, 6, 1)
    assert schedule.next_start(berlin(2026, 6, 1, 12, 0)) == berlin(2026, 6, 2, 14, 0)
    assert schedule.night_due(berlin(2026, 6, 2, 13, 59)) == date(2026, 6, 1)
    assert schedule.night_due(berlin(2026, 6, 2, 14, 0)) == date(2026, 6, 2)


@pytest.mark.django_db
def test_an_earlier_time_begins_the_night_that_is_now_due_at_once():
    schedule.change(time(22, 0))
    night(date(2026, 5, 31))
    now = berlin(2026, 6, 1, 12, 0)
    assert schedule.next_start(now) == berlin(2026, 6, 1, 22, 0)
    schedule.change(time(2, 30))
    assert schedule.next_start(now) == now
    night(date(2026, 6, 1))
    assert schedule.next_start(now) == berlin(2026, 6, 2, 2, 30)


@pytest.mark.django_db
def test_a_night_begun_by_a_clock_in_the_future_does_not_keep_the_others_from_beginning():
    night(date(2031, 1, 1))
    assert schedule.night_due(berlin(2026, 6, 1, 12, 0)) == date(2026, 6, 1)


# Real beat


@pytest.fixture
def start_beat(transactional_db) -> Iterator[Callable[[], DatabaseScheduler]]:
    """Makes what `celery beat` makes at its start."""
    started: list[DatabaseScheduler] = []

    def start() -> DatabaseScheduler:
        started.append(DatabaseScheduler(app=current_app._get_current_object(), lazy=False))
        return started[-1]

    yield start
    for beat in started:
        beat._finalize.cancel()  # it would save once more when the process ends, after the database has gone


@pytest.fixture
def beat_in_berlin(start_beat):
    """Beat reads its zone from the application, which keeps it from one test to the next."""
    app = current_app._get_current_object()
    before = app.conf.timezone
    app.conf.timezone = "Europe/Berlin"
    app.__dict__.pop("timezone", None)
    yield start_beat
    app.conf.timezone = before
    app.__dict__.pop("timezone", None)


def test_the_reconcilers_entry_is_watched_too(start_beat):
    start_beat()
    PeriodicTask.objects.filter(name="reconcile").update(enabled=False)
    start_beat()  # a new start does not switch it on
    assert schedule.is_switched_off()
    schedule.change(time(2, 30))
    assert PeriodicTask.objects.get(name="reconcile").enabled


def test_a_start_of_beat_leaves_the_night_as_it_was_set(start_beat):
    start_beat()
    schedule.change(time(4, 15))
    start_beat()
    assert schedule.begins() == time(4, 15)
    assert set(PeriodicTask.objects.values_list("name", flat=True)) == {"nightly check", "reconcile"}
    assert PeriodicTask.objects.get(name="reconcile").expire_seconds == 60


def test_a_beat_that_runs_hears_of_another_time(beat_in_berlin, rung):
    with time_machine.travel(berlin(2026, 6, 1, 3, 0), tick=False) as clock:
        schedule.keep()
        beat = beat_in_berlin()
        beat.tick()
        clock.shift(10)
        beat.tick()
        schedule.change(time(3, 10))
        for _ in range(15):
            clock.shift(60)
            beat.tick()
            beat.tick()
    assert [name for name, _ in rung].count(START_SWEEP) == 1


@pytest.mark.parametrize("changes", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_beats_and_reconcilers_make_one_sweep_of_each_night_when_the_clocks_change(beat_in_berlin, rung, changes):
    """Two beats around the change, and a worker that does what they ring for."""
    start = schedule.start_of(changes, time(2, 30)) - 4 * MINUTE
    with time_machine.travel(start, tick=False) as clock:
        night(changes - timedelta(days=1))
        schedule.keep()
        beats = [beat_in_berlin(), beat_in_berlin()]
        for _ in range(35):  # past the second 2:30 of autumn
            for beat in beats:
                beat.tick()
            work_off(rung)
            clock.shift(2 * MINUTE)
    begun = Sweep.objects.get(night=changes).started_at
    assert Sweep.objects.count() == 2
    assert timedelta() <= begun - schedule.start_of(changes, time(2, 30)) <= 2 * MINUTE


def work_off(bells) -> None:
    names = [name for name, _ in bells]
    bells.clear()
    for name in names:
        if name == START_SWEEP:
            tasks.start_sweep()
        elif name == "monitoring.tasks.reconcile":
            tasks.reconcile()
    for sweep in Sweep.objects.running():
        Sweep.objects.filter(pk=sweep.pk).update(finished_at=sweep.started_at)
