"""Outages: a cloud that gives nobody a usable answer is asked no more but by a probe a minute, until one is answered.

That is one finding for operators, once it has lasted a while, and none for tenants: no try is counted meanwhile, and
nothing is said of its registrations and connections.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from oauth.signals import CloudSeen, Observation, Seen, observed
from tenants.clouds import UnknownCloud, cloud
from tenants.models import AppRegistration

from . import kinds
from .models import Outage

PROBE_EVERY = timedelta(minutes=1)
TOLD_AFTER = timedelta(minutes=10)
ENOUGH = 10  # subjects without an answer, and nobody with one


def down() -> set[str]:
    """Clouds that do not answer, by key."""
    return set(Outage.objects.values_list("cloud", flat=True))


def to_probe() -> set[str]:
    """Those of them that may be asked again now."""
    return set(Outage.objects.due().values_list("cloud", flat=True))


def take_probe(key: str) -> bool:
    """Is it up to the caller, and to nobody else, to ask that cloud now?"""
    return Outage.objects.take_probe(key, PROBE_EVERY)


class Breaker:
    """What one worker's turn has seen of each cloud; `down` may be read by its threads."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self._silent: defaultdict[str, dict[Any, bool]] = defaultdict(dict)

    def refresh(self) -> None:
        self.down = down()

    def answered(self, key: str) -> None:
        """Somebody got a usable answer there."""
        self._silent.pop(key, None)
        if key in self.down:
            self.down = self.down - {key}
            _end(key)

    def unanswered(self, key: str, subject: Any, why: str, *, is_sign_in: bool, is_probe: bool) -> None:
        """Somebody got none. Opens the outage if that is so for all; a probe tells of one that lasts.

        All are: ten subjects one after the other, or the own sign-in of every registration there is in that cloud.
        """
        silent = self._silent[key]
        silent[subject] = is_sign_in
        if key in self.down:
            if is_probe:
                _observe(key, why)
        elif len(silent) >= ENOUGH or (is_sign_in and 0 < _number_of_registrations(key) <= sum(silent.values())):
            self.down = self.down | {key}
            Outage.objects.begin(key, timezone.now() + PROBE_EVERY, why)


def _number_of_registrations(key: str) -> int:
    return AppRegistration.objects.live().filter(cloud=key).exclude(directory="").count()


def _end(key: str) -> None:
    with transaction.atomic():
        if Outage.objects.filter(cloud=key).delete()[0]:
            observed.send(sender=CloudSeen, observation=Observation(CloudSeen(key), timezone.now()))


def _observe(key: str, why: str) -> None:
    now = timezone.now()
    with transaction.atomic():
        outage = Outage.objects.select_for_update().filter(cloud=key).first()
        if outage is not None and now - outage.since >= TOLD_AFTER:
            outage.why = why[: Outage.WHY]
            outage.save(update_fields=["why"])
            observed.send(sender=CloudSeen, observation=Observation(CloudSeen(key), now, tuple(_seen(outage))))


def _seen(outage: Outage) -> Iterator[Seen]:
    since = f"{_name(outage.cloud)} has given no usable answer since {_clock(outage.since)}"
    yield kinds.seen(kinds.CLOUD_UNREACHABLE, what=f"{since}: {outage.why}")


def _name(key: str) -> str:
    try:
        return f"The cloud “{cloud(key).name}”"
    except UnknownCloud:
        return f"The cloud “{key}”"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} (UTC)"
