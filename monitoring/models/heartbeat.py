from datetime import datetime

from django.db import models

from tenants.models.visibility import PlatformQuerySet


class HeartbeatQuerySet(PlatformQuerySet["Heartbeat"]):
    def claim(self, now: datetime, until: datetime) -> bool:
        """Is it time for the next one, and is it the caller who sends it? Nobody else is asked before `until`."""
        self.get_or_create(pk=1, defaults={"next_at": now})
        return bool(self.filter(pk=1, next_at__lte=now).update(next_at=until))


class Heartbeat(models.Model):
    """The one row of the outgoing heartbeat: when the next is due, when one last arrived, what was wrong since."""

    next_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=100, blank=True)

    objects = HeartbeatQuerySet.as_manager()

    def __str__(self) -> str:
        return "The heartbeat"
