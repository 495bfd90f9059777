"""The admin site: the operator's house, its front page and what stands on every page of it."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

ORDER = [
    "tenants.tenant",
    "tenants.appregistration",
    "tenants.import",
    "tenants.event",
    "oauth.link",
    "oauth.consentattempt",
    "oauth.connection",
    "oauth.admingrant",
    "oauth.verification",
    "oauth.mail",
    "monitoring.finding",
    "monitoring.channel",
    "monitoring.sweep",
    "monitoring.alert",
    "monitoring.delivery",
    "staff.user",
    "auth.group",
    "tenants.tenantaccess",
]
REGISTER_THEMSELVES = ("django.contrib.auth.admin", "django_celery_beat.admin")
SHOWN_UNDER = {"auth.group": "staff", "tenants.tenantaccess": "staff"}


class AdminConfig(DjangoAdminConfig):
    default_site = "config.admin.TenantrySite"


class TenantrySite(admin.AdminSite):
    site_header = "Tenantry"
    site_title = "Tenantry"
    index_title = "Overview"
    site_url = None

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Takes only admins that know whose rows they may show."""
        if admin_class and admin_class.__module__ in REGISTER_THEMSELVES:
            return  # when they are imported; ours are in staff/admin.py and monitoring/admin/
        from tenants.admin.base import TenantScopedAdmin

        if not (admin_class and issubclass(admin_class, TenantScopedAdmin)):
            raise ImproperlyConfigured(f"Register {model_or_iterable} with a TenantScopedAdmin.")
        super().register(model_or_iterable, admin_class, **options)

    def get_urls(self) -> list[Any]:
        # The jump to any row by its content type knows nothing of tenants, and no model here has a page of its own.
        from monitoring.admin.expiries import calendar_view

        calendar = path("calendar/", self.admin_view(partial(calendar_view, self)), name="calendar")
        return [calendar, *(url for url in super().get_urls() if getattr(url, "name", None) != "view_on_site")]

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        from tenants.admin.scoping import Suggestions

        answer: Any = Suggestions.as_view(admin_site=self)(request)
        return answer  # type: ignore[no-any-return]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Models in the order of the work. One that ORDER does not know stands last in its app's group."""
        if app_label:
            return super().get_app_list(request, app_label)
        groups = {app["app_label"]: app for app in super().get_app_list(request)}
        entries = [(label_of(entry), app, entry) for app in list(groups) for entry in groups[app]["models"]]
        entries.sort(key=lambda found: ORDER.index(found[0]) if found[0] in ORDER else len(ORDER))
        for group in groups.values():
            group["models"] = []
        shown: dict[str, Any] = {}
        for label, app, entry in entries:
            home = SHOWN_UNDER.get(label, app)
            group = groups[home if home in groups else app]
            group["models"].append(entry)
            shown.setdefault(group["app_label"], group)
        return list(shown.values())

    def get_log_entries(self, request: HttpRequest) -> Any:
        return super().get_log_entries(request).none()  # history is Event's, see tenants/admin/history.py

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from monitoring import expiries, watch
        from monitoring.alerts import nobody_is_told

        context = super().each_context(request)
        if not context["has_permission"]:
            return context
        alarms = {"nobody_is_told": nobody_is_told(), "watch_faults": watch.state(timezone.now()).faults}
        return {**context, **alarms, "offers_calendar": expiries.may_have(request.user)}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        ours = {
            "attention": self.attention(request),
            "snoozed": self.snoozed(request),
            "failed_attempts": self.failed_attempts(request),
            "first_steps": self.first_steps(request),
        }
        return super().index(request, {**ours, **(extra_context or {})})

    def attention(self, request: HttpRequest) -> Any:
        """What is wrong that this user may see, the worst and oldest first; or that nothing is, and since when."""
        from monitoring.models import Finding, Sweep
        from tenants.admin.display import ago, list_of
        from tenants.admin.panels import findings_panel
        from tenants.models import Tenant

        if not self.get_model_admin(Finding).has_view_permission(request):
            return None
        findings = Finding.objects.visible_to(request.user).pressing()
        last = Sweep.objects.filter(scope=Sweep.ALL).aggregate(at=Max("finished_at"))["at"]
        has_tenants = Tenant.objects.visible_to(request.user).exists()
        if not has_tenants and not request.user.is_superuser:
            empty = "No tenant has been given to you yet. Ask a superuser to do it on the tenant's page."
        elif last:
            empty = f"Nothing needs attention. The last check of everything finished {ago(last)}."
        else:
            empty = "Nothing has been checked yet."
        return findings_panel(
            request,
            findings,
            title="Needs attention",
            empty=empty,
            more=list_of(Finding),
            tone=self._tone(findings) or ("good" if last and has_tenants else ""),
        )

    def _tone(self, findings: Any) -> str:
        """Red as long as there is something that nobody has taken on."""
        if findings.unacknowledged().exists():
            return "bad"
        return "warning" if findings.exists() else ""

    def snoozed(self, request: HttpRequest) -> dict[str, Any] | None:
        """How many findings sleep that this user may see, and where they are listed."""
        from monitoring.models import Finding
        from tenants.admin.display import list_of

        if not self.get_model_admin(Finding).has_view_permission(request):
            return None
        number = Finding.objects.visible_to(request.user).snoozed().count()
        return {"number": number, "url": list_of(Finding, status="snoozed")} if number else None

    def failed_attempts(self, request: HttpRequest) -> dict[str, Any] | None:
        """How many attempts to connect failed this week that this user may see, and where they are listed."""
        from oauth.models import ConsentAttempt
        from tenants.admin.attempts import failed_of_the_week

        if not self.get_model_admin(ConsentAttempt).has_view_permission(request):
            return None
        number, address = failed_of_the_week(request)
        return {"number": number, "url": address} if number else None

    def first_steps(self, request: HttpRequest) -> list[dict[str, Any]]:
        """How to begin, for as long as nothing is connected."""
        from oauth.models import Connection, Link
        from tenants.models import AppRegistration, Tenant

        steps: list[tuple[Any, str, str]] = [
            (Tenant, "Add a tenant", "the customer whose mailboxes are to be connected"),
            (AppRegistration, "Add its app registration", "client ID, client secret and scopes, as they are in Entra"),
            (Link, "Send a consent link", "the customer opens it, signs in with Microsoft and agrees"),
        ]
        if Connection.objects.visible_to(request.user).exists():
            return []
        if not all(self.get_model_admin(model).has_add_permission(request) for model, _, _ in steps):
            return []
        return [
            {
                "title": title,
                "explanation": explanation,
                "done": model.objects.visible_to(request.user).exists(),
                "url": reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add", current_app=self.name),
            }
            for model, title, explanation in steps
        ]


def label_of(entry: dict[str, Any]) -> str:
    label: str = entry["model"]._meta.label_lower
    return label
