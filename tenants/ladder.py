"""How a coming end is announced: in steps, each of them once, and more pressing from one to the next."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from django.conf import settings

from .models import Tenant

LAST_STEP = 1000  # that it has ended
DAY = timedelta(days=1)
# Nights are not quite a day apart: clocks change, and a sweep takes its time. With half a day of grace no night that
# was slept through in full leaves a step out, and none comes more than half a day early.
GRACE = DAY / 2
CRITICAL_FROM = 3 * DAY
AT_ONCE_FROM = DAY


@dataclass(frozen=True)
class Rung:
    """A step that is reached: `step` rises from one to the next, whatever the list of days.

    `is_coming`: more than about a day is left, so there is no hurry to tell of it.
    """

    step: int
    severity: str
    is_coming: bool


def days_for(tenant: Tenant | None) -> list[int]:
    """How many days before a client secret ends there is a step: the tenant's own list, else SECRET_WARN_DAYS."""
    own: list[int] | None = tenant.warn_days if tenant else None
    usual: list[int] = settings.SECRET_WARN_DAYS
    return own or usual


def reached(left: timedelta, days: Iterable[int]) -> Rung | None:
    """The last step reached with so much time left, or None before the first. The end itself is always a step."""
    if left <= timedelta(0):
        return Rung(LAST_STEP, "critical", is_coming=False)
    passed = [day for day in days if day > 0 and left <= day * DAY + GRACE]
    if not passed:
        return None
    severity = "critical" if left <= CRITICAL_FROM + GRACE else "warning"
    return Rung(LAST_STEP - min(passed), severity, is_coming=left > AT_ONCE_FROM + GRACE)


def day_of(moment: datetime) -> str:
    """A day as a sentence names it, by UTC."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y} (UTC)"


def in_days(left: timedelta) -> str:
    """How soon, as a sentence says it."""
    days = ceil(left / DAY)
    return "within a day" if days <= 1 else f"in {days} days"
