import uuid
from typing import Self

from django.db import models, transaction
from django.utils import timezone

from tenants.fields import SealedField
from tenants.models import AppRegistration, Tenant
from tenants.models.visibility import TenantScopedQuerySet
from tenants.models.watched import Watched

from ..signals import disconnected

A_TURN = 10  # connections of one tenant: few, so that nobody waits long, and enough to share what a registration costs


class ConnectionQuerySet(TenantScopedQuerySet["Connection"]):
    def live(self) -> Self:
        """Those that are looked after: not disconnected on purpose, of a live tenant and registration."""
        return self.filter(
            disconnected_at=None,
            tenant__suspended_at=None,
            tenant__archived_at=None,
            registration__archived_at=None,
        )

    def next_turn(self, tenant_id: int) -> int:
        """In which of its tenant's turns one made now is looked at."""
        return self.filter(tenant=tenant_id).count() // A_TURN

    def disconnect(self) -> list["Connection"]:
        """End these on purpose: never looked at again, their tokens shredded. Those that were not ended before.

        Whoever else holds something of them hears of it by the signal `disconnected`.
        """
        with transaction.atomic():
            rows = list(self.select_for_update(of=("self",)).select_related("tenant").order_by("pk"))
            these = Connection.objects.filter(pk__in=[row.pk for row in rows])
            these.update(refresh_token=None)
            these.filter(disconnected_at=None).update(disconnected_at=timezone.now())
            disconnected.send(sender=Connection, connections=rows)
        return [row for row in rows if row.disconnected_at is None]


class Connection(Watched):
    """A mailbox account that consented to a registration. Its id is what outsiders are told."""

    class TokenStatus(models.TextChoices):
        ACTIVE = "active", "active"
        INVALID = "invalid", "invalid"
        DEAD = "dead", "dead"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="connections")
    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, related_name="connections")
    tid = models.UUIDField("directory")
    oid = models.UUIDField("object ID of the account")
    address = models.CharField(
        "account",
        max_length=320,
        db_index=True,
        help_text="What the account is called today; its object ID is what stays.",
    )
    person = models.CharField("name", max_length=200, blank=True)
    client_id = models.CharField("granted to client ID", max_length=36)
    scopes_asked = models.JSONField(default=list)
    scopes_granted = models.JSONField(default=list)
    refresh_token = SealedField(place="oauth.connection.refresh_token", null=True)
    token_status = models.CharField(max_length=10, choices=TokenStatus.choices, default=TokenStatus.ACTIVE)
    blocked = models.CharField(max_length=40, blank=True, help_text="Why it cannot be used now though the grant lives.")
    connected_at = models.DateTimeField("consented", default=timezone.now)
    refreshed_at = models.DateTimeField("last refreshed", null=True)
    disconnected_at = models.DateTimeField(null=True, blank=True)
    turn = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="A sweep takes the first ten of every tenant, then its next ten.",
    )

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["address"]
        indexes = [models.Index(fields=["last_sweep", "turn", "registration", "id"], name="connection_sweep_by_turn")]
        constraints = [models.UniqueConstraint("registration", "tid", "oid", name="connection_account_once")]

    def __str__(self) -> str:
        return self.address

    @property
    def scopes_missing(self) -> list[str]:
        """Permissions asked for at the consent and not granted."""
        granted = {scope.lower() for scope in self.scopes_granted}
        return [scope for scope in self.scopes_asked if scope.lower() not in granted]
