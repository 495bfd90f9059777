"""When the night begins: a row of the clock's (django-celery-beat), set in the admin; SWEEP_AT is only its first value.

Beat rings at that time, and the reconciler starts whatever night nobody rang for.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from .models import Sweep

NIGHTLY = "nightly check"
RECONCILER = "reconcile"  # its entry in CELERY_BEAT_SCHEDULE
DAY = timedelta(days=1)


def begins() -> time:
    """The local time at which a night begins."""
    task = _nightly()
    return (task and _daily(task.crontab)) or settings.SWEEP_AT


def start_of(night: date, at: time) -> datetime:
    """The moment a night begins.

    A time that the clocks skip counts an hour later on the new clock; of one that comes twice, the first counts.
    """
    return datetime.combine(night, at, tzinfo=_zone()).astimezone(UTC)


def night_of(now: datetime, at: time) -> date:
    """The latest night whose time has come: the local date on which `at` last passed."""
    today = now.astimezone(_zone()).date()
    return today if start_of(today, at) <= now else today - DAY


def night_due(now: datetime) -> date:
    """The night to be checked now.

    Never one before the last that was begun: moving the time to later in the day makes no second sweep of that day.
    """
    # A night of the future was begun by a clock that went wrong. It must not keep the others from beginning.
    past = Sweep.objects.filter(kind=Sweep.Kind.NIGHTLY, night__lte=timezone.localdate(now, _zone()))
    begun: date | None = past.aggregate(last=Max("night"))["last"]
    due = night_of(now, begins())
    return max(due, begun) if begun else due


def next_start(now: datetime) -> datetime:
    """When the next night begins; `now` if one is due that nobody has begun."""
    night = night_due(now)
    if not Sweep.objects.filter(kind=Sweep.Kind.NIGHTLY, night=night).exists():
        return now
    return start_of(night + DAY, begins())


def is_switched_off() -> bool:
    """Has somebody switched an entry of the clock off, or made of the night's something that is no time of day?

    The admin offers no way to it, but a database has other doors.
    """
    tasks = PeriodicTask.objects.filter(name__in=[NIGHTLY, RECONCILER]).select_related("crontab")
    return any(not task.enabled or (task.name == NIGHTLY and _daily(task.crontab) is None) for task in tasks)


def keep() -> None:
    """See that the clock has the night's entry, in the site's time zone. Made now, it begins at SWEEP_AT."""
    task = _nightly()
    if task is None:
        _make(settings.SWEEP_AT)
    elif task.crontab and str(task.crontab.timezone) != settings.TIME_ZONE:
        task.crontab.timezone = settings.TIME_ZONE
        task.crontab.save(update_fields=["timezone"])  # by save(), which tells beat


def change(at: time) -> None:
    """Let nights begin at this local time from now on, and switch on what somebody has switched off."""
    keep()
    with transaction.atomic():
        for task in PeriodicTask.objects.select_for_update(of=("self",)).filter(name__in=[NIGHTLY, RECONCILER]):
            if task.name == NIGHTLY:
                task.crontab = _crontab(at, task.crontab)
                task.interval = task.solar = task.clocked = None
            task.enabled = True
            task.save()


def _make(at: time) -> None:
    try:
        with transaction.atomic():
            PeriodicTask.objects.create(
                name=NIGHTLY,
                task="monitoring.tasks.start_sweep",
                crontab=_crontab(at),
                description="Its time is set under Checks, When the night begins.",
            )
    except (IntegrityError, ValidationError):
        pass  # somebody else made it at the same moment


def _crontab(at: time, row: CrontabSchedule | None = None) -> CrontabSchedule:
    """A row of our own, changed in place: deleting one would delete every entry that goes by it."""
    row = row or CrontabSchedule()
    row.minute, row.hour = str(at.minute), str(at.hour)
    row.day_of_week = row.day_of_month = row.month_of_year = "*"
    row.timezone = settings.TIME_ZONE
    row.save()
    return row


def _nightly() -> PeriodicTask | None:
    task: PeriodicTask | None = PeriodicTask.objects.select_related("crontab").filter(name=NIGHTLY).first()
    return task


def _daily(crontab: CrontabSchedule | None) -> time | None:
    """The time of day of an entry that comes every day, else None."""
    if crontab is None or (crontab.day_of_week, crontab.day_of_month, crontab.month_of_year) != ("*", "*", "*"):
        return None
    try:
        return time(int(crontab.hour), int(crontab.minute))
    except ValueError:
        return None


def _zone() -> tzinfo:
    """Of the settings, whatever zone a request may have made its own."""
    return timezone.get_default_timezone()
