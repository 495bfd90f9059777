"""Mails on their way: rows first, then sent, and tried again from the database."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from types import TracebackType
from typing import Any, Self, TypeVar

from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils import timezone

from .models.outgoing import Outgoing, OutgoingQuerySet

PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=4))
SET_ASIDE_AFTER = timedelta(days=3)  # a mail server down over a weekend comes back within these
RUN = timedelta(minutes=4)

logger = logging.getLogger(__name__)

_Row = TypeVar("_Row", bound=Outgoing)


class NotWanted(Exception):
    """Raised while a message is built: it must not be sent any more. Operators read the reason among the tries."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


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


def deliver_due(rows: OutgoingQuerySet[_Row], message_of: Callable[[_Row], EmailMultiAlternatives]) -> None:
    """Send what is due, one after the other, for a few minutes at most. Safe to run twice at once, or to kill.

    Call it outside any transaction: message_of then finds its row claimed for good, and what it writes itself stays.
    """
    until = timezone.now() + RUN
    with Mailer() as mailer:
        while due := list(rows.due().order_by("next_at", "created_at").values_list("pk", flat=True)[:100]):
            for pk in due:
                if timezone.now() >= until:
                    return
                row = rows.claim(pk)
                if row is not None:
                    deliver(row, mailer, message_of)


def deliver(row: _Row, mailer: Mailer, message_of: Callable[[_Row], EmailMultiAlternatives]) -> None:
    """Send a claimed row and save how it went; what fails is due again after a pause, for up to three days."""
    mine = type(row)._default_manager.filter(pk=row.pk, lease_by=row.lease_by)
    named = {"row": f"{row._meta.model_name}:{row.pk}"}
    problem, is_wanted = "", True
    try:
        mailer.send(message_of(row))
    except NotWanted as reason:
        problem, is_wanted = str(reason), False
    except Exception as failure:  # whatever is wrong with one message or address must not keep the next from going out
        problem = _words(failure)
        logger.warning("mail not sent", extra={**named, "problem": type(failure).__name__})
    now = timezone.now()
    row.tries[-1]["problem"] = problem
    if not is_wanted:
        row.state = Outgoing.State.SET_ASIDE
    elif not problem:
        row.state, row.sent_at = Outgoing.State.SENT, now
    elif now - row.created_at >= SET_ASIDE_AFTER:
        row.state = Outgoing.State.SET_ASIDE
        logger.error("mail not delivered", extra={**named, "tries": len(row.tries)})
    else:
        row.next_at = now + PAUSES[min(len(row.tries), len(PAUSES)) - 1]
    fields = {name: getattr(row, name) for name in ("state", "sent_at", "tries", "next_at")}
    if row.state != Outgoing.State.WAITING:
        fields |= dict.fromkeys(row.secret_while_waiting)
    mine.update(lease_by=None, lease_until=None, **fields)


def _words(problem: Exception) -> str:
    """What went wrong, in a few words; never its text, which may quote the message."""
    answer = f" {problem.smtp_code}" if isinstance(problem, SMTPResponseException) else ""
    if isinstance(problem, SMTPRecipientsRefused):
        answer = "".join(f" {code}" for code, _ in problem.recipients.values())
    return f"{type(problem).__name__}{answer}"
