"""One sweep a night: two beats, a missed night; and the bells of the reconciler."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from monitoring import tasks
from monitoring.claims import claim
from monitoring.models import Sweep
from tenants.models import AppRegistration
from tests.factories import make_connection, make_credential, make_registration
from tests.leases import lapse

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def at(settings):
    """Sets when and where a night begins."""

    def set_to(hour: int, minute: int = 30, zone: str = "Europe/Berlin") -> None:
        settings.SWEEP_AT, settings.TIME_ZONE = time(hour, minute), zone

    set_to(2)
    return set_to


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
    with time_machine.travel(datetime(2026, 6, 1, 18, 0, tzinfo=BERLIN), tick=False):
        tonight = Sweep.objects.start_nightly(date(2026, 6, 1))
        reconcile()
        assert rung == [("monitoring.tasks.work_on_sweep", (tonight.pk,))]
        assert claim(tonight)
        reconcile()  # somebody is at it
        assert len(rung) == 1
        lapse(AppRegistration)
        reconcile()  # and has died
        assert len(rung) == 2


def test_a_quiet_minute_rings_nothing(reconcile, rung):
    with time_machine.travel(datetime(2026, 6, 1, 18, 0, tzinfo=BERLIN), tick=False):
        Sweep.objects.create(kind="nightly", night=date(2026, 6, 1), finished_at=timezone.now())
        reconcile()
    assert rung == []
