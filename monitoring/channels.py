"""How channels do: what a try at a message says of its channel, and what becomes of it then."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, Model, OuterRef, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from oauth.signals import Observation, Seen, WatchSeen, observed
from tenants import outbox

from . import kinds
from .models import Channel, Delivery, Finding

FAILS_AFTER_TRIES = 3
FAILS_AFTER = timedelta(hours=1)
MAIL = "mail"  # Finding.watch of what cannot be delivered to an address that no channel names

OF_DELIVERY = frozenset([kinds.CHANNEL_FAILING, kinds.DELIVERY_SET_ASIDE])
GONE = "Its receiver answered 410: it is gone for good."


def note_try(delivery: Delivery, failure: Exception | None, now: datetime) -> None:
    """What this try says of the channel. Inside the transaction that saves how the try ended."""
    if isinstance(failure, outbox.NotWanted):
        return
    if delivery.channel is None:
        _note_address(delivery, now)
    elif failure is None:
        _note_sent(delivery.channel, now)
    else:
        _note_failed(delivery, delivery.channel, failure, now)


def switch_off(channel: Channel, why: str) -> None:
    """Nothing goes there any more, also not what waits; what was wrong with it is nobody's trouble now."""
    Channel.objects.filter(pk=channel.pk).update(switched_off_at=timezone.now(), switched_off_why=why)
    _see(channel, timezone.now(), ruled_out=None)


def switch_on(channel: Channel) -> None:
    """Alerts from now on go there again."""
    fresh = {"failing_since": None, "last_problem": "", "failed_tries": 0, "next_at": None}
    Channel.objects.filter(pk=channel.pk).update(switched_off_at=None, switched_off_why="", **fresh)
    _see(channel, timezone.now(), ruled_out=None)


def _note_sent(channel: Channel, now: datetime) -> None:
    fresh = {"failing_since": None, "last_problem": "", "failed_tries": 0}
    Channel.objects.filter(pk=channel.pk).update(last_sent_at=now, **fresh)
    if Finding.objects.open().filter(channel=channel, kind__in=OF_DELIVERY).exists():
        _see(channel, now)


def _note_failed(delivery: Delivery, channel: Channel, failure: Exception, now: datetime) -> None:
    changes: dict[str, Any] = {
        "failing_since": Coalesce(F("failing_since"), Value(now)),
        "failed_tries": F("failed_tries") + 1,
        "last_problem": delivery.tries[-1]["problem"][:200],
    }
    if wanted := outbox.asked_to_wait(failure):
        changes["next_at"] = now + wanted
    is_gone = isinstance(failure, outbox.NotTaken) and failure.is_gone
    if is_gone:
        changes |= {"switched_off_at": now, "switched_off_why": GONE}
    mine = Channel.objects.filter(pk=channel.pk)
    mine.update(**changes)
    channel = mine.get()
    if is_gone:
        words = "is switched off: its receiver answered that it is gone for good (410)."
        _see(channel, now, kinds.seen(kinds.CHANNEL_SWITCHED_OFF, what=_named(channel, words)), ruled_out=None)
    elif faults := _faults(delivery, channel, now):
        _see(channel, now, *faults, ruled_out=frozenset())


def _faults(delivery: Delivery, channel: Channel, now: datetime) -> list[Seen]:
    faults = []
    lasts = channel.failing_since is not None and now - channel.failing_since >= FAILS_AFTER
    if channel.failed_tries >= FAILS_AFTER_TRIES or lasts:
        words = f"does not take the alerts that are sent to it: {channel.last_problem}."
        faults.append(kinds.seen(kinds.CHANNEL_FAILING, what=_named(channel, words)))
    if delivery.state == Delivery.State.SET_ASIDE:
        words = "did not take a message for three days; it was set aside."
        faults.append(kinds.seen(kinds.DELIVERY_SET_ASIDE, what=_named(channel, words)))
    return faults


def _note_address(delivery: Delivery, now: datetime) -> None:
    """Mail to addresses of registrations, to contacts and to ALERT_EMAILS: what was set aside is told elsewhere."""
    if delivery.state == Delivery.State.SET_ASIDE:
        what = f"Mail to {delivery.address} could not be delivered for three days; a message was set aside."
        fault = kinds.seen(kinds.DELIVERY_SET_ASIDE, what=what)
        _see(WatchSeen(MAIL), now, fault, ruled_out=frozenset())
    elif delivery.state == Delivery.State.SENT:
        told = Finding.objects.open().filter(watch=MAIL, kind=kinds.DELIVERY_SET_ASIDE)
        if told.exists() and not _unheard_addresses(now).exists():
            _see(WatchSeen(MAIL), now)


def _unheard_addresses(now: datetime) -> Any:
    """Messages set aside this week to addresses that no later message has reached."""
    later = Delivery.objects.filter(target=OuterRef("target"), sent_at__gt=OuterRef("created_at"))
    aside = Delivery.objects.filter(channel=None, state=Delivery.State.SET_ASIDE)
    return aside.filter(~Exists(later), created_at__gt=now - timedelta(days=7))


def _named(channel: Channel, words: str) -> str:
    return f"The channel “{channel.name}” {words}"


def _see(
    subject: Model | WatchSeen,
    now: datetime,
    *faults: Seen,
    ruled_out: frozenset[str] | None = OF_DELIVERY,
) -> None:
    observation = Observation(subject=subject, at=now, faults=faults, ruled_out=ruled_out)
    observed.send(sender=type(subject), observation=observation)
