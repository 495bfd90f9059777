"""Looks: asking Microsoft about claimed rows, many at a time, each in a thread that opens no database."""

import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from oauth import health
from oauth.health import NoAnswer, Verdict
from oauth.http import Turns
from oauth.models import Connection
from tenants.fields import Sealed
from tenants.models import AppRegistration

from .claims import BEGIN_WITHIN, Batch, is_given_up, registration_of
from .observations import Result, Subject
from .outages import Breaker
from .pacing import Door, Pace
from .tries import TRIES, pause_after

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Looked:
    """What came of one row of a batch. `sealed`: the new token, ready to be stored. `not_before`: when to come back."""

    batch: Batch
    result: Result
    was_asked: bool = False
    sealed: Sealed | None = None
    not_before: datetime | None = None


class Crew:
    """Threads that look. What they are handed comes back by `collect`, in the order in which it is done."""

    def __init__(self, breaker: Breaker, pace: Pace) -> None:
        self._breaker = breaker
        self._pace = pace
        self._threads = ThreadPoolExecutor(settings.CHECKS_IN_FLIGHT, thread_name_prefix="look")
        self._done: SimpleQueue[Looked] = SimpleQueue()
        self._turns = Turns()
        self._is_stopping = False
        self.in_air = 0

    def begin(self, batch: Batch) -> None:
        now = timezone.now()
        for row in batch.rows:
            self.in_air += 1
            come_again = self._pace.admit(door_of(row), now)
            if come_again is None:
                self._threads.submit(self._run, batch, row)
            else:
                self._done.put(_unasked(batch, row, come_again))

    def collect(self, most: int, seconds: float) -> list[Looked]:
        """What is done, up to so many: waits a while for the first and takes what else there is."""
        found: list[Looked] = []
        with suppress(Empty):
            found.append(self._done.get(timeout=seconds))
            while len(found) < most:
                found.append(self._done.get_nowait())
        self.in_air -= len(found)
        return found

    def stop(self) -> None:
        """Begin no further look; what was handed in comes back unasked."""
        self._is_stopping = True

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    def _run(self, batch: Batch, row: Subject) -> None:
        with self._turns:
            try:
                looked = self._look(batch, row)
            except Exception as problem:
                looked = Looked(batch, _result(batch, row, _broken_look(row, problem)))
            self._done.put(looked)

    @sensitive_variables()
    def _look(self, batch: Batch, row: Subject) -> Looked:
        if (verdict := _without_asking(batch, row)) is not None:
            return Looked(batch, _result(batch, row, verdict))
        registration, now = registration_of(row), timezone.now()
        is_down = registration.cloud in self._breaker.down and not batch.is_probe
        closed_until = self._pace.closed_until(door_of(row), now)
        if self._is_stopping or is_down or closed_until or now - batch.begun > BEGIN_WITHIN:
            return _unasked(batch, row, closed_until)
        ask: Any = health.registration_to_ask(registration, batch.credentials.get(registration.pk))
        if isinstance(row, Connection):
            ask = health.connection_to_ask(row, ask)
        if isinstance(ask, Verdict):
            return Looked(batch, _result(batch, row, ask))
        if isinstance(ask, health.RegistrationToAsk):
            outcome = health.look_at_registration(ask)
        else:
            outcome = health.look_at_connection(ask)
        if isinstance(outcome, NoAnswer):
            if outcome.throttled:
                self._pace.close(door_of(row), timezone.now() + pause_after(batch.sweep, outcome, 0))
            return Looked(batch, _result(batch, row, outcome), was_asked=True)
        sealed = Sealed.for_row(row, TOKEN, outcome.grant.refresh_token) if outcome.grant else None
        return Looked(batch, _result(batch, row, outcome), was_asked=True, sealed=sealed)


TOKEN: Any = Connection._meta.get_field("refresh_token")


def door_of(row: Subject) -> Door:
    """Which registration asks in which directory."""
    if isinstance(row, AppRegistration):
        return row.pk, row.directory.lower()
    return row.registration_id, str(row.tid)


def look(batch: Batch) -> list[Looked]:
    """Look at all of one batch."""
    crew = Crew(Breaker(), Pace(settings.CHECKS_PER_SECOND))
    crew.begin(batch)
    return [looked for _ in iter(lambda: crew.in_air, 0) for looked in crew.collect(len(batch.rows), 1.0)]


def _result(batch: Batch, row: Subject, outcome: Verdict | NoAnswer | None) -> Result:
    return Result(row, outcome, batch.credentials.get(registration_of(row).pk))


def _unasked(batch: Batch, row: Subject, not_before: datetime | None) -> Looked:
    return Looked(batch, _result(batch, row, None), not_before=not_before)


def _without_asking(batch: Batch, row: Subject) -> NoAnswer | None:
    if is_given_up(batch.sweep) and (row.next_at or row.tries > 1):  # what nobody got round to is asked once
        return NoAnswer(why="the check ran out of time.")
    if row.tries > TRIES:
        return NoAnswer(why=f"it stopped {TRIES} times before it was done.", ours=True)
    return None


def _broken_look(row: Subject, problem: Exception) -> NoAnswer:
    """One subject that breaks a look costs only itself."""
    log("look failed", problem, subject=str(row.pk))
    return NoAnswer(why="Tenantry met an error of its own.", ours=True)


def log(message: str, problem: Exception, **extra: Any) -> None:
    # Where it happened and of what kind; the text of an exception may quote what must not be in a log.
    where = traceback.format_tb(problem.__traceback__)
    logger.error(message, extra={"problem": type(problem).__name__, "where": where, **extra})
