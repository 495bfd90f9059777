"""How a coming end is announced: each step once, whatever the clocks and the sweep do."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from tenants.ladder import LAST_STEP, days_for, reached
from tenants.models import Tenant

USUAL = [60, 30, 14, 7, 3, 1, 0]


def steps(ends: datetime, nights: list[datetime], days: list[int]) -> list[int]:
    """What a finding announces on these nights: a step that is higher than any before."""
    told: list[int] = []
    for night in nights:
        rung = reached(ends - night, days)
        if rung and rung.step > max(told, default=0):
            told.append(rung.step)
    return told


def apart(days: list[int]) -> bool:
    """Is there a day between any two? A night that comes later than the one before jumps over less than that."""
    return all(later - earlier > 1 for earlier, later in pairwise(sorted(days)))


@effort(max_examples=300, deadline=None)
@given(
    ends=st.datetimes(datetime(2023, 6, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kolkata"]),
    at=st.times(),
    days=st.one_of(st.just(USUAL), st.lists(st.integers(1, 90), min_size=1, max_size=6, unique=True).filter(apart)),
    takes=st.lists(st.integers(0, 4 * 60), min_size=100, max_size=100),
)
def test_every_step_is_told_once_and_in_order_over_leap_days_and_clock_changes(ends, zone, at, days, takes):
    begin: date = ends.date() - timedelta(days=96)
    nights = [
        datetime.combine(begin + timedelta(days=number), at, ZoneInfo(zone)).astimezone(UTC) + timedelta(minutes=late)
        for number, late in enumerate(takes)
    ]
    assert steps(ends, nights, days) == [LAST_STEP - day for day in sorted({*days, 0}, reverse=True)]


@pytest.mark.parametrize(
    "change", [datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)], ids=["autumn", "spring"]
)
def test_the_long_night_leaves_the_last_day_in(change):
    berlin = ZoneInfo("Europe/Berlin")
    for hours in range(-30, 31):
        ends = change + timedelta(hours=hours)
        days = [change.date() + timedelta(days=number) for number in range(-9, 4)]
        nights = [datetime.combine(day, time(2, 30), berlin).astimezone(UTC) for day in days]
        assert steps(ends, nights, [3, 1]) == [997, 999, 1000]


def test_of_steps_on_two_days_running_a_late_night_tells_the_nearer_one():
    ends = datetime(2023, 6, 1, 13, tzinfo=UTC)
    nights = [datetime(2023, 4, 3, 0, 54, tzinfo=UTC), datetime(2023, 4, 4, 1, tzinfo=UTC)]
    assert steps(ends, nights, [58, 59]) == [942]


def test_steps_missed_while_nobody_looked_are_not_made_up_for():
    ends = datetime(2026, 3, 1, tzinfo=UTC)
    assert steps(ends, [ends - timedelta(days=50), ends - timedelta(days=5)], USUAL) == [940, 993]


def test_a_step_stays_above_those_of_another_list():
    left = timedelta(days=25)
    usual, own = reached(left, USUAL), reached(left, [28])
    assert usual
    assert own
    assert (usual.step, own.step) == (970, 972)


def test_the_end_is_told_though_no_list_names_it():
    rung = reached(timedelta(0), [30])
    assert rung
    assert rung.step == LAST_STEP


def test_without_a_list_of_its_own_a_tenant_has_the_settings(settings):
    settings.SECRET_WARN_DAYS = [20]
    assert [days_for(tenant) for tenant in (None, Tenant(), Tenant(warn_days=[5]))] == [[20], [20], [5]]
