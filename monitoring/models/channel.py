import uuid
from datetime import timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from tenants.fields import SealedField
from tenants.models import Tenant
from tenants.models.addresses import AddressesField
from tenants.models.visibility import TenantScopedQuerySet

from .severity import Severity


class ChannelQuerySet(TenantScopedQuerySet["Channel"]):
    def live(self) -> Self:
        """Those that are on."""
        return self.filter(switched_off_at=None)

    def pace(self, pause: timedelta) -> int:
        """Of these channels, those that take a message now; they take the next one after this pause."""
        now = timezone.now()
        return self.filter(models.Q(next_at=None) | models.Q(next_at__lte=now)).update(next_at=now + pause)


class Channel(models.Model):
    """Where alerts go: for all tenants, or for one."""

    class Kind(models.TextChoices):
        EMAIL = "email", "email"
        APPRISE = "apprise", "chat or on-call service"
        WEBHOOK = "webhook", "webhook"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="channels",
        help_text="Only what concerns this tenant. Leave empty for all tenants.",
    )
    addresses = AddressesField(help_text="One address a line.")
    url = SealedField("address", place="monitoring.channel.url", null=True, blank=True)
    place = models.CharField(max_length=300, blank=True, editable=False, help_text="Of the address what is no secret.")
    signing_secret = SealedField(place="monitoring.channel.signing_secret", null=True, editable=False)
    previous_signing_secret = SealedField(place="monitoring.channel.previous_signing_secret", null=True, editable=False)
    previous_signs_until = models.DateTimeField(null=True, editable=False)
    least_severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.WARNING)
    kinds = models.JSONField(default=list, blank=True, help_text="Only these kinds of findings. None chosen: all.")
    switched_off_at = models.DateTimeField(null=True, blank=True, editable=False)
    switched_off_why = models.CharField(max_length=200, blank=True, editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    last_problem = models.CharField(max_length=200, blank=True, editable=False)
    failed_tries = models.PositiveIntegerField(default=0, editable=False, help_text="In a row.")
    next_at = models.DateTimeField(null=True, editable=False, help_text="Nothing is sent there before.")
    last_sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("tenant", "name", name="channel_name_of_tenant_unique"),
            models.UniqueConstraint("name", condition=models.Q(tenant=None), name="channel_name_for_all_unique"),
        ]

    def __str__(self) -> str:
        return self.name
