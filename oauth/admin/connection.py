from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path

from monitoring.models import Finding
from oauth.models import Connection, Link
from tenants.admin import history
from tenants.admin.attempts import MEND_LESS
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.checking import CheckNow
from tenants.admin.counts import open_findings, with_findings
from tenants.admin.display import ago, page_of, stacked
from tenants.admin.pages import Button, Page
from tenants.admin.panels import findings_panel, token_status
from tenants.admin.sending import SendsLinks
from tenants.admin.standing import StandingFilter, everything

from .handing_out import ReconnectForm, ask, not_reconnectable, shown_once
from .of_registration import OfRegistration

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
class ConnectionAdmin(CheckNow, SendsLinks, OfRegistration, ReadOnlyAdmin):
    when_empty = "Nobody has consented yet. Send a consent link."
    list_display = ["account", "status", "finding_count", "checked", "refreshed", "for_registration"]
    list_filter = [ConnectionStanding, "tenant", "registration"]
    list_select_related = ["tenant", "registration"]
    search_fields = ["address", "person", "tenant__name"]
    actions = ["check_now", "send_link", "disconnect"]
    page_actions = ("check_now", "send_link", "disconnect")
    fieldsets = [
        (None, {"fields": ["address", "person", "tenant", "for_registration", "tid", "oid", "public_id"]}),
        ("Grant", {"fields": ["status", "why_blocked", "granted", "missing", "client_id"]}),
        ("Times", {"fields": ["connected_at", "refreshed_at", "checked_at", "disconnected_at"]}),
    ]

    @admin.display(description="account, tenant", ordering="address")
    def account(self, connection: Connection) -> Any:
        return stacked(connection.address, connection.tenant)

    @admin.display(description="status", ordering="token_status")
    def status(self, connection: Connection) -> Any:
        return token_status(connection)

    @admin.display(description="blocked because")
    def why_blocked(self, connection: Connection) -> str:
        return connection.blocked.replace("_", " ") or "-"

    @admin.display(description="granted")
    def granted(self, connection: Connection) -> str:
        return ", ".join(connection.scopes_granted) or "Nothing"

    @admin.display(description="asked for and not granted")
    def missing(self, connection: Connection) -> Any:
        names = ", ".join(connection.scopes_missing)
        if not names:
            return "Nothing: all that was asked for was granted."
        return names if connection.disconnected_at else stacked(names, MEND_LESS)

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
        return open_findings(connection)

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_findings(super().get_queryset(request), request.user, "connection")

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
        connections = Connection.objects.filter(pk__in=[row.pk for row in queryset]).disconnect()
        for connection in connections:
            history.record(request, connection, "disconnected")
        self.message_user(request, f"{', '.join(map(str, connections)) or 'Nothing'}: disconnected.", messages.SUCCESS)
        return None

    @admin.action(description="Send reconnect link", permissions=["send"])
    def send_link(self, request: HttpRequest, queryset: Any) -> Any:
        return super().send_link(request, queryset)

    def offers(self, action: str, obj: Connection) -> bool:
        if action == "disconnect":
            return obj.disconnected_at is None
        return Connection.objects.live().filter(pk=obj.pk).exists()

    def page(self, request: HttpRequest, obj: Connection) -> Page:
        page = super().page(request, obj)
        if request.user.has_perm("oauth.add_link") and not not_reconnectable(obj):
            reconnect = Button("Create reconnect link", self.own_url("reconnect", quote(obj.pk)), post=False)
            page.buttons.insert(0, reconnect)
        page.put_wrong_first(
            findings_panel(
                request,
                Finding.objects.open().filter(connection=obj),
                title="Open findings",
                empty="Nothing is wrong." if obj.checked_at else "Not checked yet.",
            )
        )
        return page

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.reconnect_view)
        return [path("<path:object_id>/reconnect/", view, name="oauth_connection_reconnect"), *super().get_urls()]

    def reconnect_view(self, request: HttpRequest, object_id: str) -> Any:
        """A link by which the owner of this account, and nobody else, connects it again."""
        connection = self.get_object(request, unquote(object_id))
        if connection is None:
            return self._missing(request, object_id)
        if not request.user.has_perm("oauth.add_link"):
            raise PermissionDenied
        if reasons := not_reconnectable(connection):
            self.message_user(request, f"There can be no link to reconnect it. {' '.join(reasons)}", messages.ERROR)
            return HttpResponseRedirect(page_of(connection))
        posted = request.POST if request.method == "POST" else None
        form = ReconnectForm(posted, connection=connection, user=request.user)
        if posted is not None and form.is_valid():
            return self._hand_out(request, connection, form)
        return ask(
            request,
            self,
            connection,
            form,
            title="Create reconnect link",
            submit="Create link",
            consequences=[
                f"Whoever opens the link can reconnect {connection}, and no other account.",
                "The same connection comes alive again, with its public ID and its history.",
                "Its address is shown once, to be copied.",
            ],
        )

    def _hand_out(self, request: HttpRequest, connection: Connection, form: ReconnectForm) -> HttpResponse:
        with transaction.atomic():
            link, token = Link.objects.mint(
                tenant=connection.tenant,
                registration=connection.registration,
                created_by=request.user,
                purpose=Link.Purpose.RECONNECT,
                connection=connection,
                return_url=form.cleaned_data.get("return_url", ""),
                expires_at=form.expires_at(),
            )
            history.record(request, link, "added", changes={"connection": [None, str(connection)]})
        return shown_once(request, self, link, token)
