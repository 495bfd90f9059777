"""Channels, findings to tell of, and the sending of what is due."""

from typing import Any

from django.utils import timezone

from monitoring import alerts
from monitoring.models import Channel, Delivery
from monitoring.transports.webhook import new_secret
from tests.factories import make_connection
from tests.world import make_channel

from .receiver import Receiver
from .test_findings import fault, see


def make_webhook(receiver: Receiver | str, **fields: Any) -> Channel:
    """A webhook to this receiver, with a signing secret."""
    url = receiver if isinstance(receiver, str) else receiver.url
    channel = make_channel(**{"kind": "webhook", "addresses": [], "name": "Hook", **fields})
    channel.url, channel.signing_secret = url, new_secret()
    channel.save()
    return channel


def make_chat(url: str, **fields: Any) -> Channel:
    """A channel to a chat or on-call service at this Apprise address."""
    channel = make_channel(**{"kind": "apprise", "addresses": [], "name": "Chat", **fields})
    channel.url = url
    channel.save()
    return channel


def break_something(subject: Any = None, **fields: Any) -> None:
    """Something of this subject is found broken, and announced."""
    see(subject or make_connection(), fault(**fields))


def make_test(channel: Channel) -> Delivery:
    """What Send test comes to."""
    return Delivery.objects.create(target=f"channel:{channel.pk}", channel=channel, tenant=channel.tenant, is_test=True)


def send() -> None:
    alerts.deliver_due()


def again() -> None:
    """What waits is due at once, as after its pause."""
    Channel.objects.update(next_at=None)
    Delivery.objects.filter(state="waiting").update(next_at=timezone.now())


def targets() -> list[str]:
    """Every target of every message, in order."""
    return sorted(Delivery.objects.values_list("target", flat=True))
