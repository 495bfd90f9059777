from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Value
from django.http import HttpRequest
from django.urls import reverse

from monitoring.models import Finding
from oauth.models import Connection
from tenants.admin import history
from tenants.admin.archiving import disconnect
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.checking import CheckNow
from tenants.admin.counts import counted
from tenants.admin.display import BAD, ago, badge, link_to, sees_platform, stacked
from tenants.admin.pages import Button, Page
from tenants.admin.panels import findings_panel, token_status
from tenants.admin.standing import StandingFilter, everything
from tenants.models import AppRegistration

TokenStatus = Connection.TokenStatus


def _with(rows: Any, status: str) -> Any:
    return rows.filter(disconnected_at=None, token_status=status)


class ConnectionStanding(StandingFilter):
    standings: ClassVar = {
        "kept": ("Not disconnected", lambda rows: rows.filter(disconnected_at=None)),
        "active": ("Active", lambda rows: _with(rows, TokenStatus.ACTIVE).filter(blocked="")),
        "blocked": ("Blocked", lambda rows: rows.filter(disconnected_at=None).exclude(blocked="")),
        "invalid": ("Invalid", lambda rows: _with(rows, TokenStatus.INVALID)),
        "dead": ("Dead", lambda rows: _with(rows, TokenStatus.DEAD)),
        "disconnected": ("Disconnected", lambda rows: rows.filter(disconnected_at__isnull=False)),
        "all": ("All", everything),
    }


@admin.register(Connection)
class ConnectionAdmin(CheckNow, ReadOnlyAdmin):
    list_display = ["account", "status", "finding_count", "checked", "refreshed", "for_registration"]
    list_filter = [ConnectionStanding, "tenant", "registration"]
    list_select_related = ["tenant", "registration"]
    search_fields = ["address", "person", "tenant__name"]
    actions = ["check_now", "disconnect"]
    page_actions = ("check_now", "disconnect")
    fieldsets = [
        (None, {"fields": ["address", "person", "tenant", "for_registration", "tid", "oid", "public_id"]}),
        ("Grant", {"fields": ["status", "why_blocked", "granted", "missing", "client_id"]}),
        ("Times", {"fields": ["connected_at", "refreshed_at", "checked_at", "disconnected_at"]}),
    ]

    @admin.display(description="account, tenant", ordering="address")
    def account(self, connection: Connection) -> Any:
        return stacked(connection.address, connection.tenant)

    @admin.display(description="registration")
    def for_registration(self, connection: Any) -> Any:
        if connection.registration.tenant_id is None and not connection.sees_platform:
            return "a shared registration"
        return link_to(connection.registration)

    @admin.display(description="status", ordering="token_status")
    def status(self, connection: Connection) -> Any:
        return token_status(connection)

    @admin.display(description="blocked because")
    def why_blocked(self, connection: Connection) -> str:
        return connection.blocked.replace("_", " ") or "It is not blocked."

    @admin.display(description="granted")
    def granted(self, connection: Connection) -> str:
        return ", ".join(connection.scopes_granted) or "Nothing"

    @admin.display(description="asked for and not granted")
    def missing(self, connection: Connection) -> str:
        return ", ".join(connection.scopes_missing) or "Nothing: all that was asked for was granted."

    @admin.display(description="public ID")
    def public_id(self, connection: Connection) -> str:
        return str(connection.pk)

    @admin.display(description="refreshed", ordering="refreshed_at")
    def refreshed(self, connection: Connection) -> str:
        return ago(connection.refreshed_at)

    @admin.display(description="checked", ordering="checked_at")
    def checked(self, connection: Connection) -> str:
        return ago(connection.checked_at)

    @admin.display(description="findings", ordering="finding_count")
    def finding_count(self, connection: Any) -> Any:
        return badge(BAD, f"{connection.finding_count} open") if connection.finding_count else "none"

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .annotate(
                sees_platform=Value(sees_platform(request.user)),
                finding_count=counted(Finding.objects.visible_to(request.user).open(), "connection"),
            )
        )

    @admin.action(description="Disconnect", permissions=["operate"])
    def disconnect(self, request: HttpRequest, queryset: Any) -> Any:
        queryset = queryset.filter(disconnected_at=None)
        asked = self.confirm(
            request,
            queryset,
            title="Disconnect",
            consequences=[
                "The account is not checked any more, and its open findings are closed.",
                "Its refresh token is shredded here; at Microsoft it stays valid until the consent is withdrawn there.",
                "A new consent by the same person connects it again.",
            ],
        )
        if asked:
            return asked
        connections = list(queryset)
        disconnect(Connection.objects.filter(pk__in=[row.pk for row in connections]))
        for connection in connections:
            history.record(request, connection, "disconnected")
        self.message_user(request, f"{', '.join(map(str, connections)) or 'Nothing'}: disconnected.", messages.SUCCESS)
        return None

    def offers(self, action: str, obj: Connection) -> bool:
        if action == "disconnect":
            return obj.disconnected_at is None
        return Connection.objects.live().filter(pk=obj.pk).exists()

    def page(self, request: HttpRequest, obj: Connection) -> Page:
        page = super().page(request, obj)
        registration = AppRegistration.objects.visible_to(request.user).filter(pk=obj.registration_id, archived_at=None)
        if request.user.has_perm("oauth.add_link") and obj.tenant.archived_at is None and registration.exists():
            query = {"registration": obj.registration_id, "tenant": obj.tenant_id}
            add = reverse("admin:oauth_link_add", query=query)
            page.buttons.insert(0, Button("Create consent link", add, post=False))
        page.put_wrong_first(
            findings_panel(
                request,
                Finding.objects.open().filter(connection=obj),
                title="Open findings",
                empty="Nothing is wrong." if obj.checked_at else "Not checked yet.",
            )
        )
        return page
