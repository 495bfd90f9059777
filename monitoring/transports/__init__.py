"""How a delivery leaves: by mail, to a chat or on-call service, to a webhook."""

from functools import partial

from tenants.outbox import Mailer, NotWanted, Send

from ..models import Channel, Delivery
from . import apprise, webhook
from .email import message_of


def prepare(delivery: Delivery, mailer: Mailer) -> Send:
    """The message of a claimed delivery, ready to be sent. Raises NotWanted where its channel is off."""
    channel = delivery.channel
    if channel is not None and channel.switched_off_at:
        raise NotWanted("The channel is switched off.")
    if channel is None or channel.kind == Channel.Kind.EMAIL:
        return partial(mailer.send, message_of(delivery))
    return apprise.prepare(delivery) if channel.kind == Channel.Kind.APPRISE else webhook.prepare(delivery)
