import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from tenants.models import AppRegistration, Tenant
from tenants.models.visibility import TenantScopedQuerySet

GOOD_FOR = timedelta(days=14)


def digest(token: str) -> str:
    """What is stored of a token or state: its SHA-256, so that the database holds nothing that opens anything."""
    return hashlib.sha256(token.encode()).hexdigest()


def default_expiry() -> datetime:
    return timezone.now() + GOOD_FOR


class LinkQuerySet(TenantScopedQuerySet["Link"]):
    def mint(
        self, *, tenant: Tenant, registration: AppRegistration, created_by: Any, **fields: Any
    ) -> tuple["Link", str]:
        """A new link, and its token: handed out once, only its digest is kept."""
        token = secrets.token_urlsafe(32)
        link = self.create(
            tenant=tenant, registration=registration, created_by=created_by, token_digest=digest(token), **fields
        )
        return link, token

    def usable(self) -> Self:
        """Links that may still start a consent: not expired, revoked or used up, and nothing behind them put away."""
        return self.filter(
            revoked_at=None,
            expires_at__gt=timezone.now(),
            uses__lt=models.F("max_uses"),
            tenant__archived_at=None,
            tenant__suspended_at=None,
            registration__archived_at=None,
        )

    def for_token(self, token: str) -> "Link | None":
        """The usable link of this token, or None: unknown, expired, revoked and used look alike from outside."""
        return self.usable().filter(token_digest=digest(token)).select_related("registration", "tenant").first()


class Link(models.Model):
    """An address handed to somebody outside, good for a purpose until it expires or is used up."""

    class Purpose(models.TextChoices):
        CONSENT = "consent", "consent"

    purpose = models.CharField(max_length=20, choices=Purpose.choices, default=Purpose.CONSENT, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="links")
    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, related_name="links")
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField(default=default_expiry)
    max_uses = models.PositiveIntegerField("good for how many consents", default=1)
    uses = models.PositiveIntegerField("completed consents", default=0, editable=False)
    opens = models.PositiveIntegerField("times opened", default=0, editable=False)
    last_opened_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = LinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "consent link"

    def __str__(self) -> str:
        return f"Consent link {self.pk} for {self.tenant}"  # a shared registration's name is not for every operator

    @property
    def status(self) -> str:
        """One word for lists: open, used, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        if self.uses >= self.max_uses:
            return "used"
        return "expired" if self.expires_at <= timezone.now() else "open"
