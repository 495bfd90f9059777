import json
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import F, OuterRef, Prefetch, Subquery
from django.http import HttpRequest, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from monitoring.models import Finding
from oauth.models import AdminGrant, Connection, Link, Verification
from tenants import clouds
from tenants.holding import hold
from tenants.models import AppRegistration, Credential

from . import history
from .approvals import approvals_panel
from .archiving import CONSEQUENCES, archive_registrations
from .attempts import told_panel
from .base import TenantScopedAdmin
from .checking import CheckNow
from .counts import open_findings, secret_status, with_health
from .display import BAD, ago, badge, ends, link_to, list_of, page_of, sees_platform, stacked, times
from .exporting import Exports
from .funnel import funnel_of_registration
from .importing import OffersImport
from .linting import LintFilter, hints_of, lint_badge, put_lint, tell_refused
from .pages import Button, Page, Panel
from .panels import SHOWN, connections_panel, findings_panel
from .registration_form import RegistrationForm
from .scope_boxes import asked_for
from .scoping import is_key
from .sending import SendsLinks
from .setting_up import SetsUp
from .standing import RegistrationStanding
from .stored_secrets import end_day, stored_secrets
from .verifying import (
    LastVerification,
    Verifies,
    in_entra_panel,
    verification_panel,
    verify_what_was_entered,
)


class CloudFilter(admin.SimpleListFilter):
    title = "cloud"
    parameter_name = "cloud"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, cloud.name) for key, cloud in clouds.clouds().items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(cloud=self.value()) if self.value() else queryset


@admin.register(AppRegistration)
class AppRegistrationAdmin(OffersImport, Verifies, CheckNow, SendsLinks, SetsUp, Exports, TenantScopedAdmin):
    form = RegistrationForm
    list_display = ["name_and_tenant", "secret_ends", "lint", "health", "connection_count", "client_id_and_cloud"]
    list_filter = [RegistrationStanding, "tenant", CloudFilter, LastVerification, LintFilter]  # the last asks every row
    list_select_related = ["tenant"]
    search_fields = ["name", "client_id", "directory", "tenant__name"]
    autocomplete_fields = ["tenant"]
    actions = ["verify", "check_now", "sync_from_entra", "send_link", "export", "archive"]
    page_actions = ("verify", "check_now", "sync_from_entra", "send_link", "export", "archive")

    class Media:
        js = ["copy.js", "operator/registration.js"]

    # Columns

    @admin.display(description="name, tenant", ordering="name")
    def name_and_tenant(self, registration: AppRegistration) -> Any:
        return stacked(registration.name, registration.tenant or "shared")

    @admin.display(description="client ID, cloud", ordering="client_id")
    def client_id_and_cloud(self, registration: AppRegistration) -> Any:
        identifier: Any = "not registered in Entra yet"
        if registration.client_id:
            identifier = format_html('<span class="identifier">{}</span>', registration.client_id)
        return stacked(identifier, self.cloud_name(registration))

    @admin.display(description="cloud", ordering="cloud")
    def cloud_name(self, registration: AppRegistration) -> str:
        cloud = clouds.clouds().get(registration.cloud)
        return cloud.name if cloud else f"{registration.cloud} (not configured)"

    @admin.display(description="client secret", ordering=F("secret_ends_at").asc(nulls_last=True))
    def secret_ends(self, registration: Any) -> Any:
        return badge(*secret_status(registration))

    @admin.display(description="lint")
    def lint(self, registration: AppRegistration) -> Any:
        return lint_badge(hints_of(registration))

    @admin.display(description="connections", ordering="connection_count")
    def connection_count(self, registration: Any) -> int:
        return registration.connection_count  # type: ignore[no-any-return]

    @admin.display(description="health", ordering="finding_count")
    def health(self, registration: Any) -> Any:
        return open_findings(registration, none="no findings" if registration.checked_at else "not checked yet")

    # Read-only parts of the form

    @admin.display(description="redirect URI")
    def redirect_uri_to_copy(self, registration: AppRegistration) -> Any:
        by_cloud = {key: AppRegistration(cloud=key).redirect_uri for key in clouds.clouds()}
        return render_to_string(
            "admin/tenants/appregistration/redirect_uri.html",
            {"uri": registration.redirect_uri if registration.pk else "", "by_cloud": json.dumps(by_cloud)},
        )

    @admin.display(description="stored client secret")
    def stored_secret(self, registration: AppRegistration) -> Any:
        current = registration.credentials.current().first() if registration.pk else None
        if current is None:
            return badge(BAD, "none") if registration.pk else "None yet."
        kind, words = ends(current.ends_at, registration.tenant)
        if Finding.objects.inhibiting().filter(credential=current).exists():
            kind, words = BAD, "refused by Microsoft"
        return format_html("{}… stored, {} {}", current.hint, badge(kind, words), end_day(current))

    @admin.display(description="scopes")
    def scopes_asked(self, registration: AppRegistration) -> Any:
        names = registration.scope_names
        if not names:
            return "None ticked."
        return f"{', '.join(names)}. Microsoft is asked for: {', '.join(asked_for(names).permissions)}."

    @admin.display(description="return URLs")
    def return_urls_shown(self, registration: AppRegistration) -> Any:
        return _lines(registration.return_urls)

    @admin.display(description="redirect URIs of your products")
    def product_uris_shown(self, registration: AppRegistration) -> Any:
        return _lines(registration.product_uris)

    # The form

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if request.method != "POST" or not is_key(self.opts.pk, object_id or ""):
            return super().changeform_view(request, object_id, form_url, extra_context)
        with transaction.atomic():
            # What was typed is compared with what stands there, which nobody changes before it is saved.
            hold(AppRegistration.objects.visible_to(request.user).filter(pk=object_id))
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        may_type = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        cloud = "cloud_name" if self._is_granted(obj) else "cloud"
        uris = ["redirect_uri_to_copy", "product_uris" if may_type else "product_uris_shown"]
        secret = ["stored_secret", *(["secret", "secret_ends_on"] if may_type else [])]
        return [
            ("Registration", {"fields": ["tenant", "name", cloud, "audience", "directory", "client_id"]}),
            (
                "Redirect URIs",
                {"fields": uris},
            ),
            ("Client secret", {"fields": secret}),
            ("Scopes", {"fields": ["scopes" if may_type else "scopes_asked"]}),
            ("Return URLs", {"fields": ["return_urls" if may_type else "return_urls_shown"]}),
            ("Alerts", {"fields": ["alert_emails"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fixed = ["redirect_uri_to_copy", "stored_secret", "scopes_asked", "return_urls_shown", "product_uris_shown"]
        fixed += ["cloud_name", *(["tenant"] if obj else [])]
        if self._is_granted(obj):
            fixed += ["cloud", "client_id"]
        return fixed

    def _is_granted(self, obj: AppRegistration | None) -> bool:
        """Did people consent to this cloud and client ID? Then they stay what they are."""
        return obj is not None and obj.connections.exists()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        formfield = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "tenant" and not sees_platform(request.user):
            formfield.required = True
            formfield.help_text = "Whose registration it is."
        return formfield

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        help_texts = {"tenant": "Fixed: a registration never moves to another tenant."} if obj else {}
        if self._is_granted(obj):
            granted = "Fixed: people have consented to the registration of this cloud and client ID."
            help_texts |= {"client_id": granted, "cloud_name": granted}
        return super().get_form(request, obj, change, **{"help_texts": help_texts, **kwargs})

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not (obj and obj.archived_at) and super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        # Lint looks at no value, so none is loaded and opened for it.
        related = ("scope_selections", "redirect_uris", Prefetch("credentials", Credential.objects.defer("value")))
        read = Verification.objects.filter(registration=OuterRef("pk"), finished_at__isnull=False).exclude(in_entra={})
        rows = with_health(super().get_queryset(request), request.user)
        return rows.annotate(in_entra=Subquery(read.values("in_entra")[:1])).prefetch_related(*related)

    def save_model(self, request: HttpRequest, obj: AppRegistration, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        form.save_scopes()
        form.save_uris()
        form.save_secret()
        tell_refused(request, hints_of(AppRegistration.objects.get(pk=obj.pk)))
        if form.cleaned_data["secret"]:
            verify_what_was_entered(request, obj, "The new client secret")
        elif form.asks_otherwise():
            verify_what_was_entered(request, obj, "The stored client secret, with what was corrected,")
        if form.is_longer_than_entra_allows():
            self.message_user(
                request,
                "Client secrets in Entra last at most 24 months: look at the end date once more.",
                messages.WARNING,
            )
        if change and "scopes" in form.changed_data and obj.connections.exists():
            self.message_user(
                request,
                "Who consented already granted the old scopes; for the new ones they must consent again.",
                messages.WARNING,
            )

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        changes = super().construct_change_message(request, form, formsets, add)
        if "client secret ends on" in changes:
            changes["client secret ends on"][0] = form.old_end() or None
        return changes

    def response_post_save_add(self, request: HttpRequest, obj: AppRegistration) -> Any:
        self.message_user(request, _next_step(obj), messages.INFO)
        return HttpResponseRedirect(page_of(obj))

    # Buttons and panels

    @admin.action(description="Archive", permissions=["operate"])
    def archive(self, request: HttpRequest, queryset: Any) -> Any:
        queryset = queryset.filter(archived_at=None)
        asked = self.confirm(request, queryset, title="Archive", consequences=CONSEQUENCES)
        if asked:
            return asked
        registrations = list(queryset)
        archive_registrations(AppRegistration.objects.filter(pk__in=[row.pk for row in registrations]))
        for registration in registrations:
            history.record(request, registration, "archived")
        self.message_user(request, f"{', '.join(map(str, registrations)) or 'Nothing'}: archived.", messages.SUCCESS)
        return None

    def offers(self, action: str, obj: AppRegistration) -> bool:
        if obj.archived_at or action in ("archive", "export"):
            return not obj.archived_at
        is_shared = obj.tenant_id is None  # its links are sent from the tenants' list, where tenants are chosen
        return AppRegistration.objects.live().filter(pk=obj.pk).exists() and not (action == "send_link" and is_shared)

    def page(self, request: HttpRequest, obj: AppRegistration) -> Page:
        page = super().page(request, obj)
        is_live = AppRegistration.objects.live().filter(pk=obj.pk).exists()
        if request.user.has_perm("oauth.add_link") and is_live:
            add = reverse("admin:oauth_link_add", query={"registration": obj.pk})
            page.buttons.insert(0, Button("Create consent link", add, post=False))
        page.buttons.insert(0, self.setup_button(obj))
        of_it = {"registration__id__exact": obj.pk}
        findings = Finding.objects.open()
        page.put_wrong_first(
            findings_panel(
                request,
                findings.filter(registration=obj)
                | findings.filter(credential__registration=obj)
                | findings.filter(connection__registration=obj),
                title="Open findings",
                empty="Nothing is wrong." if obj.checked_at else "Not checked yet. Press “Check now”, or wait.",
                more=list_of(Finding, about=obj.pk),
            )
        )
        page.above += [panel for panel in [told_panel(request, obj)] if panel.rows]
        put_lint(page, hints_of(obj))
        page.panels += [
            verification_panel(obj),
            in_entra_panel(obj),
            connections_panel(request, Connection.objects.filter(registration=obj), more=list_of(Connection, **of_it)),
            funnel_of_registration(request, obj),
            _links(request, obj, list_of(Link, **of_it)),
            approvals_panel(request, AdminGrant.objects.filter(registration=obj), **of_it),
            stored_secrets(obj),
        ]
        return page


def _next_step(registration: AppRegistration) -> Any:
    if not registration.credentials.current().exists():
        page = reverse("admin:tenants_appregistration_setup", args=[registration.pk])
        return format_html(
            'Next: follow its <a href="{}">Setup page</a>, or send that to the tenant’s administrator.', page
        )
    if not registration.scope_names:
        return "Next: tick what the registration shall ask for, under Scopes."
    add = reverse("admin:oauth_link_add", query={"registration": registration.pk})
    return format_html('Next: <a href="{}">create a consent link</a> and send it to the tenant.', add)


def _links(request: HttpRequest, registration: AppRegistration, more: str) -> Panel:
    links = (
        Link.objects.visible_to(request.user)
        .filter(registration=registration)
        .select_related("tenant", "registration", "connection", "parent")
    )
    links = links.exclude(purpose=Link.Purpose.DISCONNECT)
    return Panel(
        title="Links",
        columns=["Link", "For", "Status", "Opened", "Completed", "Made"],
        rows=[
            [
                link_to(link),
                link.sent_to or link.account or "anybody who has it",
                link.status,
                times(link.opens),
                f"{link.uses} of {link.max_uses}",
                ago(link.created_at),
            ]
            for link in links[:SHOWN]
        ],
        empty="None yet.",
        more=more if links.count() > SHOWN else "",
    )


def _lines(uris: list[str]) -> Any:
    return format_html_join("", '<div class="change">{}</div>', ((uri,) for uri in uris)) or "-"
