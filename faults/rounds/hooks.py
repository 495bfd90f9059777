"""Webhooks that answer 500, 429, 410 or 302, hang, or take the message and drop the line."""

import time
from collections.abc import Collection
from uuid import UUID

from django.db import connection
from django.utils import timezone

from faults import facts
from faults.night import Clockwork, begin, deliver, finish, hands, release
from faults.receiver import ANSWERS, Receiver
from faults.site import Site
from faults.sizes import Sizes
from faults.table import Facts, Table
from faults.world import populate
from monitoring.models import Channel, Delivery
from monitoring.transports.webhook import new_secret

MANNERS = (*ANSWERS, "hang")
AT_LEAST_WITHIN = 60  # seconds in which who is well is told, whoever else hangs
TURNS = 4  # times that those who fail are tried again


def run(site: Site, table: Table, sizes: Sizes) -> None:
    receiver = site.receiver
    manners = [manner for manner in MANNERS if manner != "hang" or not sizes.is_short]
    world = populate(sizes.small // 2, refused=0.2, gone=0.1)
    channels = {manner: _channel(receiver, manner) for manner in manners}
    receiver.manners = {manner: manner for manner in manners}
    crew = hands(site, "threads", "prefork")
    sweep = begin(site)
    finish(site, sweep, sizes.patience)
    well_within = _until_told(site, channels["ok"])
    waits = channels["429"].pk
    for _ in range(TURNS // 2 if sizes.is_short else TURNS):
        _forward(besides=[waits])
        Clockwork().turn(site)
        time.sleep(2)
    calls_of_gone = sum(receiver.seen["410"].values())
    receiver.manners = {"410": "410"}
    deliver(site, sizes.patience)
    release(site, crew)

    for manner, channel in channels.items():
        if manner != "410":
            table.judge(
                _name(manner), _arrived(receiver, manner, channel), *_of(receiver, manner), note=_note(receiver, manner)
            )
    is_off = Channel.objects.filter(pk=channels["410"].pk).exclude(switched_off_at=None).exists()
    gone = {"left on": int(not is_off), "calls since": sum(receiver.seen["410"].values()) - calls_of_gone}
    table.judge(_name("410"), Facts("it is switched off and not called again", gone))
    late = {"not told within a minute": int(well_within > AT_LEAST_WITHIN)}
    prompt = Facts(f"whoever is well is told within {AT_LEAST_WITHIN} s", late)
    told = (facts.of_alerts(world, besides=("channel",)), facts.of_mail(site.mail.accepted))
    table.judge("all of them beside one another", prompt, *told, note=f"{well_within:.0f} s")


def _channel(receiver: Receiver, manner: str) -> Channel:
    channel = Channel(name=f"answers {manner}", kind=Channel.Kind.WEBHOOK, created_at=timezone.now())
    channel.url = receiver.url(manner)
    channel.signing_secret = new_secret()
    channel.save(force_insert=True)
    return channel


def _name(manner: str) -> str:
    words = {"ok": "is well", "hang": "hangs", "drop": "takes the message and drops the line"}
    return f"a webhook that {words.get(manner, f'answers {manner}')}"


def _note(receiver: Receiver, manner: str) -> str:
    seen = receiver.seen[manner]
    return f"{len(receiver.taken[manner])} messages, {sum(seen.values()) - len(seen)} repeated under the same ID"


def _of(receiver: Receiver, manner: str) -> list[Facts]:
    match manner:
        case "429":
            return [Facts("no call before Retry-After", {"calls before Retry-After": receiver.early})]
        case "302":
            return [Facts("it is not followed", {"redirects followed": len(receiver.seen["elsewhere"])})]
    return []


def _arrived(receiver: Receiver, manner: str, channel: Channel) -> Facts:
    numbers = {str(pk) for pk in Delivery.objects.filter(channel=channel).values_list("pk", flat=True)}
    missing = {
        "no message": int(not numbers),
        "never arrived": len(numbers - receiver.taken[manner].keys()),
        "with another ID": len(receiver.seen[manner].keys() - numbers),
    }
    return Facts("each message arrived in the end, under its own ID", missing)


def _until_told(site: Site, channel: Channel) -> float:
    """How long it took until everything had gone out to this channel."""
    begun = time.monotonic()
    mine = Delivery.objects.filter(channel=channel)
    while mine.exclude(state=Delivery.State.SENT).exists() and time.monotonic() - begun < 2 * AT_LEAST_WITHIN:
        _forward(only=[channel.pk])
        Clockwork().turn(site)
        time.sleep(1)
    return time.monotonic() - begun


def _forward(*, only: Collection[UUID] = (), besides: Collection[UUID] = ()) -> None:
    """Let the pauses be over of messages to some channels only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_delivery SET next_at = now() WHERE next_at > now() AND channel_id IS NOT NULL"
            " AND (channel_id = ANY(%s) OR %s) AND NOT channel_id = ANY(%s)",
            [list(only), not only, list(besides)],
        )
