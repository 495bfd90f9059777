"""Looks: asking Microsoft about claimed rows, many at a time, in threads that open no database."""

import logging
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from oauth import health
from oauth.health import ConnectionToAsk, NoAnswer, RegistrationToAsk, Verdict
from oauth.http import Turns
from oauth.look import Look, look_at
from oauth.models import Connection
from tenants.fields import Sealed
from tenants.models import AppRegistration

from .claims import BEGIN_WITHIN, Batch, is_given_up, registration_of
from .observations import Result, Subject
from .outages import Breaker
from .pacing import Door, Pace
from .tries import TRIES, pause_after

logger = logging.getLogger(__name__)

PREPARED = 3  # questions that are ready for each that may be in flight


@dataclass(frozen=True, eq=False)
class Looked:
    """What came of one row of a batch. `sealed`: the new token, ready to be stored. `not_before`: when to come back."""

    batch: Batch
    result: Result
    was_asked: bool = False
    sealed: Sealed | None = None
    not_before: datetime | None = None


@dataclass(eq=False)
class _Task:
    """A row on its way through the threads: what to ask, the look once it is made, what came of it if it was bad."""

    batch: Batch
    row: Subject
    door: Door
    ask: Any = field(repr=False)
    look: Look[Any, Any] | None = None
    looked: Looked | None = None


class Crew:
    """Threads that wait for Microsoft. What they are handed comes back by `collect`, in the order in which it is done.

    The worker's own thread makes the questions and judges the answers, many in a row: a hundred threads that each did
    it for one would need twice the time, because each would find the processor's caches full of the others' work.
    """

    def __init__(self, breaker: Breaker, pace: Pace) -> None:
        self._breaker = breaker
        self._pace = pace
        self._threads: list[Thread] = []
        self._rows: deque[tuple[Batch, Subject, dict[int, RegistrationToAsk | Verdict]]] = deque()
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._done: SimpleQueue[_Task | Looked] = SimpleQueue()
        self._is_stopping = False
        self._turns = Turns()
        self.in_air = 0

    def begin(self, batch: Batch) -> None:
        asks: dict[int, RegistrationToAsk | Verdict] = {}
        self._rows.extend((batch, row, asks) for row in batch.rows)
        self.in_air += len(batch.rows)
        self.prepare()

    def prepare(self) -> None:
        """Make questions for those who are next, so that the threads have something to do whatever we wait for."""
        with self._turns.first:
            while self._rows and self._tasks.qsize() < PREPARED * settings.CHECKS_IN_FLIGHT:
                self._prepare(*self._rows.popleft())
        while len(self._threads) < min(self._tasks.qsize(), settings.CHECKS_IN_FLIGHT):
            # Plain ones: at the process's end, an executor's would be waited for, and these wait for tasks.
            self._threads.append(Thread(target=self._work, name="look", daemon=True))
            self._threads[-1].start()

    def _prepare(self, batch: Batch, row: Subject, asks: dict[int, RegistrationToAsk | Verdict]) -> None:
        door = door_of(row)
        come_again = self._pace.admit(door, timezone.now())
        if come_again or self._is_stopping:
            self._done.put(_unasked(batch, row, come_again))
        elif isinstance(todo := self._begun(batch, row, door, asks), Looked):
            self._done.put(todo)
        else:
            self._tasks.put(todo)

    def collect(self, most: int, seconds: float) -> list[Looked]:
        """What is done, up to so many: waits a while for the first and takes what else there is."""
        self.prepare()
        found: list[_Task | Looked] = []
        with suppress(Empty):
            found.append(self._done.get(timeout=seconds))
            while len(found) < most:
                found.append(self._done.get_nowait())
        self.in_air -= len(found)
        with self._turns.first:
            return [done if isinstance(done, Looked) else self._judged(done) for done in found]

    def stop(self) -> None:
        """Begin no further look; what was handed in comes back unasked."""
        self._is_stopping = True

    def close(self) -> None:
        """Send the threads home: each when it has its answer."""
        for _ in self._threads:
            self._tasks.put(None)

    def _begun(
        self, batch: Batch, row: Subject, door: Door, asks: dict[int, RegistrationToAsk | Verdict]
    ) -> _Task | Looked:
        try:
            ask = _without_asking(batch, row) or _to_ask(batch, row, asks)
            if isinstance(ask, Verdict | NoAnswer):
                return Looked(batch, _result(batch, row, ask))
            return _Task(batch, row, door, ask, look_at(ask) if ask.cloud.built_in else None)
        except Exception as problem:
            return _broken(batch, row, problem)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            with self._turns:
                try:
                    self._wait(task)
                except Exception as problem:
                    task.looked = _broken(task.batch, task.row, problem)
                self._done.put(task)

    def _wait(self, task: _Task) -> None:
        batch, row = task.batch, task.row
        now, cloud = timezone.now(), registration_of(row).cloud
        is_down = cloud in self._breaker.down and not batch.is_probe
        closed_until = self._pace.closed_until(task.door, now)
        if self._is_stopping or is_down or closed_until or now - batch.begun > BEGIN_WITHIN:
            task.looked = _unasked(batch, row, closed_until)
            return
        task.look = task.look or look_at(task.ask)
        task.look.wait()
        if not task.look.is_granted:  # judged at once: it may be that nobody else is to ask there
            task.looked = self._judged(task)

    @sensitive_variables()
    def _judged(self, task: _Task) -> Looked:
        batch, row = task.batch, task.row
        if task.looked is not None:
            return task.looked
        try:
            assert task.look is not None  # noqa: S101  it has been waited for
            outcome = task.look.outcome()
            grant = outcome.grant if isinstance(outcome, Verdict) else None
            sealed = Sealed.for_row(row, TOKEN, grant.refresh_token) if grant else None
        except Exception as problem:
            return _broken(batch, row, problem)
        if isinstance(outcome, NoAnswer) and outcome.throttled:
            self._pace.close(task.door, timezone.now() + pause_after(batch.sweep, outcome, 0))
        return Looked(batch, _result(batch, row, outcome), was_asked=True, sealed=sealed)


@sensitive_variables()
def _to_ask(
    batch: Batch, row: Subject, asks: dict[int, RegistrationToAsk | Verdict]
) -> RegistrationToAsk | ConnectionToAsk | Verdict:
    """What to ask of this row. `asks` are those of its batch's registrations that are known."""
    registration = registration_of(row)
    if registration.pk not in asks:
        asks[registration.pk] = health.registration_to_ask(registration, batch.credentials.get(registration.pk))
    ask = asks[registration.pk]
    return health.connection_to_ask(row, ask) if isinstance(row, Connection) else ask


TOKEN: Any = Connection._meta.get_field("refresh_token")


def door_of(row: Subject) -> Door:
    """Which registration asks in which directory."""
    if isinstance(row, AppRegistration):
        return row.pk, row.directory.lower()
    return row.registration_id, str(row.tid)


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


def _broken(batch: Batch, row: Subject, problem: Exception) -> Looked:
    """One subject that breaks a look costs only itself."""
    log("look failed", problem, subject=str(row.pk))
    return Looked(batch, _result(batch, row, NoAnswer(why="Tenantry met an error of its own.", ours=True)))


def log(message: str, problem: Exception, **extra: Any) -> None:
    # Where it happened and of what kind; the text of an exception may quote what must not be in a log.
    where = traceback.format_tb(problem.__traceback__)
    logger.error(message, extra={"problem": type(problem).__name__, "where": where, **extra})
