"""What happened to a finding, and who was told, in the order of time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from monitoring.models import Alert, Delivery, DeliveryAlert, Finding
from tenants.admin.display import link_to, moment_of, sees_platform
from tenants.admin.outgoing import state_of, tries_of
from tenants.admin.pages import Panel
from tenants.models import Event

MOST = 100  # of alerts and of lines of history, the latest
SAME_MOMENT = timedelta(minutes=5)  # a batch is saved, and announced, a little after it was looked at

NEWS = {"opened": "Opened", "worse": "Got worse", "resolved": "Resolved"}


class Moment(NamedTuple):
    at: datetime
    what: str
    details: Any


def timeline(request: HttpRequest, finding: Finding) -> Panel:
    """From its opening to its end; what the user may not see is told without names."""
    moments = sorted(_moments(request, finding), key=lambda moment: moment.at)
    return Panel(
        title="What happened when",
        columns=["When", "What", "Who, and how it went"],
        rows=[[moment_of(at), what, details] for at, what, details in moments],
        empty="Nothing yet.",
    )


def _moments(request: HttpRequest, finding: Finding) -> Iterator[Moment]:
    """Of what happened at one moment, first why it was announced, then that it was."""
    history = Event.objects.visible_to(request.user).filter(
        subject_type=finding._meta.label_lower, subject_id=str(finding.pk)
    )
    for event in history.select_related("actor")[:MOST]:
        yield Moment(event.at, event.verb.capitalize(), _by(event))
    shown: Any = Alert.objects.visible_to(request.user).filter(finding=finding).with_news()
    alerts = list(shown.order_by("-pk")[:MOST])
    now = [alert for alert in alerts if alert.epoch == finding.epoch]
    opening = min(now, key=lambda alert: alert.pk, default=None)
    was_kept_quiet = opening is None or opening.created_at - finding.opened_at > SAME_MOMENT
    if was_kept_quiet:
        yield Moment(finding.opened_at, _opened(finding.epoch), "Nobody was told yet.")
    carried = _carried(request, alerts)
    for alert in reversed(alerts):
        is_late = alert is opening and was_kept_quiet
        what = "Announced" if is_late else _what(alert)
        yield Moment(
            alert.created_at, what, carried.get(alert.pk) or "Nobody was told: there is no alert address for it."
        )
    if finding.resolved_at and not any(alert.step == Alert.RESOLVED for alert in now):
        yield Moment(finding.resolved_at, "Resolved", "Nobody was told.")


def _opened(epoch: int) -> str:
    return "Opened" if epoch == 1 else "Came back"


def _what(alert: Any) -> str:
    if alert.reminder:
        return "Said again"
    return _opened(alert.epoch) if alert.news == "opened" else NEWS[alert.news]


def _by(event: Event) -> Any:
    who = str(event.actor or "Tenantry itself")
    until = event.changes.get("until")
    return format_html(
        "{}{}{}", who, f", until {until[1]}" if until else "", f": {event.reason}" if event.reason else ""
    )


def _carried(request: HttpRequest, alerts: list[Alert]) -> dict[int, Any]:
    """What became of each alert, as lines: to whom, whether it arrived, and each try."""
    visible = set(Delivery.objects.visible_to(request.user).filter(alerts__in=alerts).values_list("pk", flat=True))
    rows: dict[int, list[Any]] = {}
    carried = DeliveryAlert.objects.filter(alert__in=alerts).select_related("delivery__channel")
    for row in carried.order_by("pk"):
        rows.setdefault(row.alert_id, []).append(_line(request, row.delivery, is_visible=row.delivery_id in visible))
    return {
        key: format_html_join("", '<div class="told">{}</div>', ((line,) for line in lines))
        for key, lines in rows.items()
    }


def _line(request: HttpRequest, delivery: Delivery, *, is_visible: bool) -> Any:
    if not is_visible:
        return format_html("in a message about several tenants {}", state_of(delivery))
    channel = delivery.channel
    is_nameless = channel is not None and channel.tenant_id is None and not sees_platform(request.user)
    whom = "a channel for all tenants" if is_nameless else str(channel or delivery.address)
    return format_html("{} {} {}", link_to(delivery, whom), state_of(delivery), tries_of(delivery))
