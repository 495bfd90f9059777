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
    reminder = models.PositiveSmallIntegerField(default=0, help_text="The snooze after which this says it again.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint("finding", "epoch", "step", "reminder", name="alert_once")]

    def __str__(self) -> str:
        word = "Resolved" if self.step == self.RESOLVED else "Alert"
        return f"{word}: {self.finding}"
