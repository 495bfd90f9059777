from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from oauth.models import Verification
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.display import link_to, moment_of, stacked
from tenants.admin.pages import Page
from tenants.admin.refreshing import refreshing
from tenants.admin.verifying import Verifies, in_short, outcome_of, report_panel, whom
from tenants.models import AppRegistration


@admin.register(Verification)
class VerificationAdmin(Verifies, ReadOnlyAdmin):
    when_empty = "Nothing has been verified yet. Press “Verify” on a registration's page."
    list_display = ["when_and_kind", "outcome_shown", "short", "registration_and_tenant", "by"]
    list_filter = ["outcome", "kind", "created_at", "registration__tenant", "registration"]
    list_select_related = ["registration__tenant", "asked_by"]
    search_fields = ["registration__name", "registration__client_id", "registration__tenant__name"]
    actions = ["verify_again"]
    page_actions = ("verify_again",)
    keeps_history = False
    fields = [
        "outcome_shown", "for_registration", "for_tenant", "kind", "secret", "by", "created_at", "began", "ended",
    ]  # fmt: skip

    @admin.display(description="when, what", ordering="created_at")
    def when_and_kind(self, verification: Verification) -> Any:
        return stacked(moment_of(verification.created_at), verification.get_kind_display())

    @admin.display(description="result", ordering="outcome")
    def outcome_shown(self, verification: Verification) -> Any:
        return outcome_of(verification)

    @admin.display(description="in short")
    def short(self, verification: Verification) -> str:
        return in_short(verification)

    @admin.display(description="registration, tenant", ordering="registration__name")
    def registration_and_tenant(self, verification: Verification) -> Any:
        return stacked(link_to(verification.registration), verification.tenant or "shared")

    @admin.display(description="asked for by")
    def by(self, verification: Verification) -> str:
        return whom(verification)

    @admin.action(description="Verify again", permissions=["operate"])
    def verify_again(self, request: HttpRequest, queryset: Any) -> Any:
        return self.verify(request, queryset)

    # Fields of one

    @admin.display(description="registration")
    def for_registration(self, verification: Verification) -> Any:
        return link_to(verification.registration)

    @admin.display(description="tenant")
    def for_tenant(self, verification: Verification) -> Any:
        return link_to(verification.tenant) if verification.tenant else "none; it is shared by many"

    @admin.display(description="client secret")
    def secret(self, verification: Verification) -> str:
        if verification.credential is None:
            return "the current one"
        return f"{verification.credential}, proposed by a secret drop"

    @admin.display(description="began")
    def began(self, verification: Verification) -> Any:
        return moment_of(verification.started_at)

    @admin.display(description="finished")
    def ended(self, verification: Verification) -> Any:
        return moment_of(verification.finished_at)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may have a registration checked may have it verified again."""
        return bool(request.user.has_perm("tenants.change_appregistration"))

    def offers(self, action: str, obj: Verification) -> bool:
        is_live = AppRegistration.objects.live().filter(pk=obj.registration_id).exists()
        return obj.finished_at is not None and is_live

    def page(self, request: HttpRequest, obj: Verification) -> Page:
        page = super().page(request, obj)
        page.above.append(report_panel(request, obj))
        return page

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().change_view(request, object_id, *args, **kwargs)
        shown = getattr(response, "context_data", {}).get("original")
        return refreshing(response, shown is not None and shown.finished_at is None)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        return refreshing(response, Verification.objects.visible_to(request.user).unfinished().soon().exists())
