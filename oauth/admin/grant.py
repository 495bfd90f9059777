from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from oauth.models import AdminGrant
from tenants.admin.approvals import link_of, proof_of, status_of, with_link
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.display import link_to, moment_of, stacked

from .of_registration import OfRegistration


@admin.register(AdminGrant)
class AdminGrantAdmin(OfRegistration, ReadOnlyAdmin):
    when_empty = "No administrator has approved for a whole organization yet."
    list_display = ["directory", "state", "for_tenant", "for_registration", "reported", "by_link"]
    list_filter = ["status", "tenant", "registration"]
    list_select_related = ["tenant", "registration"]
    search_fields = ["tid", "tenant__name"]
    keeps_history = False
    fields = [
        "directory", "for_tenant", "for_registration", "client_id", "state", "permissions", "by_link", "reported_at",
        "seen_at", "verified_at",
    ]  # fmt: skip

    @admin.display(description="directory", ordering="tid")
    def directory(self, grant: AdminGrant) -> Any:
        return format_html('<span class="identifier">{}</span>', grant.tid)

    @admin.display(description="status", ordering="status")
    def state(self, grant: AdminGrant) -> Any:
        return stacked(status_of(grant), proof_of(grant))

    @admin.display(description="tenant", ordering="tenant__name")
    def for_tenant(self, grant: AdminGrant) -> Any:
        return link_to(grant.tenant)

    @admin.display(description="scopes")
    def permissions(self, grant: AdminGrant) -> str:
        return ", ".join(grant.scopes) or "-"

    @admin.display(description="reported", ordering="reported_at")
    def reported(self, grant: AdminGrant) -> Any:
        return moment_of(grant.reported_at)

    @admin.display(description="by")
    def by_link(self, grant: AdminGrant) -> Any:
        return link_of(grant)

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_link(super().get_queryset(request))
