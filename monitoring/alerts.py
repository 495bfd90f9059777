"""Who is told, and the telling: alerts and deliveries are rows first, then sent, and tried again from the database."""

import logging
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPResponseException

from django.conf import settings
from django.utils import timezone

from tenants.models import AppRegistration

from .models import Alert, Delivery, Finding
from .transports.email import Email

PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=4))
SET_ASIDE_AFTER = timedelta(days=3)  # a mail server down over a weekend comes back within these
RUN = timedelta(minutes=4)

logger = logging.getLogger(__name__)


# Who is told


def addresses_for(finding: Finding) -> list[str]:
    """Whom a finding is announced to, each once: the registration's alert addresses, else ALERT_EMAILS."""
    return _once(finding.about.alert_emails or settings.ALERT_EMAILS)


def _once(addresses: list[str]) -> list[str]:
    return list({address.casefold(): address for address in reversed(addresses)}.values())[::-1]


def nobody_is_told() -> bool:
    """Is there a registration whose faults nobody would hear of?"""
    return not settings.ALERT_EMAILS and AppRegistration.objects.live().filter(alert_emails=[]).exists()


def announce(finding: Finding, step: int) -> None:
    """Write the alert of this step and its deliveries, unless this epoch has it already. Inside a transaction.

    That it is over (Alert.RESOLVED) goes to those who were told of it, and to nobody else.
    """
    addresses = _told(finding) if step == Alert.RESOLVED else addresses_for(finding)
    if step == Alert.RESOLVED and not addresses:
        return
    alert, is_new = Alert.objects.get_or_create(finding=finding, epoch=finding.epoch, step=step)
    if is_new:
        Delivery.objects.bulk_create(Delivery(alert=alert, address=address) for address in addresses)


def _told(finding: Finding) -> list[str]:
    ours = Delivery.objects.filter(alert__finding=finding, alert__epoch=finding.epoch)
    sent = ours.exclude(state=Delivery.State.SET_ASIDE).order_by("created_at")
    return _once(list(sent.values_list("address", flat=True)))


# Telling them


def deliver_due() -> None:
    """Send what is due, one after the other, for a few minutes at most. Safe to run twice at once, or to kill."""
    until = timezone.now() + RUN
    with Email() as email:
        while due := list(Delivery.objects.due().order_by("next_at", "created_at").values_list("pk", flat=True)[:100]):
            for pk in due:
                if timezone.now() >= until:
                    return
                delivery = Delivery.objects.claim(pk)
                if delivery is not None:
                    deliver(delivery, email)


def deliver(delivery: Delivery, email: Email) -> None:
    """Send a claimed delivery and save how it went; what fails is due again after a pause, for up to three days."""
    problem = _send(delivery, email)
    now = timezone.now()
    delivery.tries[-1]["problem"] = problem
    if not problem:
        delivery.state, delivery.sent_at = Delivery.State.SENT, now
    elif now - delivery.created_at >= SET_ASIDE_AFTER:
        delivery.state = Delivery.State.SET_ASIDE
        logger.error("alert not delivered", extra={"delivery": str(delivery.pk), "tries": len(delivery.tries)})
    else:
        delivery.next_at = now + PAUSES[min(len(delivery.tries), len(PAUSES)) - 1]
    fields = {name: getattr(delivery, name) for name in ("state", "sent_at", "tries", "next_at")}
    mine = Delivery.objects.filter(pk=delivery.pk, lease_by=delivery.lease_by)
    mine.update(lease_by=None, lease_until=None, **fields)


def _send(delivery: Delivery, email: Email) -> str:
    """What went wrong, in a few words; empty if the mail server took it."""
    try:
        email.send(delivery)
    except Exception as problem:  # whatever is wrong with one message or address must not keep the next from going out
        logger.warning("alert not sent", extra={"delivery": str(delivery.pk), "problem": type(problem).__name__})
        return _words(problem)
    return ""


def _words(problem: Exception) -> str:
    answer = f" {problem.smtp_code}" if isinstance(problem, SMTPResponseException) else ""
    if isinstance(problem, SMTPRecipientsRefused):
        answer = "".join(f" {code}" for code, _ in problem.recipients.values())
    return f"{type(problem).__name__}{answer}"
