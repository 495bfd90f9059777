"""What people decide about findings, and when it ends: acknowledged, snoozed, said again.

Each function is one transaction with a line of history. Neither acknowledging nor snoozing hides a finding, and neither
outlives the fault it was meant for: what gets worse or comes back is as loud as on its first day.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from oauth.signals import Seen
from tenants.fault_points import maybe_crash
from tenants.models import Event

from . import alerts
from .models import Finding

LONGEST_SNOOZE = timedelta(days=90)
AT_ONCE = 500  # snoozes that one turn of the reconciler ends

UNACKNOWLEDGED: dict[str, Any] = {"acknowledged_at": None, "acknowledged_by": None, "acknowledged_why": ""}
AWAKE: dict[str, Any] = {"snoozed_until": None, "snoozed_by": None, "snoozed_why": ""}


@transaction.atomic
def acknowledge(findings: Iterable[Finding], *, by: Any, why: str, address: str = "") -> list[Finding]:
    """Somebody has taken these on. Returns those that took it: open, not taken on yet, and still as they were seen."""
    changed = [finding for finding in _as_seen(findings) if finding.acknowledged_at is None]
    _set(changed, acknowledged_at=timezone.now(), acknowledged_by=by, acknowledged_why=why)
    for finding in changed:
        _note(finding, "acknowledged", by, reason=why, address=address)
    return changed


@transaction.atomic
def withdraw(findings: Iterable[Finding], *, by: Any, address: str = "") -> list[Finding]:
    """Nobody has taken these on any more. Returns those that were acknowledged."""
    changed = [finding for finding in _locked(findings) if finding.acknowledged_at is not None]
    _set(changed, **UNACKNOWLEDGED)
    for finding in changed:
        _note(finding, "acknowledgement withdrawn", by, address=address)
    return changed


@transaction.atomic
def snooze(findings: Iterable[Finding], until: datetime, *, by: Any, why: str, address: str = "") -> list[Finding]:
    """Say nothing of these until then, unless they get worse. Returns those that took it: open and still as seen.

    Raises ValueError for a time that is over, or more than 90 days away.
    """
    now = timezone.now()
    if not now < until <= now + LONGEST_SNOOZE:
        raise ValueError("A snooze ends within 90 days.")
    changed = _as_seen(findings)
    _set(changed, snoozed_until=until, snoozed_by=by, snoozed_why=why)
    for finding in changed:
        was = _moment(finding.snoozed_until) if finding.is_snoozed else None
        _note(finding, "snoozed", by, reason=why, address=address, changes={"until": [was, _moment(until)]})
    return changed


@transaction.atomic
def wake(findings: Iterable[Finding], *, by: Any, address: str = "") -> list[Finding]:
    """End the snooze of these now, without a reminder. Returns those that were snoozed."""
    changed = [finding for finding in _locked(findings) if finding.is_snoozed]
    _set(changed, **AWAKE)
    for finding in changed:
        _note(finding, "woken", by, address=address)
    return changed


def end_snoozes(now: datetime) -> None:
    """Remind once of each open finding whose snooze is over. Safe to lose, to double, or to kill.

    Nothing is said for now of a suspended or archived tenant, nor of a connection whose registration is at fault: their
    snoozes end when that does.
    """
    over = Finding.objects.open().filter(snoozed_until__lte=now, tenant__suspended_at=None, tenant__archived_at=None)
    over = over.exclude(connection__registration__in=Finding.objects.inhibited_registrations())
    for finding in list(over.order_by("snoozed_until", "pk")[:AT_ONCE]):
        _remind(finding)


@transaction.atomic
def _remind(finding: Finding) -> None:
    # Unless somebody was quicker, or it got worse.
    still = Finding.objects.open().filter(pk=finding.pk, snoozed_until=finding.snoozed_until)
    if not still.update(reminders=F("reminders") + 1, **AWAKE):
        return
    finding.refresh_from_db()
    _note(finding, "snooze ended")
    maybe_crash("lifecycle.awake")
    alerts.announce(finding, finding.step, reminder=finding.reminders)


def take_step(finding: Finding, seen: Seen) -> None:
    """Bring the step up to what is seen now. What got worse is not silenced any more. Inside record()'s transaction.

    What got better by a step gets worse again unannounced. What becomes critical takes a step of its own: it is told.
    """
    rises = finding.severity == Finding.Severity.WARNING and seen.severity == Finding.Severity.CRITICAL
    step = max(finding.step + rises, seen.step)
    if step > finding.step:
        for verb, is_silenced in (
            ("snooze ended: it got worse", finding.is_snoozed),
            ("acknowledgement ended: it got worse", finding.acknowledged_at is not None),
        ):
            if is_silenced:
                _note(finding, verb)
        start_over(finding)
    finding.step = step


def start_over(finding: Finding) -> None:
    """Neither acknowledged nor snoozed, in memory: the caller saves it."""
    for name, value in (UNACKNOWLEDGED | AWAKE).items():
        setattr(finding, name, value)


def _locked(findings: Iterable[Finding]) -> list[Finding]:
    """These as they are now, if they are open, and as they stay until the transaction ends. In one order for all."""
    keys = [finding.pk for finding in findings]
    rows = Finding.objects.open().filter(pk__in=keys).select_related("tenant", "connection").order_by("pk")
    return list(rows.select_for_update(of=("self",)))


def _as_seen(findings: Iterable[Finding]) -> list[Finding]:
    """Without those that came back or got worse since the person looked."""
    seen = {finding.pk: _gravity(finding) for finding in findings}
    return [finding for finding in _locked(findings) if _gravity(finding) == seen[finding.pk]]


def _gravity(finding: Finding) -> tuple[int, int]:
    return finding.epoch, finding.step


def _set(findings: list[Finding], **columns: Any) -> None:
    Finding.objects.filter(pk__in=[finding.pk for finding in findings]).update(**columns)


def _note(finding: Finding, verb: str, by: Any = None, **more: Any) -> None:
    Event.objects.record(verb=verb, subject=finding, tenant=finding.tenant, actor=by, **more)


def _moment(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}" if at else ""
