from typing import Self

from django.db import models
from django.utils import timezone

from tenants.models.outgoing import Outgoing, OutgoingQuerySet
from tenants.models.visibility import TenantScopedQuerySet

from .finding import Finding


class AlertQuerySet(TenantScopedQuerySet["Alert"]):
    tenant_path = "finding__tenant"

    def with_news(self) -> Self:
        """Each with `news`: whether its finding was opened, got worse or is resolved."""
        same = Alert.objects.filter(finding=models.OuterRef("finding"), epoch=models.OuterRef("epoch"))
        earlier = same.filter(step__gt=Alert.RESOLVED, step__lt=models.OuterRef("step"))
        return self.annotate(
            news=models.Case(
                models.When(step=Alert.RESOLVED, then=models.Value("resolved")),
                models.When(models.Exists(earlier), then=models.Value("worse")),
                default=models.Value("opened"),
            )
        )


class Alert(models.Model):
    """One announcement of one finding: when it opens, each time it gets worse, and when it is resolved."""

    RESOLVED = 0  # the step that says: over

    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="alerts")
    epoch = models.PositiveIntegerField()
    step = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint("finding", "epoch", "step", name="alert_once")]

    def __str__(self) -> str:
        word = "Resolved" if self.step == self.RESOLVED else "Alert"
        return f"{word}: {self.finding}"


class DeliveryQuerySet(OutgoingQuerySet["Delivery"]):
    tenant_path = "alert__finding__tenant"

    def due(self) -> Self:
        """What is to be sent now, and in nobody's hands. Of one finding, an address is told the earlier thing first."""
        earlier = Delivery.objects.filter(
            state=Delivery.State.WAITING,
            address=models.OuterRef("address"),
            alert__finding=models.OuterRef("alert__finding"),
            alert__lt=models.OuterRef("alert"),
        )
        return super().due().exclude(models.Exists(earlier))


class Delivery(Outgoing):
    """One alert on its way to one address."""

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="deliveries")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["state", "next_at"], name="delivery_due")]
        constraints = [models.UniqueConstraint("alert", "address", name="delivery_once")]

    def __str__(self) -> str:
        return f"{self.alert} to {self.address}"
