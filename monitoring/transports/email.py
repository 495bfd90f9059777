"""Alerts as mail: one message to one address, threaded by finding, over one connection to the mail server per run."""

from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from ..models import Alert, Delivery, Finding

SUBJECT_LENGTH = 150
SAID = {"error": "error", "suberror": "suberror", "trace_id": "trace ID", "correlation_id": "correlation ID"}


class Email:
    """The way to the mail server. Leaves the connection open from one message to the next, until one fails."""

    def __init__(self) -> None:
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def send(self, delivery: Delivery) -> None:
        """Hand the message to the mail server, or raise whatever went wrong."""
        message = message_of(delivery)
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


def message_of(delivery: Delivery) -> EmailMultiAlternatives:
    """The mail for this delivery: the same Message-ID on every try, and one thread for all mails of a finding."""
    alert = delivery.alert
    context = _context(alert)
    host = urlsplit(settings.SITE_URL).hostname
    thread = f"<finding-{alert.finding_id}@{host}>"
    message = EmailMultiAlternatives(
        subject=_subject(alert),
        body=render_to_string("emails/alert.txt", context),
        to=[delivery.address],
        headers={
            "Message-ID": f"<{delivery.pk}@{host}>",
            "In-Reply-To": thread,
            "References": thread,
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string("emails/alert.html", context), "text/html")
    return message


def _subject(alert: Alert) -> str:
    finding = alert.finding
    over = "Resolved: " if alert.step == Alert.RESOLVED else f"{finding.get_severity_display().capitalize()}: "
    whose = finding.tenant or "Shared registration"
    return _on_one_line(f"[Tenantry] {over}{whose}: {_headline(finding)}".removesuffix("."))


def _on_one_line(text: str) -> str:
    """Without control characters, which could add headers of their own, and no longer than a subject should be."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= SUBJECT_LENGTH else f"{line[: SUBJECT_LENGTH - 1].rstrip()}…"


def _headline(finding: Finding) -> str:
    """What is wrong with whom, in one sentence."""
    name = finding.connection.address if finding.connection else f"“{finding.about.name}”"
    return finding.what if name in finding.what else f"{name}: {finding.what}"


def _context(alert: Alert) -> dict[str, Any]:
    finding = alert.finding
    is_over = alert.step == Alert.RESOLVED
    # The finding may have moved on since: this is about the epoch the alert was written in.
    is_past = finding.epoch > alert.epoch
    opened_at = finding.alerts.filter(epoch=alert.epoch).earliest("pk").created_at if is_past else finding.opened_at
    over_at = alert.created_at if is_over else finding.resolved_at
    return {
        "finding": finding,
        "headline": _headline(finding),
        "is_over": is_over,
        "needs_somebody": not is_over and finding.resolved_at is None,
        "is_back": is_over and is_past,
        "since": moment(opened_at),
        "over_since": moment(over_at) if over_at else "",
        "said": said(finding.evidence),
        "link": settings.SITE_URL + reverse("admin:monitoring_finding_change", args=[finding.pk]),
    }


def moment(at: datetime) -> str:
    """Day and time in TIME_ZONE, and in UTC where that differs."""
    local, utc = timezone.localtime(at), at.astimezone(UTC)
    text = f"{local.day} {local:%B %Y, %H:%M} {local.tzname()}"
    return text if local.utcoffset() == utc.utcoffset() else f"{text} ({utc:%H:%M} UTC)"


def said(evidence: dict[str, Any]) -> list[str]:
    """What Microsoft said, as short phrases."""
    numbers = [f"AADSTS{code}" for code in evidence.get("codes", [])]
    return numbers + [f"{words} {evidence[name]}" for name, words in SAID.items() if evidence.get(name)]
