from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from oauth.errors import ACTORS
from oauth.models import Connection
from tenants.models import AppRegistration, Credential, Tenant
from tenants.models.visibility import TenantScopedQuerySet

from .channel import Channel
from .severity import Severity
from .sweep import Sweep

SUBJECTS = ("registration", "credential", "connection", "channel", "cloud", "watch")


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

    Severity = Severity

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
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, related_name="findings")
    cloud = models.CharField(max_length=40, null=True)  # noqa: DJ001  nothing is not the cloud of no name
    watch = models.CharField(max_length=20, null=True)  # noqa: DJ001  the night's check itself: Finding.NIGHT
    severity = models.CharField(max_length=10, choices=Severity.choices)
    actor = models.CharField("who must act", max_length=20, choices=Actor.choices)
    what = models.TextField("what is wrong")
    remedy = models.TextField("what to do")
    evidence = models.JSONField("what Microsoft said", default=dict)
    inhibits = models.BooleanField(default=False, help_text="Connections of the registration are not asked meanwhile.")
    is_coming = models.BooleanField(default=False, help_text="Nothing is broken yet: told once a day, in one message.")
    step = models.PositiveSmallIntegerField("step reached", default=1)
    epoch = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField("since", default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    acknowledged_why = models.CharField("why", max_length=300, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    snoozed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    snoozed_why = models.CharField("why", max_length=300, blank=True)
    reminders = models.PositiveSmallIntegerField(default=0, help_text="How many times a snooze has ended.")

    NIGHT = "night"

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
    def subject(self) -> "AppRegistration | Credential | Connection | Channel | str":
        """The registration, credential, connection or channel this is about; of a cloud its key, of the watch a word."""
        return next(subject for name in SUBJECTS if (subject := getattr(self, name)) is not None)

    @property
    def about(self) -> AppRegistration | None:
        """The registration this concerns: the subject itself or the one it belongs to; none of what is ours."""
        return self.registration or getattr(self.credential or self.connection, "registration", None)
