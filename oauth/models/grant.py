from collections.abc import Collection
from datetime import timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from tenants.models import AppRegistration, Tenant
from tenants.models.registration import as_guid
from tenants.models.visibility import TenantScopedQuerySet


class AdminGrantQuerySet(TenantScopedQuerySet["AdminGrant"]):
    def to_look_at(self) -> Self:
        """Those whose look at what Microsoft has written down is due."""
        return self.filter(look_at__lte=timezone.now())

    def read_again(self, registrations: Collection[AppRegistration]) -> None:
        """Have those read anew that were read from a directory's list before, and not for most of a day."""
        verified = self.filter(registration__in=registrations, status=AdminGrant.Status.VERIFIED, look_at=None)
        now = timezone.now()
        verified.filter(verified_at__lt=now - AdminGrant.GOOD_FOR).update(look_at=now, looks=0)

    def of_directory(self, registration: AppRegistration, tenant_id: int, directory: str) -> Self:
        """What was granted to the registration as it is now in a tenant's directory; in any, where that is no ID."""
        grants = self.filter(registration=registration, tenant=tenant_id, client_id=registration.client_id)
        return grants.filter(tid=directory) if as_guid(directory) else grants

    def claim(self, pk: int) -> "AdminGrant | None":
        """This grant, to be looked at by the caller and nobody else for half a minute, or None."""
        grant = self.to_look_at().filter(pk=pk).select_related("registration").first()
        if grant is None:
            return None
        later = timezone.now() + AdminGrant.LOOK_TAKES
        if self.filter(pk=pk, look_at=grant.look_at).update(look_at=later, looks=models.F("looks") + 1) != 1:
            return None
        grant.look_at, grant.looks = later, grant.looks + 1
        return grant


class AdminGrant(models.Model):
    """A consent for a whole directory, and how far its word can be trusted.

    Of one directory each tenant has its own: what somebody makes up about another's touches nothing of theirs.
    `doubted_at`: since then somebody there was sent back for want of an approval, so it may have been withdrawn.
    """

    LOOK_TAKES = timedelta(seconds=30)
    GOOD_FOR = timedelta(hours=20)  # less than from one night to the next

    class Status(models.TextChoices):
        REPORTED = "reported", "reported"  # the answer said so, which whoever carries it can make up
        SEEN = "seen", "seen"  # a sign-in in that directory then returned all that was asked for
        VERIFIED = "verified", "verified"  # read from the directory's own list of grants

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="admin_grants")
    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, related_name="admin_grants")
    tid = models.UUIDField("directory")
    client_id = models.CharField("granted to client ID", max_length=36)
    scopes = models.JSONField(default=list, help_text="Permissions asked for, or those read from the directory.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REPORTED)
    reported_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    doubted_at = models.DateTimeField(null=True, blank=True)
    look_at = models.DateTimeField(null=True, blank=True, help_text="When the directory's list is to be read next.")
    looks = models.PositiveSmallIntegerField(default=0)

    objects = AdminGrantQuerySet.as_manager()

    class Meta:
        ordering = ["-reported_at"]
        verbose_name = "administrator's approval"
        verbose_name_plural = "administrators' approvals"
        constraints = [models.UniqueConstraint("registration", "tenant", "tid", name="admin_grant_once")]
        indexes = [
            models.Index(fields=["look_at"], condition=models.Q(look_at__isnull=False), name="admin_grant_to_look_at")
        ]

    def __str__(self) -> str:
        return f"Approval in {self.tid}"

    def covers(self, permissions: Collection[str]) -> bool:
        """Whether all of these are among what was approved."""
        return {name.lower() for name in permissions} <= {name.lower() for name in self.scopes}
