import hashlib
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from tenants.holding import hold
from tenants.models import AppRegistration, Credential, Tenant
from tenants.models.visibility import TenantScopedQuerySet

from .connection import Connection

GOOD_FOR = timedelta(days=14)


def digest(token: str) -> str:
    """What is stored of a token or state: its SHA-256, so that the database holds nothing that opens anything."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    return secrets.token_urlsafe(32)


def default_expiry() -> datetime:
    return timezone.now() + GOOD_FOR


class LinkQuerySet(TenantScopedQuerySet["Link"]):
    def mint(
        self, *, tenant: Tenant, registration: AppRegistration, created_by: Any, **fields: Any
    ) -> tuple["Link", str]:
        """A new link, and its token: handed out once, only its digest is kept."""
        token = new_token()
        link = self.create(
            tenant=tenant, registration=registration, created_by=created_by, token_digest=digest(token), **fields
        )
        return link, token

    def usable(self) -> Self:
        """Links that still open something: not expired, revoked or used up, and nothing behind them put away.

        Whoever wants to disconnect may do so while their tenant is suspended.
        """
        looked_after = models.Q(tenant__suspended_at=None, tenant__archived_at=None, registration__archived_at=None)
        return self.filter(
            looked_after | models.Q(purpose=Link.Purpose.DISCONNECT),
            models.Q(parent=None) | models.Q(parent__revoked_at=None),
            revoked_at=None,
            expires_at__gt=timezone.now(),
            uses__lt=models.F("max_uses"),
        )

    def readable(self) -> Self:
        """Usable links, and those that did their work: whoever opens one again reads what came of it.

        By such a one a connection was ended, or a secret entered.
        """
        ended = models.Q(purpose=Link.Purpose.DISCONNECT, connection__disconnected_at__isnull=False)
        entered = models.Q(
            purpose=Link.Purpose.SECRET,
            uses__gt=0,
            tenant__suspended_at=None,
            tenant__archived_at=None,
            registration__archived_at=None,
        )
        still_good = models.Q(revoked_at=None, expires_at__gt=timezone.now())
        return self.filter((ended | entered) & still_good | models.Q(pk__in=self.usable().values("pk")))

    def revoke(self) -> "LinkQuerySet":
        """End these, and whatever grew from them, at once. Those that were not revoked before.

        A secret that was entered by one and that Microsoft has not taken yet is not tried any more; where there may be
        such, hold_with_registrations() comes first.
        """
        now = timezone.now()
        ended = self.filter(revoked_at=None).update(revoked_at=now)
        while ended:
            ended = Link.objects.filter(parent__revoked_at=now, revoked_at=None).update(revoked_at=now)
        revoked = Link.objects.filter(revoked_at=now)
        Credential.objects.withdraw(verifications__link__in=revoked)
        return revoked

    def hold_with_registrations(self) -> None:
        """Hold these, and the registrations that secret drops among them are for, as whoever enters by one does."""
        links = hold(self.exclude(purpose=Link.Purpose.DISCONNECT).only("purpose", "registration"))
        drops = {link.registration_id for link in links if link.purpose == Link.Purpose.SECRET}
        hold(AppRegistration.objects.filter(pk__in=drops))

    def for_token(self, token: str) -> "Link | None":
        """The usable link of this token, or None: unknown, expired, revoked and used look alike from outside."""
        return self.readable().filter(token_digest=digest(token)).first()


class Link(models.Model):
    """An address handed to somebody outside, good for a purpose until it expires or is used up.

    `public_id` stands in the clean addresses behind it: it opens nothing, and nobody can guess it.
    """

    class Purpose(models.TextChoices):
        CONSENT = "consent", "consent"
        APPROVAL = "approval", "approval by an administrator"
        RECONNECT = "reconnect", "reconnect"
        DISCONNECT = "disconnect", "disconnect"
        SETUP = "setup", "set up"  # the steps in Entra, for the tenant's administrator
        SECRET = "secret", "secret drop"  # noqa: S105  where that administrator enters client ID and secret

    TO_CONSENT = (Purpose.CONSENT, Purpose.APPROVAL, Purpose.RECONNECT)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    purpose = models.CharField(max_length=20, choices=Purpose.choices, default=Purpose.CONSENT, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="links")
    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, related_name="links")
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, null=True, blank=True, related_name="links", editable=False
    )
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", editable=False
    )
    from_copy = models.BooleanField("for whoever had a copied address", default=False, editable=False)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    sending = models.UUIDField(null=True, unique=True, editable=False)  # its place in the form it was sent by
    sent_to = models.EmailField("for", blank=True, editable=False)
    expected_address = models.EmailField("expected account", max_length=320, blank=True)
    expected_directory = models.CharField("expected directory", max_length=253, blank=True)
    return_url = models.CharField("return URL", max_length=300, blank=True)
    expires_at = models.DateTimeField(default=default_expiry)
    max_uses = models.PositiveIntegerField("good for how many consents", default=1)
    uses = models.PositiveIntegerField("completed consents", default=0, editable=False)
    told_taken = models.PositiveSmallIntegerField(default=0, editable=False)  # that a client ID is registered here
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

    def __str__(self) -> str:
        # Without the name of the registration: a shared one's is not for every operator.
        return f"{self.word} link {self.pk} for {self.tenant}"

    @property
    def leads_to_consent(self) -> bool:
        """Whether it leads to Microsoft, so that attempts and consents may come of it."""
        return self.purpose in self.TO_CONSENT

    @property
    def word(self) -> str:
        """What kind of link it is, in one word."""
        return "Approval" if self.purpose == self.Purpose.APPROVAL else self.get_purpose_display().capitalize()

    @property
    def status(self) -> str:
        """One word for lists: open, as `usable` has it, or what else: used, expired, paused or revoked."""
        needs_tenant = self.purpose != self.Purpose.DISCONNECT
        is_archived = bool(self.tenant.archived_at or self.registration.archived_at)
        if self.revoked_at or (self.parent and self.parent.revoked_at) or (needs_tenant and is_archived):
            return "revoked"
        if self.uses >= self.max_uses:
            return "used"
        if self.expires_at <= timezone.now():
            return "expired"
        return "paused" if needs_tenant and self.tenant.suspended_at else "open"

    @property
    def account(self) -> str:
        """The account this link is for, as it is called; empty where any may come."""
        return self.connection.address if self.connection else self.expected_address

    def use(self) -> None:
        """One more of its uses is done."""
        Link.objects.filter(pk=self.pk, uses__lt=models.F("max_uses")).update(uses=models.F("uses") + 1)

    def give_token(self) -> str:
        """A new token, to be handed out once. The one before, and every browser that came by it, opens nothing more."""
        token = new_token()
        self.token_digest = digest(token)
        self.save(update_fields=["token_digest"])
        return token

    def renew(self, expires_at: datetime) -> str:
        """Open again until then, by a new token, to be handed out once; the one before opens nothing more."""
        self.expires_at, self.revoked_at = expires_at, None
        self.save(update_fields=["expires_at", "revoked_at"])
        return self.give_token()
