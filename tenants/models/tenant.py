from typing import Any, Self

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from .addresses import AddressesField


class TenantQuerySet(models.QuerySet["Tenant"]):
    def visible_to(self, user: Any) -> Self:
        """All for superusers; else the tenants given to this user or to a group of theirs (TenantAccess)."""
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        from .access import TenantAccess

        given = TenantAccess.objects.filter(models.Q(user=user.pk) | models.Q(group__in=user.groups.values("pk")))
        return self.filter(pk__in=given.values("tenant"))

    def live(self) -> Self:
        """Those that are looked after: neither archived nor suspended."""
        return self.filter(archived_at=None, suspended_at=None)


class Tenant(models.Model):
    """A customer organization whose mailboxes are connected."""

    name = models.CharField(max_length=120)
    slug = models.SlugField("short name", max_length=60, help_text="For addresses and the command line.")
    contact_emails = AddressesField(help_text="Whom to write to at the customer, one address a line.")
    tells_contacts = models.BooleanField(
        "tell these contacts",
        default=False,
        help_text="Write to them, too, in words meant for them, when something is up to the customer.",
    )
    warn_days = models.JSONField(
        "days of warning",
        null=True,
        blank=True,
        help_text="How many days before a client secret ends to warn. Empty: as in the setting SECRET_WARN_DAYS.",
    )
    notes = models.TextField(blank=True)
    suspended_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                condition=models.Q(archived_at=None),
                name="tenant_name_unique",
                violation_error_message="This name is already in use.",
            ),
            models.UniqueConstraint(
                "slug",
                condition=models.Q(archived_at=None),
                name="tenant_slug_unique",
                violation_error_message="This short name is already in use.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
