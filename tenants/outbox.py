"""Messages on their way: rows first, then sent, and tried again from the database.

What waits is divided into lanes: one for all mail, one for each channel. Lanes are sent side by side and know nothing
of each other's trouble; within a lane one message follows the other.
"""

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.utils import timezone

from .fault_points import maybe_crash
from .models.outgoing import Outgoing, OutgoingQuerySet

# How long after each failed try the next one comes, with up to a tenth more. The schedule of Standard Webhooks, but
# never more than four hours: what was down over a weekend gets everything soon after it is back.
PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=4),
)
JITTER = 0.1
SET_ASIDE_AFTER = timedelta(days=3)  # a mail server down over a weekend comes back within these
LONGEST_WAIT = timedelta(days=1)  # whatever the other side asks for
RUN = timedelta(minutes=4)
SENDERS = 8
AT_ONCE = 100  # rows looked up at a time
SOON = 0.1  # seconds until it is looked again for what waits for its lane's pace
LOOK_AGAIN = 0.3  # seconds until a free lane may begin while others are under way

logger = logging.getLogger(__name__)

_Row = TypeVar("_Row", bound=Outgoing)


class NotWanted(Exception):
    """Raised while a message is built: it must not be sent any more. Operators read the reason among the tries."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class NotTaken(Exception):
    """The other side did not take the message. `words` say so in a code or a class, never by what it answered.

    `retry_after`: how many seconds it asks us to wait. `is_gone`: it said that it never takes one again.
    """

    def __init__(self, words: str, *, retry_after: float | None = None, is_gone: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.retry_after = retry_after
        self.is_gone = is_gone


class Mailer:
    """The way to the mail server. Leaves the connection open from one message to the next, until one fails."""

    def __init__(self) -> None:
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def send(self, message: EmailMultiAlternatives) -> None:
        """Hand the message to the mail server, or raise whatever went wrong."""
        try:
            if self._connection is None:
                self._connection = get_connection()
                self._connection.open()
            message.connection = self._connection
            message.send()
        except Exception:
            self._close()  # the next message gets a connection of its own
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):  # a server that has already hung up
                connection.close()


Send = Callable[[], None]  # hands one message over or raises; called in another thread, so it asks no database
Prepare = Callable[[_Row, Mailer], Send]
Settled = Callable[[_Row, Exception | None, datetime], None]


def by_mail(message_of: Callable[[_Row], EmailMultiAlternatives]) -> Prepare[_Row]:
    """For rows that are all sent by mail."""
    return lambda row, mailer: partial(mailer.send, message_of(row))


def unobserved(row: Outgoing, failure: Exception | None, now: datetime) -> None:
    """Nobody needs to know how a try ended but the row."""


def deliver_due(
    rows: OutgoingQuerySet[_Row], prepare: Prepare[_Row], settled: Settled[_Row] = unobserved, *, run: timedelta = RUN
) -> None:
    """Send what is due, for a few minutes at most. Safe to run twice at once, or to kill.

    Call it outside any transaction: `prepare` then finds its row claimed for good, and what it writes itself stays.
    `settled` is told how each try ended, in the transaction that saves it: sent (None), or what went wrong.
    """
    until = time.monotonic() + run.total_seconds()
    lanes: dict[str, deque[Any]] = {}
    under_way: dict[Future[None], Try[_Row]] = {}
    with Mailer() as mailer, ThreadPoolExecutor(SENDERS) as pool:
        while True:
            if time.monotonic() < until:
                for begun in _begin(rows, lanes, [other.row.lane for other in under_way.values()]):
                    attempt = Try(begun, settled)
                    attempt.prepare(prepare, mailer)
                    under_way[pool.submit(attempt.send)] = attempt
            if under_way:
                for future in wait(under_way, timeout=LOOK_AGAIN, return_when=FIRST_COMPLETED).done:
                    under_way.pop(future).save()
            elif time.monotonic() >= until or not rows.due_soon().exists():
                return
            else:
                time.sleep(SOON)


def _begin(rows: OutgoingQuerySet[_Row], lanes: dict[str, deque[Any]], busy: list[str]) -> Iterator[_Row]:
    """Claim what the free lanes have next, as far as there is somebody to send it."""
    if len(busy) < SENDERS:
        known = {*busy, *(lane for lane, waiting in lanes.items() if waiting)}
        for row in rows.due().besides(known).order_by("next_at", "created_at")[:AT_ONCE]:
            lanes.setdefault(row.lane, deque()).append(row.pk)
    for lane in [lane for lane in lanes if lane not in busy]:
        waiting = lanes[lane]
        while waiting and len(busy) < SENDERS:
            claimed = rows.claim(waiting.popleft())
            if claimed is not None:
                maybe_crash("delivery.claimed")
                busy.append(lane)
                yield claimed
                break
        if not waiting:
            del lanes[lane]


class Try(Generic[_Row]):
    """One try at a claimed row: prepared, sent and saved, in this order, of which only sending takes its time."""

    def __init__(self, row: _Row, settled: Settled[_Row] = unobserved) -> None:
        self.row = row
        self._settled = settled
        self._mine = type(row)._default_manager.filter(pk=row.pk, lease_by=row.lease_by)
        self._send: Send | None = None
        self._failure: Exception | None = None

    def prepare(self, prepare: Prepare[_Row], mailer: Mailer) -> None:
        try:
            self._send = prepare(self.row, mailer)
        except Exception as failure:  # whatever is wrong with one message must not keep the next from going out
            self._failure = failure

    def send(self) -> None:
        if self._send is None:
            return
        try:
            self._send()
        except Exception as failure:  # nor what is wrong with one address
            self._failure = failure

    def save(self) -> None:
        """Save how it went; what fails is due again after a pause, for up to three days."""
        maybe_crash("delivery.sent")
        row, failure, now = self.row, self._failure, timezone.now()
        row.tries[-1]["problem"] = _words(failure)
        if failure is None:
            row.state, row.sent_at = Outgoing.State.SENT, now
        elif isinstance(failure, NotWanted):
            row.state = Outgoing.State.SET_ASIDE
        else:
            self._put_off(failure, now)
        fields = {name: getattr(row, name) for name in ("state", "sent_at", "tries", "next_at")}
        if row.state != Outgoing.State.WAITING:
            fields |= dict.fromkeys(row.secret_while_waiting)
        with transaction.atomic():
            if self._mine.update(lease_by=None, lease_until=None, **fields):
                self._settled(row, failure, now)
        maybe_crash("delivery.saved")

    def _put_off(self, failure: Exception, now: datetime) -> None:
        row = self.row
        named = {"row": f"{row._meta.model_name}:{row.pk}", "problem": _words(failure)}
        logger.warning("message not sent", extra=named)
        is_gone = isinstance(failure, NotTaken) and failure.is_gone
        tries = _this_time(row.tries)
        if is_gone or now - datetime.fromisoformat(tries[0]["at"]) >= SET_ASIDE_AFTER:
            row.state = Outgoing.State.SET_ASIDE
            logger.error("message not delivered", extra={**named, "tries": len(row.tries)})
        else:
            row.next_at = now + _pause(len(tries), failure)


def _this_time(tries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tries since somebody last asked for it to be sent again."""
    asked = [number for number, entry in enumerate(tries, start=1) if entry.get("again")]
    return tries[asked[-1] :] if asked else tries


def _pause(tries: int, failure: Exception) -> timedelta:
    pause = PAUSES[min(tries, len(PAUSES)) - 1] * (1 + random.uniform(0, JITTER))  # noqa: S311  no secret is made of it
    return max(pause, asked_to_wait(failure))


def asked_to_wait(failure: Exception | None) -> timedelta:
    """How long the other side wants to be left alone."""
    seconds = (failure.retry_after or 0) if isinstance(failure, NotTaken) else 0
    return min(timedelta(seconds=seconds), LONGEST_WAIT)


def _words(problem: Exception | None) -> str:
    """What went wrong, in a few words; never its text, which may quote the message."""
    match problem:
        case None:
            return ""
        case NotWanted():
            return str(problem)
        case NotTaken():
            return problem.words
        case SMTPRecipientsRefused():
            return " ".join(["SMTPRecipientsRefused", *(str(code) for code, _ in problem.recipients.values())])
        case SMTPResponseException():
            return f"{type(problem).__name__} {problem.smtp_code}"
    return type(problem).__name__
