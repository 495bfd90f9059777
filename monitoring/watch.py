"""Who watches the watcher: is everything still checked every night? It asks rows alone, so needs no beat or worker."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Min, QuerySet

from oauth.signals import Observation, Seen, WatchSeen, observed
from tenants.models import AppRegistration

from . import kinds, schedule
from .models import Finding, Sweep


@dataclass(frozen=True)
class State:
    """What is wrong with the watch, and when the last nightly check finished."""

    faults: tuple[Seen, ...]
    finished_at: datetime | None

    @property
    def is_overdue(self) -> bool:
        return any(fault.kind == kinds.SWEEP_OVERDUE for fault in self.faults)

    @property
    def is_well(self) -> bool:
        return not self.faults


def state(now: datetime) -> State:
    """How the watch is now. Two small queries while all is well."""
    finished_at = _nightly().aggregate(last=Max("finished_at"))["last"]
    wrong = []
    if _is_overdue(now, finished_at):
        wrong.append(kinds.SWEEP_OVERDUE)
    if schedule.is_switched_off():
        wrong.append(kinds.CLOCK_SWITCHED_OFF)
    return State(tuple(map(kinds.seen, wrong)), finished_at)


def tell(now: datetime) -> None:
    """Open, keep or resolve the findings of the watch."""
    faults = state(now).faults
    if faults or Finding.objects.open().filter(watch=Finding.NIGHT).exists():
        observed.send(sender=WatchSeen, observation=Observation(WatchSeen(Finding.NIGHT), now, faults))


def _nightly() -> QuerySet[Sweep]:
    return Sweep.objects.filter(kind=Sweep.Kind.NIGHTLY)


def _is_overdue(now: datetime, finished_at: datetime | None) -> bool:
    """Has no nightly check finished within WATCH_HOURS, though there was something to check?

    Who sets the night to a later time of day makes one gap that is longer than a day. It counts only once that first
    late night has had the time beyond a day that every night is given.
    """
    limit = timedelta(hours=settings.WATCH_HOURS)
    if finished_at is not None and now - finished_at <= limit:
        return False
    something_since = AppRegistration.objects.live().aggregate(first=Min("created_at"))["first"]
    if something_since is None or now - something_since <= limit:
        return False
    night = schedule.night_due(now)
    recent = _nightly().filter(night__in=[night, night - schedule.DAY], finished_at__isnull=False)
    finished = set(recent.values_list("night", flat=True))
    if night in finished:
        return False
    if night - schedule.DAY in finished:
        return now - schedule.start_of(night, schedule.begins()) > limit - schedule.DAY
    return True
