"""Alerts: one row for each thing that is announced, and the messages that carry it, written with what changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from tenants import outbox
from tenants.fault_points import maybe_crash
from tenants.models import AppRegistration

from . import channels, messages, transports
from .audience import Audience, Target, contacts_for
from .models import Alert, Channel, Delivery, DeliveryAlert, Finding, Severity
from .models.delivery import TO_CONTACT


@dataclass(frozen=True)
class News:
    """That a finding has come to this step, or is over (Alert.RESOLVED); or, after a snooze, still stands there."""

    finding: Finding
    step: int
    reminder: int = 0


def announce(finding: Finding, step: int, *, reminder: int = 0) -> None:
    """Write the alert of this step and its deliveries, unless this epoch has it already. Inside a transaction."""
    announce_all([News(finding, step, reminder)])


def announce_all(news: Iterable[News]) -> None:
    """The same for many at once, in a few queries for all of them. Inside a transaction.

    That it is over goes to those who were told of it, and to nobody else.
    """
    new = _unannounced(list(news))
    if not new:
        return
    told = _told([each.finding for each in new if each.step == Alert.RESOLVED or contacts_for(each.finding)])
    audience = Audience([each.finding for each in new])
    alerts, targets = [], []
    for each in new:
        heard = told.get((each.finding.pk, each.finding.epoch), [])
        named = heard if each.step == Alert.RESOLVED else audience.targets_for(each.finding)
        if each.step != Alert.RESOLVED and not each.reminder:
            # They hear that something is up to them, not that it got worse.
            is_heard = any(target.name.startswith(TO_CONTACT) for target in heard)
            named = named + ([] if is_heard else contacts_for(each.finding))
        if named or each.step != Alert.RESOLVED:
            alerts.append(Alert(finding=each.finding, epoch=each.finding.epoch, step=each.step, reminder=each.reminder))
            targets.append(named)
    messages.carry(list(zip(Alert.objects.bulk_create(alerts), targets, strict=True)))
    maybe_crash("alerts.written")


def _unannounced(news: list[News]) -> list[News]:
    """Those whose step has no alert in this epoch yet. Who announces one of these too waits until we are done."""
    keys = sorted({each.finding.pk for each in news})
    list(Finding.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk").values_list("pk"))
    columns = ("finding", "epoch", "step", "reminder")
    known = set(Alert.objects.filter(finding__in=keys).values_list(*columns))
    new = []
    for each in news:
        key = (each.finding.pk, each.finding.epoch, each.step, each.reminder)
        if key not in known:
            known.add(key)
            new.append(each)
    return new


def _told(findings: list[Finding]) -> dict[tuple[int, int], list[Target]]:
    """Who was told of these findings, or will be, by finding and epoch; without channels that are switched off now."""
    carried = (
        DeliveryAlert.objects.filter(alert__finding__in=[finding.pk for finding in findings])
        .exclude(delivery__state=Delivery.State.SET_ASIDE)
        .exclude(delivery__channel__switched_off_at__isnull=False)
        .select_related("alert", "delivery__channel")
        .order_by("pk")
    )
    told: dict[tuple[int, int], dict[str, Target]] = {}
    for row in carried:
        target = Target(row.target, row.delivery.address, row.delivery.channel)
        told.setdefault((row.alert.finding_id, row.alert.epoch), {})[row.target] = target
    return {key: list(targets.values()) for key, targets in told.items()}


def nobody_is_told() -> bool:
    """Is there a registration of which some fault would be heard by nobody?

    A channel that leaves out severities or kinds does not count: what it leaves out would go nowhere.
    """
    hearing = Channel.objects.live().filter(least_severity=Severity.WARNING, kinds=[])
    if settings.ALERT_EMAILS or hearing.filter(tenant=None).exists():
        return False
    tenants = hearing.exclude(tenant=None).values("tenant")
    unheard = AppRegistration.objects.live().filter(Q(tenant=None) | ~Q(tenant__in=tenants), alert_emails=[])
    return unheard.exists()


def deliver_due() -> None:
    """Send every alert whose time has come."""
    rows = Delivery.objects.select_related("channel", "tenant")
    outbox.deliver_due(rows, transports.prepare, channels.note_try)
