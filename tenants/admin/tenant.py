from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from monitoring.findings import announce_unheard
from monitoring.models import Finding
from oauth.models import AdminGrant, Connection
from tenants.models import AppRegistration, Tenant, TenantAccess

from . import history
from .access import AccessInline
from .approvals import approvals_panel
from .archiving import CONSEQUENCES, archive_tenants
from .attempts import failed_panel
from .base import TenantScopedAdmin
from .checking import CheckNow
from .counts import connections_of, counted, open_findings, secret_status, with_findings, with_health
from .display import GOOD, QUIET, WARNING, badge, link_to, list_of, page_of
from .forms import WholeRowForm
from .pages import Button, Page, Panel
from .panels import SHOWN, connections_panel, findings_panel
from .sending import SendsLinks
from .standing import TenantStanding
from .warn_days import DaysFormField


class TenantForm(WholeRowForm, forms.ModelForm):
    constraint_fields = {"tenant_name_unique": "name", "tenant_slug_unique": "slug"}
    warn_days = DaysFormField(
        label="Days of warning",
        help_text="How many days before a client secret ends to warn, between commas: 60, 30, 7. The end itself is "
        "always told. Empty: as in the setting SECRET_WARN_DAYS.",
    )


@admin.register(Tenant)
class TenantAdmin(CheckNow, SendsLinks, TenantScopedAdmin):
    form = TenantForm
    fields = ["name", "slug", "contact_emails", "tells_contacts", "warn_days", "notes"]
    readonly_fields = ["status"]
    prepopulated_fields = {"slug": ["name"]}
    list_display = ["name", "status", "finding_count", "registration_count", "connection_count"]
    list_filter = [TenantStanding]
    search_fields = ["name", "slug"]
    actions = ["check_now", "send_link", "suspend", "resume", "archive"]
    page_actions = ("check_now", "send_link", "suspend", "resume", "archive")
    inlines = [AccessInline]

    @admin.display(description="registrations", ordering="registration_count")
    def registration_count(self, tenant: Any) -> int:
        return tenant.registration_count  # type: ignore[no-any-return]

    @admin.display(description="connections", ordering="connection_count")
    def connection_count(self, tenant: Any) -> int:
        return tenant.connection_count  # type: ignore[no-any-return]

    @admin.display(description="open findings", ordering="finding_count")
    def finding_count(self, tenant: Any) -> Any:
        if tenant.suspended_at and tenant.finding_count:
            return badge(QUIET, f"{tenant.finding_count} open")
        return open_findings(tenant)

    @admin.display(description="status")
    def status(self, tenant: Tenant) -> Any:
        if tenant.archived_at:
            return badge(QUIET, "archived")
        return badge(WARNING, "suspended") if tenant.suspended_at else badge(GOOD, "active")

    @admin.action(description="Suspend", permissions=["operate"])
    def suspend(self, request: HttpRequest, queryset: Any) -> Any:
        queryset = queryset.filter(suspended_at=None, archived_at=None)
        asked = self.confirm(
            request,
            queryset,
            title="Suspend",
            consequences=[
                "Consent links pause: whoever opens one is told that it does not work.",
                "Nothing is checked, and findings are muted.",
                "Nothing is lost: resume it, and all of it goes on.",
            ],
        )
        if not asked:
            self._set(request, queryset, "suspended", suspended_at=timezone.now())
        return asked

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: Any) -> Any:
        queryset = queryset.filter(suspended_at__isnull=False, archived_at=None)
        asked = self.confirm(
            request,
            queryset,
            title="Resume",
            consequences=["Links work again, and the next check looks at everything."],
        )
        if not asked:
            tenants = list(queryset)
            self._set(request, queryset, "resumed", suspended_at=None)
            announce_unheard(Finding.objects.open().filter(tenant__in=tenants))
        return asked

    @admin.action(description="Archive", permissions=["operate"])
    def archive(self, request: HttpRequest, queryset: Any) -> Any:
        queryset = queryset.filter(archived_at=None)
        asked = self.confirm(request, queryset, title="Archive", consequences=CONSEQUENCES)
        if asked:
            return asked
        tenants = list(queryset)
        registrations = list(AppRegistration.objects.filter(tenant__in=tenants, archived_at=None))
        archive_tenants(self.get_queryset(request).filter(pk__in=[tenant.pk for tenant in tenants]))
        for registration in registrations:
            history.record(request, registration, "archived")
        self._tell(request, tenants, "archived")
        return None

    def _set(self, request: HttpRequest, queryset: Any, verb: str, **change: Any) -> None:
        tenants = list(queryset)
        Tenant.objects.filter(pk__in=[tenant.pk for tenant in tenants]).update(**change)
        self._tell(request, tenants, verb)

    def _tell(self, request: HttpRequest, tenants: list[Tenant], verb: str) -> None:
        for tenant in tenants:
            history.record(request, tenant, verb)
        if tenants:
            self.message_user(request, f"{', '.join(map(str, tenants))}: {verb}.", messages.SUCCESS)
        else:
            self.message_user(request, f"Nothing to do: none of these can be {verb} now.", messages.WARNING)

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> Any:
        return ["status", *self.fields] if obj else self.fields

    def offers(self, action: str, obj: Tenant) -> bool:
        if obj.archived_at:
            return False
        if action == "resume":
            return bool(obj.suspended_at)
        return action == "archive" or not obj.suspended_at

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not (obj and obj.archived_at) and super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        tenants = with_findings(super().get_queryset(request), request.user, "tenant")
        return tenants.annotate(
            registration_count=counted(AppRegistration.objects.filter(archived_at=None), "tenant"),
            connection_count=connections_of(request.user, "tenant"),
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        user: Any = request.user
        if not change and not user.is_superuser:
            TenantAccess.objects.create(tenant=form.instance, user=user)  # or they would not see what they added

    def response_post_save_add(self, request: HttpRequest, obj: Tenant) -> Any:
        self.message_user(request, "Next: add its app registration.", messages.INFO)
        return HttpResponseRedirect(page_of(obj))

    def page(self, request: HttpRequest, obj: Tenant) -> Page:
        page = super().page(request, obj)
        if request.user.has_perm("tenants.add_appregistration") and not obj.archived_at:
            add = reverse("admin:tenants_appregistration_add", query={"tenant": obj.pk})
            page.buttons.insert(0, Button("Add app registration", add, post=False))
        registrations = with_health(AppRegistration.objects.visible_to(request.user).filter(tenant=obj), request.user)
        page.put_wrong_first(
            findings_panel(
                request,
                Finding.objects.open().filter(tenant=obj),
                title="Open findings",
                empty=_nothing_open(obj, is_checked=registrations.exclude(checked_at=None).exists()),
                more=list_of(Finding, tenant__id__exact=obj.pk),
            )
        )
        page.panels += [
            Panel(
                title="App registrations",
                columns=["Name", "Client secret", "Connections", "Open findings"],
                rows=[
                    [link_to(row), badge(*secret_status(row)), row.connection_count, open_findings(row)]
                    for row in registrations[:SHOWN]
                ],
                empty="None yet. Add the one that was made in Entra for this tenant.",
                more=list_of(AppRegistration, tenant__id__exact=obj.pk) if registrations.count() > SHOWN else "",
            ),
            connections_panel(
                request, Connection.objects.filter(tenant=obj), more=list_of(Connection, tenant__id__exact=obj.pk)
            ),
            failed_panel(request, obj),
            approvals_panel(request, AdminGrant.objects.filter(tenant=obj), tenant__id__exact=obj.pk),
        ]
        return page


def _nothing_open(tenant: Tenant, *, is_checked: bool) -> str:
    if tenant.archived_at:
        return "Nothing is checked any more."
    if tenant.suspended_at:
        return "Nothing is checked while it is suspended."
    return "Nothing is wrong." if is_checked else "Not checked yet."
