from typing import Self

from django.db import models

from tenants.models import Tenant
from tenants.models.outgoing import Outgoing, OutgoingQuerySet
from tenants.models.visibility import TenantScopedQuerySet

from .alert import Alert
from .channel import Channel


class DeliveryQuerySet(OutgoingQuerySet["Delivery"]):
    def due(self) -> Self:
        """What is to be sent now, and in nobody's hands. Of one finding, a target is told the earlier thing first."""
        mine = DeliveryAlert.objects.filter(delivery=models.OuterRef(models.OuterRef("pk")))
        earlier = DeliveryAlert.objects.filter(
            delivery__state=Delivery.State.WAITING,
            target=models.OuterRef("target"),
            alert__finding__in=mine.values("alert__finding"),
            alert__lt=mine.order_by("alert").values("alert")[:1],
        ).exclude(delivery=models.OuterRef("pk"))
        return super().due().exclude(models.Exists(earlier))


class Delivery(Outgoing):
    """One message on its way to one target, an address or a channel, with one alert or many."""

    target = models.CharField(max_length=400, help_text="email:<address>, contact:<address> or channel:<uuid>.")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, related_name="deliveries")
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Whose, if it tells of one tenant only.",
    )
    digest_at = models.DateTimeField(null=True, help_text="The daily digest it is; none: sent as soon as possible.")
    alerts = models.ManyToManyField(Alert, through="DeliveryAlert", related_name="deliveries")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["state", "next_at"], name="delivery_due")]
        constraints = [
            models.UniqueConstraint(
                "target", "digest_at", condition=models.Q(digest_at__isnull=False), name="delivery_one_digest"
            ),
        ]

    def __str__(self) -> str:
        return f"Message to {self.channel or self.address}"


class DeliveryAlertQuerySet(TenantScopedQuerySet["DeliveryAlert"]):
    tenant_path = "alert__finding__tenant"


class DeliveryAlert(models.Model):
    """That an alert goes to a target, once, and in which message."""

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="carried")
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="carried")
    target = models.CharField(max_length=400)

    objects = DeliveryAlertQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint("alert", "target", name="delivery_alert_once")]

    def __str__(self) -> str:
        return f"{self.alert} to {self.target}"
