"""Whose rows a user may see: the one rule, for every model that belongs to a tenant."""

from typing import Any, Self, TypeVar

from django.db.models import Model, Q, QuerySet

_M = TypeVar("_M", bound=Model)


def _sees_platform(user: Any) -> bool:
    return bool(user.has_perm("staff.view_platform"))


class TenantScopedQuerySet(QuerySet[_M]):
    """Rows of a model that belongs to a tenant.

    `tenant_path` leads to the tenant, as in a filter. Rows without a tenant are seen by superusers and holders of
    `staff.view_platform`.
    """

    tenant_path = "tenant"

    def visible_to(self, user: Any) -> Self:
        """Only what this user may see: all for superusers, else rows of the tenants they were given."""
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        from .tenant import Tenant

        seen = Q(**{f"{self.tenant_path}__in": Tenant.objects.visible_to(user).values("pk")})
        if _sees_platform(user):
            seen |= Q(**{f"{self.tenant_path}__isnull": True})
        return self.filter(seen)


class PlatformQuerySet(QuerySet[_M]):
    """Rows of a model that belongs to no tenant."""

    def visible_to(self, user: Any) -> Self:
        """All for superusers and holders of `staff.view_platform`, nothing for anyone else."""
        return self if user.is_active and _sees_platform(user) else self.none()
