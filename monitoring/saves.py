"""Saves: what came of looks goes into the database, fenced by the lease, in one transaction with what is said of it."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from oauth import health
from oauth.health import NoAnswer, Verdict
from oauth.http import GUID
from oauth.models import Connection
from tenants.fault_points import maybe_crash
from tenants.holding import hold
from tenants.models import AppRegistration, Credential

from .claims import before, is_given_up, registration_of
from .looks import Looked, door_of, log, logger
from .models import Sweep
from .observations import Result, tell
from .tries import TRIES, pause_after

# While the database is away, what Microsoft answered is kept in memory and stored when it is back.
PAUSES = (1, 2, 4, 8, 15)


def save(sweep: Sweep, looks: Sequence[Looked], down: frozenset[str] | set[str] = frozenset()) -> None:
    """Save what came of these looks, and say nothing of clouds that are down.

    One that cannot be saved costs only itself.
    """
    for _, some in groupby(looks, key=lambda looked: type(looked.result.row)):
        _save_stubbornly(sweep, list(some), down)


def _save_stubbornly(sweep: Sweep, looks: list[Looked], down: Iterable[str]) -> None:
    for pause in (*PAUSES, None):
        try:
            _save(sweep, looks, down)
        except (OperationalError, InterfaceError):
            if pause is None or connection.in_atomic_block:
                raise
            connection.close()
            time.sleep(pause)
        except Exception as problem:
            log("batch not saved", problem, sweep=sweep.pk)
            for looked in looks:
                _save_alone(sweep, looked, down)
            return
        else:
            return


def _save_alone(sweep: Sweep, looked: Looked, down: Iterable[str]) -> None:
    row = looked.result.row
    try:
        _save(sweep, [looked], down)
    except Exception as problem:
        log("result not saved", problem, sweep=sweep.pk, subject=str(row.pk))
        if row.tries > TRIES:
            # Not even that it is set aside can be saved; it must not hold the sweep up for ever.
            with transaction.atomic():
                own = type(row)._default_manager.filter(pk=row.pk, lease_by=looked.batch.lease)
                own.update(last_sweep=sweep.pk, tries=0, lease_by=None, lease_until=None)
                sweep.save_counts(set_aside=1)


def _save(sweep: Sweep, looks: Sequence[Looked], down: Iterable[str]) -> None:
    now = timezone.now()
    with transaction.atomic():
        _hold_registrations(looks)
        held = _still_held(sweep, looks)
        verdicts = [(looked, verdict) for looked in held if (verdict := _verdict(sweep, looked.result, down))]
        tell([(looked.result, verdict) for looked, verdict in verdicts], now)
        maybe_crash("sweep.saving")
        _write(sweep, held, dict(verdicts), down, now)
        _close_doors(sweep, held, now)
        _ask_registrations_again(sweep, held)
        sweep.save_counts(**Counter(_counter(looked.result, verdict) for looked, verdict in verdicts))
    maybe_crash("sweep.saved")


def _hold_registrations(looks: Iterable[Looked]) -> None:
    """Those that connections will have asked again or put off, before the connections themselves are held."""
    about = set()
    for row, outcome in ((looked.result.row, looked.result.outcome) for looked in looks):
        if isinstance(row, Connection) and isinstance(outcome, NoAnswer):
            about |= {row.registration_id} if outcome.throttled or outcome.doubts_registration else set()
    if about:
        hold(AppRegistration.objects.filter(pk__in=about).only("pk"))


def _still_held(sweep: Sweep, looks: Sequence[Looked]) -> list[Looked]:
    """Those whose rows are still ours, now locked.

    What was asked with a token or a client secret that was replaced meanwhile does not count: its row goes back to be
    looked at again. What was archived meanwhile is left alone.
    """
    model = type(looks[0].result.row)
    leases = {looked.result.row.pk: looked.batch.lease for looked in looks}
    own: QuerySet[Any] = model._default_manager.filter(pk__in=leases, lease_by__in=set(leases.values()))
    own = own.filter(archived_at=None) if model is AppRegistration else own
    columns = ["pk", "lease_by", "refresh_token" if model is Connection else "pk"]
    locked = own.select_for_update(of=("self",)).order_by("pk").values_list(*columns)
    stored = {pk: token for pk, lease, token in locked if leases[pk] == lease}
    held = [looked for looked in looks if looked.result.row.pk in stored]
    if len(held) < len(looks):
        logger.warning("late results dropped", extra={"sweep": sweep.pk, "dropped": len(looks) - len(held)})
    secrets = _current_secrets(held)
    return [looked if _is_current(looked.result, stored, secrets) else _put_back(looked) for looked in held]


def _current_secrets(looks: Sequence[Looked]) -> dict[int, Any]:
    # A grant is kept, whichever secret it was asked with.
    doubtful = {registration_of(looked.result.row).pk for looked in looks if looked.sealed is None}
    if not doubtful:
        return {}
    return dict(Credential.objects.current().filter(registration__in=doubtful).values_list("registration", "pk"))


def _is_current(result: Result, stored: Mapping[Any, Any], secrets: Mapping[int, Any]) -> bool:
    row = result.row
    if isinstance(row, Connection) and stored[row.pk] != row.refresh_token:
        return False
    if getattr(result.outcome, "grant", None) is not None:
        return True
    return secrets.get(registration_of(row).pk) == (result.credential.pk if result.credential else None)


def _put_back(looked: Looked) -> Looked:
    return replace(looked, result=replace(looked.result, outcome=None), sealed=None)


def _verdict(sweep: Sweep, result: Result, down: Iterable[str]) -> Verdict | None:
    """What this sweep has to say of the row in the end; None while there is nothing."""
    outcome = result.outcome
    if isinstance(outcome, Verdict) or outcome is None:
        return outcome
    is_over = is_given_up(sweep) or (result.row.tries >= TRIES and not outcome.throttled)
    if not is_over:
        return None
    is_told = outcome.ours or _nights(sweep, result, down) >= settings.UNANSWERED_NIGHTS
    if registration_of(result.row).cloud in down or not is_told:
        return Verdict(is_checked=False)  # nothing is known, so nothing changes
    # One finding of a registration stands for all its connections.
    return health.unverified(outcome, inhibits=isinstance(result.row, AppRegistration))


def _nights(sweep: Sweep, result: Result, down: Iterable[str]) -> int:
    """For how many nights running this row has had no answer, with this one, if it is one.

    A check that somebody asked for is none, and one in which the whole cloud was silent says nothing of the row.
    """
    is_night = sweep.kind == Sweep.Kind.NIGHTLY and registration_of(result.row).cloud not in down
    return result.row.unanswered + is_night


def _ask_registrations_again(sweep: Sweep, held: Iterable[Looked]) -> None:
    doubted = {
        registration_of(looked.result.row).pk
        for looked in held
        if isinstance(looked.result.outcome, NoAnswer) and looked.result.outcome.doubts_registration
    }
    if doubted:
        rows = AppRegistration.objects.filter(pk__in=doubted, lease_by=None, last_sweep__gte=sweep.pk)
        sweep.save_counts(planned=rows.update(last_sweep=sweep.pk - 1))


def _close_doors(sweep: Sweep, held: Iterable[Looked], now: datetime) -> None:
    """Where Microsoft asked to wait, nobody asks before that: what is not claimed yet waits as long."""
    closed: dict[Any, datetime] = {}
    for looked in held:
        outcome = looked.result.outcome
        if isinstance(outcome, NoAnswer) and outcome.throttled:
            until = now + pause_after(sweep, outcome, 0)
            door = door_of(looked.result.row)
            closed[door] = max(until, closed.get(door, until))
    for (registration, directory), until in sorted(closed.items()):
        earlier = Q(next_at=None) | Q(next_at__lt=until)
        own = before(sweep, AppRegistration.objects.filter(pk=registration, directory__iexact=directory))
        own.filter(earlier, lease_by=None).update(next_at=until)
        if GUID.fullmatch(directory):  # else a domain, and no connection names its directory so
            those = before(sweep, Connection.objects.filter(registration=registration, tid=directory))
            those.filter(earlier, lease_by=None).update(next_at=until)


def _counter(result: Result, verdict: Verdict) -> str:
    if isinstance(result.outcome, NoAnswer) and result.row.tries >= TRIES:
        return "set_aside"
    return "done" if verdict.is_checked else "failed"


# Rows


def _write(
    sweep: Sweep, held: Iterable[Looked], verdicts: Mapping[Looked, Verdict], down: Iterable[str], now: datetime
) -> None:
    """Nothing but the columns this look is about: an operator or a person who consents may be at the same row."""
    groups: dict[tuple[str, ...], list[tuple[Looked, dict[str, Any]]]] = {}
    for looked in held:
        changes = _ledger(sweep, looked, verdicts.get(looked), down, now) | _judged(looked, now)
        groups.setdefault(tuple(changes), []).append((looked, changes))
    for columns, rows in groups.items():
        _update(columns, rows)


def _update(columns: Sequence[str], rows: Sequence[tuple[Looked, dict[str, Any]]]) -> None:
    """One statement for many rows, each with its own values; and of each only while its lease is ours.

    One and not one a row (executemany): between two, a hundred other threads would want their turn at the interpreter.
    What all rows share, as they do most of it on a quiet night, stands in it once.
    """
    model = type(rows[0][0].result.row)
    quote, table = connection.ops.quote_name, model._meta.db_table
    key, lease = model._meta.pk, model._meta.get_field("lease_by")
    fields: list[Any] = [key, lease, *map(model._meta.get_field, columns)]
    pks, leases = ([looked.result.row.pk for looked, _ in rows], [looked.batch.lease for looked, _ in rows])
    values: list[list[Any]] = [pks, leases, *([changes[column] for _, changes in rows] for column in columns)]
    own = [n for n, of_all in enumerate(values) if n == 0 or any(value != of_all[0] for value in of_all)]

    def written(number: int) -> str:
        if number not in own:
            return "%s"
        name = f"new.column{own.index(number) + 1}"  # what both databases call it
        # What PostgreSQL is given in a list of values, it takes for text.
        casts = connection.features.requires_casted_case_in_updates
        return f"CAST({name} AS {fields[number].cast_db_type(connection)})" if casts else name

    def prepared(number: int, row: int = 0) -> Any:
        return fields[number].get_db_prep_save(values[number][row], connection)

    changed = range(2, len(fields))
    assigned = ", ".join(f"{quote(fields[n].column)} = {written(n)}" for n in changed)
    one = f"({', '.join(['%s'] * len(own))})"
    statement = (
        f"UPDATE {quote(table)} SET {assigned} "  # noqa: S608  names of our own columns
        f"FROM (VALUES {', '.join([one] * len(rows))}) AS new WHERE "
        f"{quote(table)}.{quote(key.column)} = {written(0)} AND {quote(table)}.{quote(lease.column)} = {written(1)}"
    )
    parameters = [
        *(prepared(n) for n in changed if n not in own),
        *(prepared(n, row) for row in range(len(rows)) for n in own),
        *(prepared(n) for n in [1] if n not in own),
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        if cursor.rowcount != len(rows):
            raise DatabaseError("A row that was locked is not ours any more.")


def _ledger(
    sweep: Sweep, looked: Looked, verdict: Verdict | None, down: Iterable[str], now: datetime
) -> dict[str, Any]:
    row, outcome = looked.result.row, looked.result.outcome
    changes: dict[str, Any] = {"lease_by": None, "lease_until": None}
    if verdict is not None:
        changes |= {"last_sweep": sweep.pk, "tries": 0, "next_at": None}
        if isinstance(outcome, NoAnswer):
            nights = _nights(sweep, looked.result, down)
            return {**changes, "unanswered": nights, "unanswered_why": outcome.why[:200]}
        changes |= {"unanswered": 0, "unanswered_why": ""}
        return {**changes, "checked_at": now} if verdict.is_checked else changes
    if isinstance(outcome, NoAnswer) and not outcome.throttled:
        return {**changes, "next_at": now + pause_after(sweep, outcome, row.tries)}
    changes["tries"] = max(row.tries - 1, 0)
    if isinstance(outcome, NoAnswer):
        return {**changes, "next_at": now + pause_after(sweep, outcome, 0)}
    return {**changes, "next_at": looked.not_before} if looked.not_before else changes


def _judged(looked: Looked, now: datetime) -> dict[str, Any]:
    outcome = looked.result.outcome
    if not isinstance(outcome, Verdict) or not outcome.status:
        return {}
    changes: dict[str, Any] = {"token_status": outcome.status, "blocked": outcome.blocked}
    if outcome.grant is not None:
        changes |= {"refresh_token": looked.sealed, "refreshed_at": now}
        if outcome.grant.scopes:
            changes["scopes_granted"] = list(outcome.grant.scopes)
    return changes
