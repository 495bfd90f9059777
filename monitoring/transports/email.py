"""Alerts as mail: one message to one address, threaded by finding."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from oauth.errors import then_up_to

from ..models import Alert, Delivery

SUBJECT_LENGTH = 150
SAID = {"error": "error", "suberror": "suberror", "trace_id": "trace ID", "correlation_id": "correlation ID"}


def message_of(delivery: Delivery) -> EmailMultiAlternatives:
    """The mail for this delivery: the same Message-ID on every try, and one thread for all mails of a finding."""
    alert = delivery.alerts.get()
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
    return _on_one_line(f"[Tenantry] {over}{whose}: {finding.headline}".removesuffix("."))


def _on_one_line(text: str) -> str:
    """Without control characters, which could add headers of their own, and no longer than a subject should be."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= SUBJECT_LENGTH else f"{line[: SUBJECT_LENGTH - 1].rstrip()}…"


def _context(alert: Alert) -> dict[str, Any]:
    finding = alert.finding
    is_over = alert.step == Alert.RESOLVED
    # The finding may have moved on since: this is about the epoch the alert was written in.
    is_past = finding.epoch > alert.epoch
    opened_at = finding.alerts.filter(epoch=alert.epoch).earliest("pk").created_at if is_past else finding.opened_at
    over_at = alert.created_at if is_over else finding.resolved_at
    return {
        "finding": finding,
        "headline": finding.headline,
        "is_over": is_over,
        "needs_somebody": not is_over and finding.resolved_at is None,
        "is_back": is_over and is_past,
        "then_up_to": then_up_to(finding.actor),
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
