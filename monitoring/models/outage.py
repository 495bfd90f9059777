from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from tenants.models.visibility import PlatformQuerySet


class OutageQuerySet(PlatformQuerySet["Outage"]):
    def due(self) -> Self:
        """Those that may be asked again now."""
        return self.filter(probe_at__lte=timezone.now())

    def probe_now(self) -> None:
        """Somebody wants an answer: let the next worker ask, whatever it was that was waited for."""
        self.filter(probe_at__gt=timezone.now()).update(probe_at=timezone.now())

    def take_probe(self, cloud: str, pause: timedelta) -> bool:
        """Is it up to the caller, and for so long to nobody else, to ask that cloud?"""
        return bool(self.due().filter(cloud=cloud).update(probe_at=timezone.now() + pause))

    def begin(self, cloud: str, probe_at: datetime, why: str) -> None:
        """That cloud does not answer from now on, unless somebody has said so already."""
        found = {"since": timezone.now(), "probe_at": probe_at, "why": why[: Outage.WHY]}
        self.get_or_create(cloud=cloud, defaults=found)


class Outage(models.Model):
    """A cloud that does not answer. The row lives as long as that lasts; until `probe_at` nobody there is asked."""

    WHY = 200

    cloud = models.CharField(max_length=40, unique=True)
    since = models.DateTimeField()
    probe_at = models.DateTimeField()
    why = models.CharField(max_length=WHY)

    objects = OutageQuerySet.as_manager()

    class Meta:
        ordering = ["cloud"]

    def __str__(self) -> str:
        return f"{self.cloud}: {self.why}"
