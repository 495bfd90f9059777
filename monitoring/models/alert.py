import uuid
from datetime import timedelta
from typing import Self

from django.db import models
from django.utils import timezone

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


LEASE = timedelta(minutes=10)  # longer than a mail server may keep one message waiting, step by step


class DeliveryQuerySet(TenantScopedQuerySet["Delivery"]):
    tenant_path = "alert__finding__tenant"

    def due(self) -> Self:
        """What is to be sent now, and in nobody's hands. Of one finding, an address is told the earlier thing first."""
        now = timezone.now()
        earlier = Delivery.objects.filter(
            state=Delivery.State.WAITING,
            address=models.OuterRef("address"),
            alert__finding=models.OuterRef("alert__finding"),
            alert__lt=models.OuterRef("alert"),
        )
        waiting = self.filter(state=Delivery.State.WAITING, next_at__lte=now).exclude(models.Exists(earlier))
        return waiting.filter(models.Q(lease_until=None) | models.Q(lease_until__lte=now))

    def claim(self, pk: uuid.UUID) -> "Delivery | None":
        """This delivery, to be sent by the caller and nobody else, or None. A new try is on record from here on."""
        delivery = self.due().filter(pk=pk).first()
        if delivery is None:
            return None
        unchanged = self.filter(
            pk=pk, state=Delivery.State.WAITING, lease_by=delivery.lease_by, next_at=delivery.next_at
        )
        now = timezone.now()
        delivery.lease_by, delivery.lease_until = uuid.uuid4(), now + LEASE
        delivery.tries.append({"at": now.isoformat(timespec="seconds"), "problem": "interrupted"})
        fields = {name: getattr(delivery, name) for name in ("lease_by", "lease_until", "tries")}
        return delivery if unchanged.update(**fields) else None


class Delivery(models.Model):
    """One alert on its way to one address. Its id is the message's, the same on every try."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SENT = "sent", "sent"
        SET_ASIDE = "set_aside", "set aside"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="deliveries")
    address = models.EmailField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.JSONField(default=list, help_text="One entry a try: when, and what went wrong.")
    next_at = models.DateTimeField(default=timezone.now)
    lease_by = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["state", "next_at"], name="delivery_due")]
        constraints = [models.UniqueConstraint("alert", "address", name="delivery_once")]

    def __str__(self) -> str:
        return f"{self.alert} to {self.address}"
