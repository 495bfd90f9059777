from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models

from .visibility import TenantScopedQuerySet


class TenantAccessQuerySet(TenantScopedQuerySet["TenantAccess"]):
    pass


class TenantAccess(models.Model):
    """Lets one user, or one group, see one tenant. Superusers need none."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="accesses")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True)
    group = models.ForeignKey(Group, on_delete=models.PROTECT, null=True, blank=True)

    objects = TenantAccessQuerySet.as_manager()

    class Meta:
        verbose_name = "tenant access"
        verbose_name_plural = "tenant accesses"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user=None, group__isnull=False) | models.Q(user__isnull=False, group=None),
                name="tenant_access_user_or_group",
                violation_error_message="Choose a user or a group, one of the two.",
            ),
            models.UniqueConstraint("tenant", "user", condition=models.Q(group=None), name="tenant_access_user_once"),
            models.UniqueConstraint("tenant", "group", condition=models.Q(user=None), name="tenant_access_group_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group} sees {self.tenant}"
