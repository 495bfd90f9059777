from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from monitoring import expiries
from staff.models import User
from tenants.admin import history
from tenants.admin.base import SuperusersOnly, TenantScopedAdmin
from tenants.admin.display import link_to, list_of
from tenants.admin.pages import Page, Panel
from tenants.models import Tenant, TenantAccess


@admin.register(User)
class UserAdmin(SuperusersOnly, TenantScopedAdmin, DjangoUserAdmin):
    list_display = ["username", "email", "full_name", "is_superuser", "is_active", "last_login"]
    list_filter = ["is_superuser", "is_active", "groups"]
    unsearchable = frozenset({"password", "calendar_digest"})
    actions = ["revoke_calendar_address"]
    page_actions = ("revoke_calendar_address",)

    @admin.display(description="name", ordering="last_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.action(description="Revoke calendar address", permissions=["change"])
    def revoke_calendar_address(self, request: HttpRequest, queryset: Any) -> None:
        owners = expiries.revoke(queryset)
        for owner in owners:
            history.record(request, owner, "calendar address revoked")
        self.message_user(request, f"{len(owners)} calendar addresses revoked.", messages.SUCCESS)

    def offers(self, action: str, obj: User) -> bool:
        return bool(obj.calendar_digest)

    def page(self, request: HttpRequest, obj: User) -> Page:
        page = super().page(request, obj)
        if not obj.is_superuser:
            page.panels.append(_seen(obj))
        return page


@admin.register(Group)
class GroupAdmin(SuperusersOnly, TenantScopedAdmin, DjangoGroupAdmin):
    pass


def _seen(user: Any) -> Panel:
    tenants = Tenant.objects.visible_to(user).filter(archived_at=None)
    return Panel(
        title="Tenants this user sees",
        columns=["Tenant"],
        rows=[[link_to(tenant)] for tenant in tenants[:20]],
        empty="None yet. Give access on the tenant's page, or under Tenant access.",
        more=list_of(TenantAccess, user__id__exact=user.pk),
        more_words="Access given to this user alone",
    )
