from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone

from .tenant import Tenant
from .visibility import TenantScopedQuerySet


class EventQuerySet(TenantScopedQuerySet["Event"]):
    def record(
        self,
        *,
        verb: str,
        subject: models.Model,
        tenant: Tenant | None,
        actor: Any = None,
        changes: dict[str, Any] | None = None,
        reason: str = "",
        address: str = "",
    ) -> "Event":
        """Write one line of history. `changes` maps a field to [old, new]; a secret's entry is the word "changed"."""
        event = self.line(
            verb=verb,
            subject=subject,
            tenant_id=tenant.pk if tenant else None,
            actor=actor,
            changes=changes,
            reason=reason,
            address=address,
        )
        event.save(force_insert=True)
        return event

    def line(
        self,
        *,
        verb: str,
        subject: models.Model,
        tenant_id: int | None,
        actor: Any = None,
        changes: dict[str, Any] | None = None,
        reason: str = "",
        address: str = "",
    ) -> "Event":
        """The same, not written yet, for `bulk_create`."""
        return Event(
            actor=actor if getattr(actor, "pk", None) else None,
            verb=verb,
            subject_type=subject._meta.label_lower,
            subject_id=str(subject.pk),
            subject_name=str(subject)[:200],
            tenant_id=tenant_id,
            changes=changes or {},
            reason=reason,
            address=address or None,
        )

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("History is append-only.")

    def delete(self) -> NoReturn:
        raise TypeError("History is append-only.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("History is append-only.")


class Event(models.Model):
    """One line of history: who did what to what, when. Append-only."""

    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    verb = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=40)
    subject_name = models.CharField(max_length=200)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, related_name="+")
    changes = models.JSONField(default=dict)
    reason = models.CharField(max_length=400, blank=True)
    address = models.GenericIPAddressField(null=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = "history entry"
        verbose_name_plural = "history entries"
        indexes = [
            models.Index(fields=["subject_type", "subject_id"], name="event_subject"),
            models.Index(fields=["-at", "-id"], name="event_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_name}: {self.verb}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("History is append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("History is append-only.")
