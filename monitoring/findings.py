"""The one receiver of `observed`: opens, escalates, keeps and resolves findings, and has the changes announced."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.dispatch import receiver
from django.utils import timezone

from oauth.models import Connection
from oauth.signals import CloudSeen, Observation, Seen, WatchSeen, disconnected, observed
from tenants.models import AppRegistration, Credential, Tenant

from . import alerts, lifecycle
from .models import Alert, Channel, Finding

Subject = Model | CloudSeen | WatchSeen


@receiver(observed)
def record(sender: Any, observation: Observation, **kwargs: Any) -> None:
    """Bring the subject's findings into line with what was seen, and announce what changed, in one transaction.

    Whatever belongs to a suspended or archived tenant is left alone.
    """
    subject = observation.subject
    tenant = _tenant_of(subject)
    if tenant is not None and (tenant.suspended_at or tenant.archived_at):
        return
    with transaction.atomic():
        stored = {finding.kind: finding for finding in _findings_of(subject)}
        was_inhibiting = any(finding.inhibits and finding.resolved_at is None for finding in stored.values())
        is_quiet = bool(observation.faults) and isinstance(subject, Connection) and _is_inhibited(subject.registration)
        for seen in observation.faults:
            finding = _keep(stored.get(seen.kind), seen, observation) or _open(tenant, seen, observation)
            if not is_quiet:
                alerts.announce(finding, finding.step)
        for finding in stored.values():
            if finding.resolved_at is None and _is_over(finding.kind, observation):
                _resolve(finding, observation)
        if was_inhibiting:
            _end_silence(subject)


@receiver(disconnected)
def close_quietly(sender: Any, connections: list[Connection], **kwargs: Any) -> None:
    """What was wrong with them is over without a word to anybody: they were ended on purpose."""
    Finding.objects.open().filter(connection__in=connections).update(resolved_at=timezone.now())


def _is_over(kind: str, observation: Observation) -> bool:
    is_seen = any(seen.kind == kind for seen in observation.faults)
    return not is_seen and (observation.ruled_out is None or kind in observation.ruled_out)


def _named(subject: Subject) -> dict[str, Any]:
    """Under which of its columns a finding has this subject."""
    match subject:
        case AppRegistration():
            return {"registration": subject}
        case Credential():
            return {"credential": subject}
        case Connection():
            return {"connection": subject}
        case Channel():
            return {"channel": subject}
        case CloudSeen():
            return {"cloud": subject.key}
        case WatchSeen():
            return {"watch": subject.part}
    raise TypeError(f"There are no findings of {type(subject).__name__}.")


def _tenant_of(subject: Subject) -> Tenant | None:
    match subject:
        case Credential():
            return subject.registration.tenant
        case AppRegistration() | Connection() | Channel():
            return subject.tenant
    return None


def _findings_of(subject: Subject, **more: Any) -> list[Finding]:
    named = _named(subject)
    # Locked, so that of two who saw the same change one announces it.
    findings = list(Finding.objects.select_for_update(of=("self",)).filter(**named, **more).order_by("pk"))
    for finding in findings:
        for name, value in named.items():
            setattr(finding, name, value)
    return findings


def _is_inhibited(registration: AppRegistration) -> bool:
    """Does a fault of the registration stand for those of its connections?"""
    own = Q(registration=registration) | Q(credential__registration=registration)
    return Finding.objects.inhibiting().filter(own).exists()


def _end_silence(subject: Subject) -> None:
    """Announce what was kept quiet, if nothing stands for it any more: a dead connection is not looked at again."""
    registration = subject.registration if isinstance(subject, Credential) else subject
    if not isinstance(registration, AppRegistration) or _is_inhibited(registration):
        return
    announce_unheard(Finding.objects.open().filter(connection__registration=registration))


def announce_unheard(findings: QuerySet[Finding]) -> None:
    """Announce those of these open findings that were kept quiet, as far as their tenants are looked after."""
    told = Alert.objects.filter(finding=OuterRef("pk"), epoch=OuterRef("epoch"), step=OuterRef("step"))
    live = findings.filter(~Exists(told), tenant__suspended_at=None, tenant__archived_at=None)
    # Their own faults stand for connections, whose registration is then not asked about each.
    silenced = set(Finding.objects.inhibited_registrations())
    heard = live.select_related(*Finding.SUBJECT, "tenant").order_by("pk")
    alerts.announce_all(
        alerts.News(finding, finding.step)
        for finding in heard
        if finding.connection is None or finding.connection.registration_id not in silenced
    )


def _open(tenant: Tenant | None, seen: Seen, observation: Observation) -> Finding:
    """The subject's first finding of this kind; somebody else may be opening it at the same moment."""
    subject = observation.subject
    finding = Finding(tenant=tenant, kind=seen.kind, step=seen.step, opened_at=observation.at, **_named(subject))
    _describe(finding, seen, observation)
    try:
        with transaction.atomic():
            finding.save(force_insert=True)
    except IntegrityError:
        theirs = _findings_of(subject, kind=seen.kind)[0]
        return _keep(theirs, seen, observation) or theirs
    return finding


def _keep(finding: Finding | None, seen: Seen, observation: Observation) -> Finding | None:
    """The known finding with what was seen now; reopened in its next epoch if it was over."""
    if finding is None:
        return None
    if finding.resolved_at is not None:
        finding.epoch += 1
        finding.opened_at = observation.at
        finding.resolved_at = None
        finding.step = seen.step
        lifecycle.start_over(finding)
    else:
        lifecycle.take_step(finding, seen)
    _describe(finding, seen, observation)
    finding.save()
    return finding


def _describe(finding: Finding, seen: Seen, observation: Observation) -> None:
    finding.severity = seen.severity
    finding.actor = seen.actor
    finding.what = seen.what
    finding.remedy = seen.remedy
    finding.inhibits = seen.inhibits
    finding.is_coming = seen.is_coming
    finding.evidence = dict(seen.evidence)
    finding.last_seen_at = observation.at


def _resolve(finding: Finding, observation: Observation) -> None:
    finding.resolved_at = observation.at
    finding.save(update_fields=["resolved_at"])
    alerts.announce(finding, Alert.RESOLVED)
