import uuid
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from tenants.fields import SealedField
from tenants.models.visibility import TenantScopedQuerySet

from .connection import Connection
from .link import Link, digest

GOOD_FOR = timedelta(minutes=60)  # a first set-up of a second factor outlasts ten
ANSWER_EXPECTED_WITHIN = timedelta(minutes=30)


def default_expiry() -> datetime:
    return timezone.now() + GOOD_FOR


class ConsentAttemptQuerySet(TenantScopedQuerySet["ConsentAttempt"]):
    tenant_path = "link__tenant"

    def claim(self, state: str, browser: str) -> "ConsentAttempt | None":
        """The attempt that this browser started with this state, claimed: whoever asks a second time gets None.

        A wrong browser, cloud or state claims nothing and burns nothing.
        """
        attempt = self.filter(
            state_digest=digest(state), browser_digest=digest(browser), claimed_at=None, expires_at__gt=timezone.now()
        )
        found = attempt.select_related("link__tenant", "link__registration").first()
        if found is None or attempt.filter(pk=found.pk).update(claimed_at=timezone.now()) != 1:
            return None
        return found

    def forget_expired_flows(self) -> int:
        """Wipe what was kept for answers that can no longer come; how many there were."""
        return self.filter(expires_at__lte=timezone.now(), flow__isnull=False).update(flow=None)


class ConsentAttempt(models.Model):
    """One try by one browser, from its POST on, with a snapshot of what was asked."""

    class Outcome(models.TextChoices):
        CONNECTED = "connected", "connected"
        CONNECTED_WITH_LESS = "connected_with_less", "connected, with fewer scopes than asked"
        DECLINED = "declined", "declined"
        CANCELLED = "cancelled", "came back without an answer; an administrator's approval is probably needed"
        REFUSED = "refused", "refused by Microsoft"
        REJECTED = "rejected", "answer refused here"
        UNREACHABLE = "unreachable", "Microsoft could not be reached"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="attempts")
    cloud = models.CharField(max_length=40)
    directory = models.CharField(max_length=253)
    client_id = models.CharField(max_length=36)
    redirect_uri = models.CharField(max_length=300)
    scopes = models.JSONField(default=list, help_text="Permissions asked for, without host.")
    state_digest = models.CharField(max_length=64, unique=True)
    browser_digest = models.CharField(max_length=64)
    flow = SealedField(place="oauth.consentattempt.flow", null=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=default_expiry)
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, choices=Outcome.choices, blank=True)
    fault_kind = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=60, blank=True)
    codes = models.JSONField(default=list)
    trace_id = models.CharField(max_length=60, blank=True)
    correlation_id = models.CharField(max_length=60, blank=True)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="attempts")

    objects = ConsentAttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"Attempt of {self.created_at:%Y-%m-%d %H:%M} UTC: {self.status}"

    @property
    def status(self) -> str:
        """The outcome in words, or what is known while there is none."""
        if self.outcome:
            return self.get_outcome_display()
        if self.claimed_at:
            return "interrupted"
        return "no answer" if timezone.now() - self.created_at > ANSWER_EXPECTED_WITHIN else "waiting for Microsoft"
