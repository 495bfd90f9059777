"""Who is told: alerts and their deliveries are rows first, then sent from the outbox."""

from django.conf import settings

from tenants import outbox
from tenants.models import AppRegistration

from .models import Alert, Delivery, DeliveryAlert, Finding
from .transports.email import message_of


def addresses_for(finding: Finding) -> list[str]:
    """Whom a finding is announced to, each once: the registration's alert addresses, else ALERT_EMAILS."""
    about = finding.about
    return _once((about.alert_emails if about else []) or settings.ALERT_EMAILS)


def _once(addresses: list[str]) -> list[str]:
    return list({address.casefold(): address for address in reversed(addresses)}.values())[::-1]


def nobody_is_told() -> bool:
    """Is there a registration whose faults nobody would hear of?"""
    return not settings.ALERT_EMAILS and AppRegistration.objects.live().filter(alert_emails=[]).exists()


def announce(finding: Finding, step: int, *, reminder: int = 0) -> None:
    """Write the alert of this step and its deliveries, unless this epoch has it already. Inside a transaction.

    With a `reminder`, the number of the snooze that ended, the step is said once more. That it is over
    (Alert.RESOLVED) goes to those who were told of it, and to nobody else.
    """
    addresses = _told(finding) if step == Alert.RESOLVED else addresses_for(finding)
    if step == Alert.RESOLVED and not addresses:
        return
    alert, is_new = Alert.objects.get_or_create(finding=finding, epoch=finding.epoch, step=step, reminder=reminder)
    if is_new:
        for address in addresses:
            target = f"email:{address.casefold()}"
            delivery = Delivery.objects.create(target=target, address=address, tenant=finding.tenant)
            DeliveryAlert.objects.create(alert=alert, delivery=delivery, target=target)


def _told(finding: Finding) -> list[str]:
    ours = Delivery.objects.filter(alerts__finding=finding, alerts__epoch=finding.epoch)
    sent = ours.exclude(state=Delivery.State.SET_ASIDE).order_by("created_at")
    return _once(list(sent.values_list("address", flat=True)))


def deliver_due() -> None:
    """Send every alert whose time has come."""
    outbox.deliver_due(Delivery.objects.all(), message_of)
