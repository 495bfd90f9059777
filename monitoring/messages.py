"""Which message carries which alert: one of its own at once, a group when there are too many, or the daily digest."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from .audience import Target
from .models import Alert, Delivery, DeliveryAlert

ALONE = 5  # messages of one tenant to one target within ALONE_WITHIN; whatever comes on top is put together
ALONE_WITHIN = timedelta(minutes=10)
GROUP_WAITS = timedelta(minutes=5)
MOST_IN_ONE = 200
NEXT_PART = timedelta(minutes=1)  # a digest that is full is followed by another


@dataclass
class _Open:
    """A message that takes more alerts, and how many it has."""

    delivery: Delivery
    size: int = 0


def carry(told: list[tuple[Alert, list[Target]]]) -> None:
    """Have each alert told to each of its targets, once. Inside the transaction that wrote the alerts."""
    at_once: list[tuple[Alert, Target]] = []
    coming: list[tuple[Alert, Target]] = []
    for alert, targets in told:
        for target in targets:
            (coming if alert.finding.is_coming else at_once).append((alert, target))
    carried = [*_digested(coming), *_at_once(at_once)]
    DeliveryAlert.objects.bulk_create(
        [DeliveryAlert(alert=alert, delivery=delivery, target=delivery.target) for alert, delivery in carried]
    )


def next_digest(now: datetime) -> datetime:
    """When the next daily digest goes out: DIGEST_AT, a time of day in TIME_ZONE."""
    local = timezone.localtime(now, timezone.get_default_timezone())
    at = timezone.make_aware(datetime.combine(local.date(), settings.DIGEST_AT), timezone.get_default_timezone())
    if at <= now:
        at = timezone.make_aware(
            datetime.combine(local.date() + timedelta(days=1), settings.DIGEST_AT), timezone.get_default_timezone()
        )
    return at


# At once


def _at_once(pairs: list[tuple[Alert, Target]]) -> list[tuple[Alert, Delivery]]:
    if not pairs:
        return []
    now = timezone.now()
    names = {target.name for _, target in pairs}
    recent = dict(_recent(names, now))
    groups = _open_groups(names)
    new: list[Delivery] = []
    carried: list[tuple[Alert, Delivery]] = []
    for alert, target in pairs:
        tenant_id = alert.finding.tenant_id
        key = (target.name, tenant_id)
        group = groups.get(key)
        if group is not None and group.size < MOST_IN_ONE:
            delivery = group.delivery
        else:
            is_group = group is not None or recent.get(key, 0) >= ALONE
            delivery = _message(target, tenant_id=tenant_id, is_group=is_group)
            delivery.next_at = delivery.created_at + (GROUP_WAITS if is_group else timedelta())
            new.append(delivery)
            recent[key] = recent.get(key, 0) + 1
            if is_group:
                group = groups[key] = _Open(delivery)
        if group is not None:
            group.size += 1
        carried.append((alert, delivery))
    Delivery.objects.bulk_create(new)
    return carried


def _message(target: Target, **fields: object) -> Delivery:
    return Delivery(target=target.name, address=target.address, channel=target.channel, **fields)


def _recent(names: set[str], now: datetime) -> Iterator[tuple[tuple[str, int | None], int]]:
    """How many messages of a tenant a target has got, or will get, from the last minutes."""
    within = Delivery.objects.filter(target__in=names, created_at__gt=now - ALONE_WITHIN, digest_at=None, is_test=False)
    for target, tenant, number in within.order_by().values_list("target", "tenant").annotate(Count("pk")):
        yield (target, tenant), number


def _open_groups(names: set[str]) -> dict[tuple[str, int | None], _Open]:
    """Groups that wait and were never tried. They are locked: who claims one meanwhile finds what we add."""
    waiting = Delivery.objects.filter(target__in=names, is_group=True, state=Delivery.State.WAITING, tries=[])
    locked = list(waiting.select_for_update(of=("self",)).order_by("created_at"))
    sizes = _sizes(locked)
    return {(each.target, each.tenant_id): _Open(each, sizes.get(each.pk, 0)) for each in locked}


def _sizes(deliveries: list[Delivery]) -> dict[object, int]:
    rows = DeliveryAlert.objects.filter(delivery__in=deliveries).order_by()
    return dict(rows.values_list("delivery").annotate(Count("pk")))


# In the digest


def _digested(pairs: list[tuple[Alert, Target]]) -> list[tuple[Alert, Delivery]]:
    """Each alert with the target's next digest that was never tried and is not full."""
    left, at = pairs, next_digest(timezone.now())
    carried: list[tuple[Alert, Delivery]] = []
    while left:
        found, left = _into_digests_of(at, left)
        carried += found
        at += NEXT_PART
    return carried


def _into_digests_of(
    at: datetime, pairs: list[tuple[Alert, Target]]
) -> tuple[list[tuple[Alert, Delivery]], list[tuple[Alert, Target]]]:
    """What went into the digests of that moment, and what did not."""
    digests = _lock_digests(at, pairs)
    carried, left = [], []
    moved: set[Delivery] = set()
    for alert, target in pairs:
        digest = digests.get(target.name)
        if digest is None or digest.size >= MOST_IN_ONE:
            left.append((alert, target))
            continue
        digest.size += 1
        if digest.delivery.tenant_id != alert.finding.tenant_id and digest.delivery.tenant_id is not None:
            digest.delivery.tenant_id = None  # it tells of more than one
            moved.add(digest.delivery)
        carried.append((alert, digest.delivery))
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in moved]).update(tenant=None)
    return carried, left


def _lock_digests(at: datetime, pairs: list[tuple[Alert, Target]]) -> dict[str, _Open]:
    """The digests of that moment for these targets, made where there are none; without those that were tried."""
    first = {target.name: (alert.finding.tenant_id, target) for alert, target in reversed(pairs)}
    # Sorted, so that of two who make the same ones neither waits for what the other waits for.
    made = [_message(first[name][1], tenant_id=first[name][0], digest_at=at, next_at=at) for name in sorted(first)]
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    mine = Delivery.objects.filter(target__in=first, digest_at=at)
    locked = list(mine.filter(state=Delivery.State.WAITING, tries=[]).select_for_update(of=("self",)).order_by("pk"))
    sizes = _sizes(locked)
    return {each.target: _Open(each, sizes.get(each.pk, 0)) for each in locked}
