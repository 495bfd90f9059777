"""The ledger of a sweep: claim a batch by lease, look at Microsoft outside any transaction, save in one that is fenced.

A batch of 50 is looked at by 16 threads, so in four rounds. No look begins later than a minute after the claim, and the
longest takes under two (discovery and token, each 5 s to connect, 15 s for the first byte, 30 s for the rest), so a
lease of three minutes outlasts them all. Whoever comes too late all the same finds the lease gone and saves nothing.
"""

import logging
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from oauth import health
from oauth.health import NoAnswer, Verdict
from oauth.models import Connection
from tenants.models import AppRegistration, Credential

from .models import Finding, Sweep
from .observations import Result, Subject, tell

BATCH = 50
THREADS = 16
LEASE = timedelta(minutes=3)
BEGIN_WITHIN = timedelta(minutes=1)
TRIES = 3
# At night there is time for a disturbance to pass; whoever pressed a button is waiting.
PAUSES = {
    Sweep.Kind.NIGHTLY: (timedelta(minutes=5), timedelta(minutes=20)),
    Sweep.Kind.MANUAL: (timedelta(seconds=15), timedelta(seconds=45)),
}
THROTTLED_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=12)

logger = logging.getLogger(__name__)


# Claim


@dataclass(frozen=True)
class Batch:
    """Rows that this lease holds, as they were read after it was taken."""

    sweep: Sweep
    lease: uuid.UUID
    rows: Sequence[Subject]
    begun: datetime = field(default_factory=timezone.now)


def batches(sweep_id: int, *, seconds: float = float("inf")) -> Iterator[Batch]:
    """Claimed batches until nothing is left to claim or the time is up: registrations, then their connections.

    Closes the sweep when nothing is left before it at all.
    """
    sweep, until = Sweep.objects.running().filter(pk=sweep_id).first(), time.monotonic() + seconds
    while sweep is not None and time.monotonic() < until:
        batch = _claim(sweep, _registrations(sweep)) or _claim(sweep, _connections(sweep))
        if batch is None:
            _close(sweep)
            return
        yield batch


def has_work(sweep: Sweep) -> bool:
    """Is there something that a worker could claim now?"""
    return _ready(sweep, _registrations(sweep)).exists() or _ready(sweep, _connections(sweep)).exists()


def is_held(sweep: Sweep) -> bool:
    """Is somebody looking at something of this sweep?"""
    held = Q(lease_until__gt=timezone.now())
    return _registrations(sweep).filter(held).exists() or _before(sweep, sweep.connections()).filter(held).exists()


def _before(sweep: Sweep, rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(last_sweep__lt=sweep.pk)


def _registrations(sweep: Sweep) -> QuerySet[Any]:
    return _before(sweep, sweep.registrations())


def _connections(sweep: Sweep) -> QuerySet[Any]:
    """Those still to be asked: their registration has been looked at and nothing is wrong with it."""
    told = _before(sweep, sweep.connections()).filter(registration__last_sweep__gte=sweep.pk)
    return told.exclude(token_status=Connection.TokenStatus.DEAD).exclude(registration__in=_broken())


def _broken() -> QuerySet[Any, Any]:
    """Registrations whose own sign-in is refused. Where it has no directory, only its connections can tell."""
    told = Finding.objects.exclude(registration__directory="").exclude(credential__registration__directory="")
    return told.inhibited_registrations()


def _free(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(Q(lease_until=None) | Q(lease_until__lte=timezone.now()))


def _is_given_up(sweep: Sweep) -> bool:
    return timezone.now() - sweep.started_at >= GIVE_UP_AFTER


def _ready(sweep: Sweep, rows: QuerySet[Any]) -> QuerySet[Any]:
    free = _free(rows)
    return free if _is_given_up(sweep) else free.filter(Q(next_at=None) | Q(next_at__lte=timezone.now()))


def _claim(sweep: Sweep, rows: QuerySet[Any]) -> Batch | None:
    lease = uuid.uuid4()
    with transaction.atomic():
        # Without an order PostgreSQL and SQLite walk through all that is done already to find what is not.
        ready = _ready(sweep, rows).order_by("last_sweep", "pk").only("pk")
        pks = [row.pk for row in ready.select_for_update(skip_locked=True, of=("self",))[:BATCH]]
        held = rows.model._default_manager.filter(pk__in=pks)
        held.update(lease_by=lease, lease_until=timezone.now() + LEASE, tries=F("tries") + 1)
    if not pks:
        return None
    related = ("tenant",) if rows.model is AppRegistration else ("tenant", "registration__tenant")
    return Batch(sweep, lease, list(held.filter(lease_by=lease).select_related(*related).order_by("pk")))


# Look


def look_at(batch: Batch) -> None:
    """Look at all of a claimed batch and save what was found out."""
    results = list(_look(batch))
    try:
        _save(batch, results)
    except Exception as problem:  # one row that cannot be saved costs only itself
        _log("batch not saved", problem, sweep=batch.sweep.pk)
        for result in results:
            _save_alone(batch, result)


def _save_alone(batch: Batch, result: Result) -> None:
    try:
        _save(batch, [result])
    except Exception as problem:
        _log("result not saved", problem, sweep=batch.sweep.pk, subject=str(result.row.pk))
        if result.row.tries > TRIES:
            # Not even that it is set aside can be saved; it must not hold the sweep up for ever.
            with transaction.atomic():
                own = type(result.row)._default_manager.filter(pk=result.row.pk, lease_by=batch.lease)
                own.update(last_sweep=batch.sweep.pk, tries=0, lease_by=None, lease_until=None)
                batch.sweep.save_counts(set_aside=1)


def _look(batch: Batch) -> Iterator[Result]:
    credentials = _credentials(batch.rows)
    asks = [_prepare(row, credentials) for row in batch.rows]
    with ThreadPoolExecutor(THREADS) as threads:
        outcomes = threads.map(partial(_ask, batch), batch.rows, asks)
        for row, outcome in zip(batch.rows, outcomes, strict=True):
            yield Result(row, outcome, credentials.get(_registration_of(row).pk))


def _registration_of(row: Subject) -> AppRegistration:
    return row if isinstance(row, AppRegistration) else row.registration


def _credentials(rows: Iterable[Subject]) -> dict[int, Credential]:
    registrations = {_registration_of(row).pk for row in rows}
    current = Credential.objects.current().filter(registration__in=registrations)
    return {credential.registration_id: credential for credential in current.select_related("registration__tenant")}


def _prepare(row: Subject, credentials: dict[int, Credential]) -> Any:
    registration = _registration_of(row)
    try:
        ask = health.registration_to_ask(registration, credentials.get(registration.pk))
        return health.connection_to_ask(row, ask) if isinstance(row, Connection) else ask
    except Exception as problem:
        return _broken_look(row, problem)


def _ask(batch: Batch, row: Subject, ask: Any) -> Verdict | NoAnswer | None:
    """Runs in a thread: no database."""
    if _is_given_up(batch.sweep) and (row.next_at or row.tries > 1):  # what nobody got round to is asked once
        return NoAnswer(why="the check ran out of time.")
    if row.tries > TRIES:
        return NoAnswer(why=f"it stopped {TRIES} times before it was done.", ours=True)
    if isinstance(ask, Verdict | NoAnswer):
        return ask
    if timezone.now() - batch.begun > BEGIN_WITHIN:
        return None
    try:
        if isinstance(ask, health.RegistrationToAsk):
            return health.look_at_registration(ask)
        return health.look_at_connection(ask)
    except Exception as problem:
        return _broken_look(row, problem)


def _broken_look(row: Subject, problem: Exception) -> NoAnswer:
    """One subject that breaks a look costs only itself."""
    _log("look failed", problem, subject=str(row.pk))
    return NoAnswer(why="Tenantry met an error of its own.", ours=True)


def _log(message: str, problem: Exception, **extra: Any) -> None:
    # Where it happened and of what kind; the text of an exception may quote what must not be in a log.
    where = traceback.format_tb(problem.__traceback__)
    logger.error(message, extra={"problem": type(problem).__name__, "where": where, **extra})


# Save


def _save(batch: Batch, results: list[Result]) -> None:
    now = timezone.now()
    with transaction.atomic():
        held = _still_held(batch, results)
        settled = [(result, verdict) for result in held if (verdict := _verdict(batch.sweep, result))]
        tell(settled, now)
        _write(batch, held, now)
        _ask_registrations_again(batch.sweep, held)
        batch.sweep.save_counts(**Counter(_counter(result, verdict) for result, verdict in settled))


def _still_held(batch: Batch, results: list[Result]) -> dict[Result, Any]:
    """Results for rows that are still ours, each with its row as it is now, locked.

    What was asked with a token or a client secret that was replaced meanwhile does not count: its row goes back to be
    looked at again. What was archived meanwhile is left alone.
    """
    model = type(batch.rows[0])
    own: QuerySet[Any] = model._default_manager.filter(pk__in=[r.row.pk for r in results], lease_by=batch.lease)
    if model is AppRegistration:
        own = own.filter(archived_at=None)
    stored = {row.pk: row for row in own.select_for_update(of=("self",)).order_by("pk")}
    # A grant is kept, whichever secret it was asked with.
    in_doubt = {result for result in results if getattr(result.outcome, "grant", None) is None}
    current = _credentials(result.row for result in in_doubt) if in_doubt else {}
    held = {}
    for result in results:
        row = stored.get(result.row.pk)
        if row is None:
            continue
        is_same = getattr(row, "refresh_token", None) == getattr(result.row, "refresh_token", None)
        if result in in_doubt:
            is_same &= current.get(_registration_of(result.row).pk) == result.credential
        held[result if is_same else replace(result, outcome=None)] = row
    if len(held) < len(results):
        logger.warning("late results dropped", extra={"sweep": batch.sweep.pk, "dropped": len(results) - len(held)})
    return held


def _verdict(sweep: Sweep, result: Result) -> Verdict | None:
    """What this sweep has to say of the row in the end; None while there is nothing."""
    match result.outcome:
        case Verdict():
            return result.outcome
        case NoAnswer() if _is_given_up(sweep) or (result.row.tries >= TRIES and not result.outcome.throttled):
            # One finding of a registration stands for all its connections.
            return health.unverified(result.outcome, inhibits=isinstance(result.row, AppRegistration))
    return None


def _ask_registrations_again(sweep: Sweep, held: Iterable[Result]) -> None:
    doubted = {
        _registration_of(result.row).pk
        for result in held
        if isinstance(result.outcome, NoAnswer) and result.outcome.doubts_registration
    }
    if doubted:
        rows = AppRegistration.objects.filter(pk__in=doubted, lease_by=None, last_sweep__gte=sweep.pk)
        sweep.save_counts(planned=rows.update(last_sweep=sweep.pk - 1))


def _counter(result: Result, verdict: Verdict) -> str:
    if isinstance(result.outcome, NoAnswer) and result.row.tries >= TRIES:
        return "set_aside"
    return "done" if verdict.is_checked else "failed"


def _write(batch: Batch, held: Mapping[Result, Any], now: datetime) -> None:
    """Nothing but the columns this look is about: an operator or a person who consents may be at the same row."""
    groups: dict[tuple[str, ...], list[Any]] = {}
    for result, row in held.items():
        changes = _ledger(batch.sweep, result, now) | _judged(result.outcome, now)
        for name, value in changes.items():
            setattr(row, name, value)
        groups.setdefault(tuple(changes), []).append(row)
    for fields, rows in groups.items():
        type(rows[0])._default_manager.filter(lease_by=batch.lease).bulk_update(rows, fields)


def _ledger(sweep: Sweep, result: Result, now: datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {"lease_by": None, "lease_until": None}
    verdict = _verdict(sweep, result)
    if verdict is not None:
        checked = {"checked_at": now} if verdict.is_checked else {}
        return {**changes, "last_sweep": sweep.pk, "tries": 0, "next_at": None, **checked}
    if isinstance(result.outcome, NoAnswer) and not result.outcome.throttled:
        return {**changes, "next_at": now + _pause(sweep, result.outcome, result.row.tries)}
    if isinstance(result.outcome, NoAnswer):
        changes["next_at"] = now + _pause(sweep, result.outcome, 0)
    return {**changes, "tries": max(result.row.tries - 1, 0)}


def _pause(sweep: Sweep, silence: NoAnswer, tries: int) -> timedelta:
    own = PAUSES[Sweep.Kind(sweep.kind)][tries - 1] if tries else THROTTLED_PAUSE
    asked = timedelta(seconds=silence.retry_after) if silence.retry_after is not None else own
    return min(asked if silence.throttled else max(asked, own), LONGEST_PAUSE)


def _judged(outcome: Verdict | NoAnswer | None, now: datetime) -> dict[str, Any]:
    if not isinstance(outcome, Verdict) or not outcome.status:
        return {}
    changes: dict[str, Any] = {"token_status": outcome.status, "blocked": outcome.blocked}
    if outcome.grant is not None:
        changes |= {"refresh_token": outcome.grant.refresh_token, "refreshed_at": now}
        if outcome.grant.scopes:
            changes["scopes_granted"] = list(outcome.grant.scopes)
    return changes


# Close


def _close(sweep: Sweep) -> None:
    waiting = _free(_before(sweep, sweep.connections())).filter(registration__last_sweep__gte=sweep.pk)
    with transaction.atomic():
        in_vain = _pass_over(sweep, waiting.filter(registration__in=_broken()))
        dead = _pass_over(sweep, waiting.filter(token_status=Connection.TokenStatus.DEAD))
        sweep.save_counts(failed=in_vain, done=dead)
    if _registrations(sweep).exists() or _before(sweep, sweep.connections()).exists():
        return
    if Sweep.objects.running().filter(pk=sweep.pk).update(finished_at=timezone.now()):
        sweep.refresh_from_db()
        counts = {name: getattr(sweep, name) for name in ("kind", "planned", "done", "failed", "set_aside")}
        took = (timezone.now() - sweep.started_at).total_seconds()
        logger.info("sweep finished", extra={"sweep": sweep.pk, "seconds": round(took), **counts})


def _pass_over(sweep: Sweep, connections: QuerySet[Any]) -> int:
    """Done with these without asking Microsoft; how many they were. Nothing else about them changes."""
    # The number stands outside the subquery too: there PostgreSQL looks again at a row another worker has just counted.
    rows = Connection.objects.filter(pk__in=connections.values("pk"), last_sweep__lt=sweep.pk)
    return rows.update(last_sweep=sweep.pk, lease_by=None, lease_until=None, tries=0, next_at=None)
