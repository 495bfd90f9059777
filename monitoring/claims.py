"""Claims: which rows of a sweep may be looked at now, and taking some of them by lease.

A lease is set and compared by the database's clock, so that a worker whose own is wrong takes nothing too early. No
look begins later than a minute after its claim, and the longest takes under two (discovery and token, each 5 s to
connect, 15 s for the first byte, 30 s for the rest), so a lease of four minutes outlasts both and leaves one to save
in. Whoever comes too late all the same finds the lease gone and saves nothing.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone

from oauth.models import Connection
from tenants.fault_points import maybe_crash
from tenants.models import AppRegistration, Credential

from . import outages
from .models import Finding, Sweep
from .observations import Subject

BATCH = 500
SUSPECTS = 50
PROBE = 3  # rows of a cloud that did not answer, to see whether it does now
LEASE = timedelta(minutes=4)
BEGIN_WITHIN = timedelta(minutes=1)
GIVE_UP_AFTER = timedelta(hours=12)


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows that this lease holds, as they were read after it was taken, with their registrations' current secrets."""

    sweep: Sweep
    lease: uuid.UUID
    rows: Sequence[Subject]
    credentials: Mapping[int, Credential]
    is_probe: bool = False
    begun: datetime = field(default_factory=timezone.now)


def claim(sweep: Sweep, *, has_others: bool = False) -> Batch | None:
    """What is to be looked at next, if there is anything: registrations, then their connections.

    What was tried before comes last, a few at a time, and never to a worker that `has_others` in hand: one of them may
    be what its worker died of, and whatever a dying worker holds counts as tried.
    """
    down = set() if is_given_up(sweep) else outages.down()
    for cloud in down & outages.to_probe() if down else ():
        batch = _probe(sweep, cloud)
        if batch is not None:
            return batch
    fresh, tried = Q(tries=0), Q(tries__gt=0)
    for which, most in ((fresh, BATCH),) if has_others else ((fresh, BATCH), (tried, SUSPECTS)):
        for rows in (registrations(sweep), connections(sweep)):
            batch = _claim(sweep, _without(rows.filter(which), down), most)
            if batch is not None:
                return batch
    return None


def has_work(sweep: Sweep) -> bool:
    """Is there something that a worker could claim now?"""
    resting = set() if is_given_up(sweep) else outages.down() - outages.to_probe()
    return any(_ready(sweep, _without(rows, resting)).exists() for rows in (registrations(sweep), connections(sweep)))


def next_due(sweep: Sweep) -> datetime | None:
    """When the first of what waits for its time may be looked at."""
    moments = [
        moment
        for rows in (registrations(sweep), connections(sweep))
        for moment in _without(free(rows), outages.down()).order_by("next_at").values_list("next_at", flat=True)[:1]
        if moment is not None
    ]
    return min(moments, default=None)


def is_held(sweep: Sweep) -> bool:
    """Is somebody looking at something of this sweep?"""
    held = Q(lease_until__gt=Now())
    return registrations(sweep).filter(held).exists() or before(sweep, sweep.connections()).filter(held).exists()


def is_given_up(sweep: Sweep) -> bool:
    return timezone.now() - sweep.started_at >= GIVE_UP_AFTER


def before(sweep: Sweep, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those this sweep is not done with."""
    return rows.filter(last_sweep__lt=sweep.pk)


def free(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(Q(lease_until=None) | Q(lease_until__lte=Now()))


def registrations(sweep: Sweep) -> QuerySet[Any]:
    return before(sweep, sweep.registrations())


def connections(sweep: Sweep) -> QuerySet[Any]:
    """Those still to be asked: their registration has been looked at and nothing is wrong with it."""
    # "+ 0", or PostgreSQL, whose statistics know of no registration that is so far, starts from these each time and
    # sorts all that they have.
    is_told: Any = GreaterThanOrEqual(F("registration__last_sweep") + 0, sweep.pk)
    told = before(sweep, sweep.connections()).filter(is_told)
    return told.exclude(token_status=Connection.TokenStatus.DEAD).exclude(in_vain())


def in_vain() -> Q:
    """Connections whose registration's own sign-in is refused, or gave no answer when it was last tried.

    Where it cannot sign in as itself (AppRegistration.signs_in_itself), only its connections can tell.
    """
    signs_in_itself = ~Q(registration__directory="") & ~Q(registration__audience=AppRegistration.Audience.PERSONAL)
    silent = ~Q(registration__unanswered_why="")
    return signs_in_itself & (silent | Q(registration__in=Finding.objects.inhibited_registrations()))


def credentials_of(rows: Sequence[Subject]) -> dict[int, Credential]:
    """The current secret of each registration of these rows, by the registration's key."""
    registrations = {registration.pk: registration for registration in map(registration_of, rows)}
    current = list(Credential.objects.current().filter(registration__in=registrations))
    for credential in current:
        credential.registration = registrations[credential.registration_id]
    return {credential.registration_id: credential for credential in current}


def registration_of(row: Subject) -> AppRegistration:
    return row if isinstance(row, AppRegistration) else row.registration


def _without(rows: QuerySet[Any], clouds: set[str]) -> QuerySet[Any]:
    if not clouds:
        return rows
    return rows.exclude(**{"cloud__in" if rows.model is AppRegistration else "registration__cloud__in": clouds})


def _ready(sweep: Sweep, rows: QuerySet[Any]) -> QuerySet[Any]:
    rows = free(rows)
    return rows if is_given_up(sweep) else rows.filter(Q(next_at=None) | Q(next_at__lte=timezone.now()))


def _probe(sweep: Sweep, cloud: str) -> Batch | None:
    for rows in (registrations(sweep).filter(cloud=cloud), connections(sweep).filter(registration__cloud=cloud)):
        if _ready(sweep, rows).exists():
            return _claim(sweep, rows, PROBE, is_probe=True) if outages.take_probe(cloud) else None
    return None


def _claim(sweep: Sweep, rows: QuerySet[Any], size: int, *, is_probe: bool = False) -> Batch | None:
    lease = uuid.uuid4()
    # In the index's own order, or all that is done already is walked through to find what is not.
    order = ("last_sweep", "pk") if rows.model is AppRegistration else ("last_sweep", "turn", "registration_id", "pk")
    with transaction.atomic():
        ready = _ready(sweep, rows).order_by(*order).select_for_update(skip_locked=True, of=("self",))
        pks = list(ready.values_list("pk", flat=True)[:size])
        held = rows.model._default_manager.filter(pk__in=pks)
        if pks:
            held.update(lease_by=lease, lease_until=Now() + LEASE, tries=F("tries") + 1)
    if not pks:
        return None
    maybe_crash("sweep.claimed")
    own = held.filter(lease_by=lease).order_by(*order[1:])
    # Tenants of connections are read where something is to be said of them: hardly ever.
    own = own.select_related("tenant") if rows.model is AppRegistration else own.prefetch_related("registration")
    claimed = list(own)
    return Batch(sweep, lease, claimed, credentials_of(claimed), is_probe)
