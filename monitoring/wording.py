"""What every message says of findings, whatever it is sent by."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from oauth.errors import then_up_to

from .models import Alert, Delivery, Finding

LINE_LENGTH = 139
SAID = {"error": "error", "suberror": "suberror", "trace_id": "trace ID", "correlation_id": "correlation ID"}
PLATFORM = "Tenantry itself"


@dataclass(frozen=True)
class Item:
    """A finding as a message tells of it: `news` is opened, worse, reminder or resolved."""

    alert: Alert
    news: str

    @property
    def finding(self) -> Finding:
        return self.alert.finding

    @property
    def is_over(self) -> bool:
        return self.news == "resolved"

    @property
    def headline(self) -> str:
        return self.finding.headline

    @property
    def link(self) -> str:
        return link_to(self.finding)

    @property
    def needs_somebody(self) -> bool:
        return not self.is_over and self.finding.resolved_at is None

    @property
    def then_up_to(self) -> str:
        return then_up_to(self.finding.actor)

    @property
    def day(self) -> datetime:
        """By which a digest sorts: when the secret ends, or since when it is so."""
        credential = self.finding.credential
        return (credential.ends_at if credential else None) or self.finding.opened_at

    @property
    def date(self) -> str:
        local = timezone.localtime(self.day)
        return f"{local.day} {local:%B %Y}"


def items_of(delivery: Delivery) -> list[Item]:
    """What this message tells of, each finding once, by its latest news; by tenant and date."""
    alerts: Any = delivery.alerts.with_news()
    paths = [f"finding__{path}" for path in (*Finding.SUBJECT, "tenant")]
    latest = {alert.finding_id: alert for alert in alerts.select_related(*paths).order_by("pk")}
    items = [Item(alert, "reminder" if alert.reminder else alert.news) for alert in latest.values()]
    return sorted(items, key=lambda item: (whose(item.finding).casefold(), item.day, item.alert.pk))


def by_tenant(items: Iterable[Item]) -> list[tuple[str, list[Item]]]:
    """The same in groups, in their order."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(whose(item.finding), []).append(item)
    return list(groups.items())


def whose(finding: Finding) -> str:
    if finding.tenant:
        return finding.tenant.name
    return "Shared registration" if finding.about else PLATFORM


def link_to(finding: Finding) -> str:
    return f"{settings.SITE_URL}{reverse('admin:monitoring_finding_change', args=[finding.pk])}"


def link_to_all() -> str:
    return f"{settings.SITE_URL}{reverse('admin:monitoring_finding_changelist')}"


def title_of(delivery: Delivery, items: list[Item]) -> str:
    """The subject of the message, on one line."""
    if delivery.is_test:
        return on_one_line(f"Test of the channel “{delivery.channel}”")
    if len(items) == 1 and delivery.digest_at is None:
        finding = items[0].finding
        word = "Resolved" if items[0].is_over else finding.get_severity_display().capitalize()
        return on_one_line(f"{word}: {whose(finding)}: {finding.headline}").removesuffix(".")
    tenants = [name for name, _ in by_tenant(items)]
    about = tenants[0] if len(tenants) == 1 else f"{len(tenants)} tenants"
    if delivery.digest_at is None:
        return on_one_line(f"{about}: {len(items)} more findings")
    number = "one thing is coming" if len(items) == 1 else f"{len(items)} things are coming"
    return on_one_line(f"Daily digest: {about}: {number}")


def on_one_line(text: str) -> str:
    """Without control characters, which could add headers of their own, and no longer than a subject should be."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= LINE_LENGTH else f"{line[: LINE_LENGTH - 1].rstrip()}…"


def moment(at: datetime) -> str:
    """Day and time in TIME_ZONE, and in UTC where that differs."""
    local, utc = timezone.localtime(at), at.astimezone(UTC)
    text = f"{local.day} {local:%B %Y, %H:%M} {local.tzname()}"
    return text if local.utcoffset() == utc.utcoffset() else f"{text} ({utc:%H:%M} UTC)"


def said(evidence: dict[str, Any]) -> list[str]:
    """What Microsoft said, as short phrases."""
    numbers = [f"AADSTS{code}" for code in evidence.get("codes", [])]
    return numbers + [f"{words} {evidence[name]}" for name, words in SAID.items() if evidence.get(name)]
