from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from oauth.errors import ACTORS
from oauth.models import Connection
from tenants.clouds import clouds
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


def most_urgent_first() -> list[Any]:
    """The order of work: what nobody has taken on, acknowledged, snoozed, resolved; of each the worst and oldest first.

    As expressions, by which a list of the admin can be ordered too.
    """
    standing = models.Case(
        models.When(resolved_at__isnull=False, then=models.Value(3)),
        models.When(snoozed_until__gt=timezone.now(), then=models.Value(2)),
        models.When(acknowledged_at__isnull=False, then=models.Value(1)),
        default=models.Value(0),
    )
    rank = models.Case(models.When(severity=Severity.CRITICAL, then=models.Value(0)), default=models.Value(1))
    return [standing, rank, "opened_at", "pk"]


class FindingQuerySet(TenantScopedQuerySet["Finding"]):
    def open(self) -> Self:
        return self.filter(resolved_at=None)

    def resolved(self) -> Self:
        return self.filter(resolved_at__isnull=False)

    def snoozed(self) -> Self:
        """Open ones of which nothing is to be said for now."""
        return self.open().filter(snoozed_until__gt=timezone.now())

    def awake(self) -> Self:
        """Open ones that are not snoozed."""
        return self.open().filter(models.Q(snoozed_until=None) | models.Q(snoozed_until__lte=timezone.now()))

    def acknowledged(self) -> Self:
        """Those awake that somebody has taken on."""
        return self.awake().filter(acknowledged_at__isnull=False)

    def unacknowledged(self) -> Self:
        """Those awake that nobody has taken on."""
        return self.awake().filter(acknowledged_at=None)

    def pressing(self) -> Self:
        """Those awake, without those of suspended tenants, which are muted."""
        return self.awake().filter(tenant__suspended_at=None)

    def most_urgent_first(self) -> Self:
        return self.order_by(*most_urgent_first())

    def within(self, sweep: Sweep) -> Self:
        """Findings of what this sweep covers."""
        registrations, connections = sweep.registrations(), sweep.connections()
        return self.filter(
            models.Q(registration__in=registrations)
            | models.Q(credential__registration__in=registrations)
            | models.Q(connection__in=connections)
        ).select_related(*Finding.SUBJECT)

    def inhibiting(self) -> Self:
        """Open faults of registrations and their secrets that stand for those of their connections."""
        return self.open().filter(inhibits=True, connection=None)

    def inhibited_registrations(self) -> "models.QuerySet[Finding, int]":
        """The registrations of these faults, by primary key."""
        about = Coalesce("registration_id", "credential__registration_id")
        of_one = self.inhibiting().annotate(about_id=about).filter(about_id__isnull=False)
        return of_one.values_list("about_id", flat=True)


class Finding(models.Model):
    """One fault of one subject. The same fault coming back opens the same row again, one epoch later."""

    Severity = Severity

    class Actor(models.TextChoices):
        OPERATOR = "operator", ACTORS["operator"]
        TENANT_ADMIN = "tenant_admin", ACTORS["tenant_admin"]
        MAILBOX_OWNER = "mailbox_owner", ACTORS["mailbox_owner"]
        NOBODY = "nobody", ACTORS["nobody"]

    class State(models.TextChoices):
        """Where a finding stands in its life; told from its columns."""

        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        SNOOZED = "snoozed"
        RESOLVED = "resolved"

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
    SUBJECT = ("registration", "credential__registration", "connection__registration", "channel")  # to select with it

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
        """The registration, credential, connection or channel it is about; of a cloud its key, of the watch a word."""
        ours = [self.channel, self.cloud, self.watch]
        subjects = [self.registration, self.credential, self.connection, *ours]
        return next(subject for subject in subjects if subject is not None)

    @property
    def about(self) -> AppRegistration | None:
        """The registration this concerns: the subject itself or the one it belongs to; none of what is ours."""
        return self.registration or getattr(self.credential or self.connection, "registration", None)

    @property
    def named(self) -> str:
        """The subject in a sentence; of a credential, its registration."""
        match self.subject:
            case AppRegistration() as registration:
                return f"“{registration.name}”"
            case Credential() as credential:
                return f"“{credential.registration.name}”"
            case Connection() as connection:
                return connection.address
            case Channel() as channel:
                return f"the channel “{channel.name}”"
        if self.cloud is None:
            return "the nightly check"
        known = clouds().get(self.cloud)
        return f"the cloud “{known.name if known else self.cloud}”"

    @property
    def headline(self) -> str:
        """What is wrong with whom, in one sentence."""
        if self.named.casefold() in self.what.casefold():
            return self.what
        name = f"The {self.named[4:]}" if self.named.startswith("the ") else self.named
        return f"{name}: {self.what}"

    @property
    def is_snoozed(self) -> bool:
        return self.snoozed_until is not None and self.snoozed_until > timezone.now()

    @property
    def state(self) -> State:
        if self.resolved_at:
            return self.State.RESOLVED
        if self.is_snoozed:
            return self.State.SNOOZED
        return self.State.ACKNOWLEDGED if self.acknowledged_at else self.State.OPEN
