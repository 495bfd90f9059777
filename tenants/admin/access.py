from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from tenants.models import TenantAccess

from .base import SuperusersOnly, TenantScopedAdmin, is_superuser
from .scoping import ScopedChoices


class AccessInline(SuperusersOnly, ScopedChoices, admin.TabularInline):
    """Who sees this tenant. Taking it away deletes the row; history keeps both."""

    model = TenantAccess
    extra = 0
    autocomplete_fields = ["user", "group"]
    verbose_name_plural = "Who sees this tenant, besides superusers"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)


@admin.register(TenantAccess)
class TenantAccessAdmin(SuperusersOnly, TenantScopedAdmin):
    list_display = ["tenant", "user", "group"]
    list_filter = ["tenant", "user", "group"]
    list_select_related = ["tenant", "user", "group"]
    search_fields = ["tenant__name", "user__username", "group__name"]
    autocomplete_fields = ["tenant", "user", "group"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)
