from typing import Self

from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from oauth.errors import ACTORS
from oauth.models import Connection
from tenants.models import AppRegistration, Credential, Tenant
from tenants.models.visibility import TenantScopedQuerySet

from .sweep import Sweep

SUBJECTS = ("registration", "credential", "connection")


def _exactly_one_subject() -> models.Q:
    return models.Q(
        *(models.Q(**{f"{other}__isnull": other != subject for other in SUBJECTS}) for subject in SUBJECTS),
        _connector=models.Q.OR,
    )


class FindingQuerySet(TenantScopedQuerySet["Finding"]):
    def open(self) -> Self:
        return self.filter(resolved_at=None)

    def pressing(self) -> Self:
        """Open ones, without those of suspended tenants, which are muted."""
        return self.open().filter(tenant__suspended_at=None)

    def within(self, sweep: Sweep) -> Self:
        """Findings of what this sweep covers."""
        registrations, connections = sweep.registrations(), sweep.connections()
        return self.filter(
            models.Q(registration__in=registrations)
            | models.Q(credential__registration__in=registrations)
            | models.Q(connection__in=connections)
        ).select_related("registration", "credential__registration", "connection__registration")

    def inhibiting(self) -> Self:
        """Open faults of registrations and their secrets that stand for those of their connections."""
        return self.open().filter(inhibits=True, connection=None)

    def inhibited_registrations(self) -> "models.QuerySet[Finding, int]":
        """The registrations of these faults, by primary key."""
        about = Coalesce("registration_id", "credential__registration_id")
        return self.inhibiting().annotate(about_id=about).values_list("about_id", flat=True)


class Finding(models.Model):
    """One fault of one subject. The same fault coming back opens the same row again, one epoch later."""

    class Severity(models.TextChoices):
        CRITICAL = "critical", "critical"
        WARNING = "warning", "warning"

    class Actor(models.TextChoices):
        OPERATOR = "operator", ACTORS["operator"]
        TENANT_ADMIN = "tenant_admin", ACTORS["tenant_admin"]
        MAILBOX_OWNER = "mailbox_owner", ACTORS["mailbox_owner"]
        NOBODY = "nobody", ACTORS["nobody"]

    kind = models.CharField(max_length=40)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, related_name="findings")
    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, null=True, related_name="findings")
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, null=True, related_name="findings")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="findings")
    severity = models.CharField(max_length=10, choices=Severity.choices)
    actor = models.CharField("who must act", max_length=20, choices=Actor.choices)
    what = models.TextField("what is wrong")
    remedy = models.TextField("what to do")
    evidence = models.JSONField("what Microsoft said", default=dict)
    inhibits = models.BooleanField(default=False, help_text="Connections of the registration are not asked meanwhile.")
    step = models.PositiveSmallIntegerField("step reached", default=1)
    epoch = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField("since", default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=_exactly_one_subject(), name="finding_one_subject"),
            *(
                models.UniqueConstraint(
                    subject, "kind", condition=models.Q(**{f"{subject}__isnull": False}), name=f"finding_{subject}_kind"
                )
                for subject in SUBJECTS
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection}: {self.what}" if self.connection else self.what  # of the others it tells itself

    @property
    def subject(self) -> models.Model:
        """The registration, credential or connection this is about."""
        subject: models.Model = getattr(self, next(name for name in SUBJECTS if getattr(self, f"{name}_id")))
        return subject

    @property
    def about(self) -> AppRegistration:
        """The registration this concerns: the subject itself or the one it belongs to."""
        return self.registration or (self.credential or self.connection).registration  # type: ignore[union-attr]
