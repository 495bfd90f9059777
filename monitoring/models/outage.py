from django.db import models

from tenants.models.visibility import PlatformQuerySet


class Outage(models.Model):
    """A cloud that does not answer. The row lives as long as that lasts; until `probe_at` nobody there is asked."""

    cloud = models.CharField(max_length=40, unique=True)
    since = models.DateTimeField()
    probe_at = models.DateTimeField()
    why = models.CharField(max_length=200)

    objects = PlatformQuerySet["Outage"].as_manager()

    class Meta:
        ordering = ["cloud"]

    def __str__(self) -> str:
        return f"{self.cloud}: {self.why}"
