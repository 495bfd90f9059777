"""Sign-ins that nobody renews run out: Microsoft lets a refresh token lapse after 90 days without use.

Source: Microsoft identity platform, "Refresh tokens in the Microsoft identity platform", token lifetime; it cannot be
configured since January 2021.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Count, Min
from django.db.models.functions import Coalesce

from tenants import ladder
from tenants.ladder import day_of, in_days
from tenants.models import AppRegistration

from .kinds import OURS_BY_KIND, RECONNECT, TOKEN_IDLE
from .models import Connection
from .signals import Seen

LIMIT = timedelta(days=90)
DAYS = (30, 14, 7, 3, 1, 0)


def lapses_at(connection: Connection) -> datetime:
    """When the stored sign-in lapses, if it is not renewed before."""
    return (connection.refreshed_at or connection.connected_at) + LIMIT


def look_at_idle(connection: Connection, fault: Seen, now: datetime) -> Seen | None:
    """`token_idle`, if this sign-in, which `fault` keeps from being renewed, lapses soon or has lapsed."""
    ends = lapses_at(connection)
    rung = ladder.reached(ends - now, DAYS)
    if rung is None:
        return None
    told = f"The stored sign-in was last renewed on {day_of(ends - LIMIT)}; Microsoft lets it lapse after 90 days"
    more = {"step": rung.step, "severity": rung.severity, "is_coming": rung.is_coming}
    if ends <= now:
        what = f"{told}, which passed on {day_of(ends)}."
        return OURS_BY_KIND[TOKEN_IDLE].seen(actor="mailbox_owner", what=what, remedy=RECONNECT, **more)
    what = f"{told}, on {day_of(ends)}, {in_days(ends - now)}. It cannot be renewed: {fault.what}"
    remedy = (
        f"{fault.remedy} If it is not renewed by then, only the mailbox owner can mend it, with a link to reconnect."
    )
    return OURS_BY_KIND[TOKEN_IDLE].seen(actor=fault.actor, what=what, remedy=remedy, **more)


@dataclass(frozen=True)
class Waiting:
    """The connections that a registration's fault keeps from being renewed: how many, and when the first lapses."""

    number: int
    first: datetime


def waiting_for(registrations: Iterable[AppRegistration]) -> dict[int, Waiting]:
    """By registration, those of its live connections whose grant still stands. One query for all."""
    living = Connection.objects.live().exclude(token_status=Connection.TokenStatus.DEAD)
    last_used = Coalesce("refreshed_at", "connected_at")
    rows = living.filter(registration__in=list(registrations)).order_by().values_list("registration")
    counted = rows.annotate(number=Count("pk"), first=Min(last_used))
    return {pk: Waiting(number, first + LIMIT) for pk, number, first in counted}


def standing_for(seen: Seen, waiting: Waiting | None, now: datetime) -> Seen:
    """A fault of a registration that says whom it concerns, and gets worse as the first of them comes to lapse."""
    if waiting is None:
        return seen
    whose = "one connection is" if waiting.number == 1 else f"{waiting.number:,} connections are"
    first = "Its sign-in" if waiting.number == 1 else "The first of their sign-ins"
    when = f"lapses on {day_of(waiting.first)}" if waiting.first > now else f"lapsed on {day_of(waiting.first)}"
    told = replace(seen, what=f"{seen.what} Meanwhile {whose} not renewed. {first} {when}.")
    rung = ladder.reached(waiting.first - now, DAYS)
    if rung is None:
        return told
    severity = "critical" if "critical" in (seen.severity, rung.severity) else seen.severity
    # Above the fault's own steps, whatever they are.
    return replace(told, step=seen.step + rung.step - ladder.LAST_STEP + 100, severity=severity)
