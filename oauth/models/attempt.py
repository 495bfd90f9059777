import uuid
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from tenants.fields import SealedField
from tenants.models.visibility import TenantScopedQuerySet

from .connection import Connection
from .grant import AdminGrant
from .link import Link, digest

GOOD_FOR = timedelta(minutes=60)  # a first set-up of a second factor outlasts ten
ANSWER_EXPECTED_WITHIN = timedelta(minutes=30)
TAKES_AT_MOST = timedelta(minutes=2)  # to work on an answer; every call to Microsoft has a shorter timeout


def default_expiry() -> datetime:
    return timezone.now() + GOOD_FOR


WHOLE = ("link__tenant", "link__registration", "link__connection")


class ConsentAttemptQuerySet(TenantScopedQuerySet["ConsentAttempt"]):
    tenant_path = "link__tenant"

    def claim(self, state: str, browser: str) -> "ConsentAttempt | None":
        """The attempt that this browser started with this state, claimed: whoever asks a second time gets None.

        A wrong browser, cloud or state claims nothing and burns nothing.
        """
        attempt = self.filter(
            state_digest=digest(state), browser_digest=digest(browser), claimed_at=None, expires_at__gt=timezone.now()
        )
        found = attempt.select_related(*WHOLE).first()
        now = timezone.now()
        if found is None or attempt.filter(pk=found.pk).update(claimed_at=now) != 1:
            return None
        found.claimed_at = now
        return found

    def to_try_again(self) -> Self:
        """Those whose consent was still spreading at Microsoft, and that are to be redeemed once more now."""
        return self.filter(next_at__lte=timezone.now(), outcome="")

    def claim_again(self, pk: uuid.UUID) -> "ConsentAttempt | None":
        """This attempt, to be redeemed once more by the caller and nobody else, or None."""
        found = self.to_try_again().filter(pk=pk).select_related(*WHOLE).first()
        if found is None:
            return None
        later = timezone.now() + TAKES_AT_MOST  # when somebody else may, should the caller be killed
        if self.filter(pk=pk, next_at=found.next_at).update(next_at=later) != 1:
            return None
        found.next_at = later
        return found

    def unanswered(self) -> Self:
        """Those whose answer should have come by now."""
        long_ago = timezone.now() - ANSWER_EXPECTED_WITHIN
        return self.filter(claimed_at=None, outcome="", created_at__lt=long_ago)

    def forget_expired_flows(self) -> int:
        """Wipe what was kept for answers that can no longer come; how many there were."""
        return self.filter(expires_at__lte=timezone.now(), flow__isnull=False).update(flow=None, next_at=None)


class ConsentAttempt(models.Model):
    """One try by one browser, from its POST on, with a snapshot of what was asked.

    `next_at`: Microsoft gave a code but does not yet know of the consent everywhere; when it is redeemed once more.
    `told_code`: the AADSTS number that the person says they saw. It may be wrong, and decides nothing.
    """

    class Way(models.TextChoices):
        SIGN_IN = "sign_in", "sign-in"
        APPROVAL = "approval", "approval for the organization"

    class Outcome(models.TextChoices):
        CONNECTED = "connected", "connected"
        CONNECTED_WITH_LESS = "connected_with_less", "connected, with fewer scopes than asked"
        APPROVED = "approved", "approved for the organization"
        DECLINED = "declined", "declined"
        CANCELLED = "cancelled", "came back without an answer; an administrator's approval is probably needed"
        REFUSED = "refused", "refused by Microsoft"
        REJECTED = "rejected", "answer refused here"
        UNREACHABLE = "unreachable", "Microsoft could not be reached"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="attempts")
    way = models.CharField(max_length=10, choices=Way.choices, default=Way.SIGN_IN)
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
    told_code = models.PositiveIntegerField(null=True)
    next_at = models.DateTimeField(null=True)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="attempts")
    grant = models.ForeignKey(AdminGrant, on_delete=models.PROTECT, null=True, related_name="attempts")

    objects = ConsentAttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"], name="attempt_newest"),
            # What the reconciler looks for every minute; nearly all attempts are past both.
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="attempt_try_again"),
            models.Index(fields=["expires_at"], condition=models.Q(flow__isnull=False), name="attempt_flow_kept"),
        ]

    def __str__(self) -> str:
        return f"Attempt of {self.created_at:%Y-%m-%d %H:%M} UTC: {self.status}"

    @property
    def status(self) -> str:
        """The outcome in words, or what is known while there is none."""
        if self.outcome:
            return self.get_outcome_display()
        if self.next_at:
            return "waiting until the consent has spread at Microsoft"
        if self.claimed_at:
            return "being worked on" if timezone.now() - self.claimed_at < TAKES_AT_MOST else "interrupted"
        return "no answer" if self.is_unanswered else "waiting for Microsoft"

    @property
    def is_unanswered(self) -> bool:
        """Whether an answer should have come by now. What ends on a page of Microsoft's own never calls back."""
        waited = timezone.now() - self.created_at
        return self.claimed_at is None and not self.outcome and waited > ANSWER_EXPECTED_WITHIN
