from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from monitoring.models import Alert, Finding
from oauth.errors import then_up_to
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.checking import CheckNow
from tenants.admin.display import ago, link_to, stacked
from tenants.admin.outgoing import state_of, tries_of
from tenants.admin.pages import Page, Panel
from tenants.admin.panels import severity
from tenants.admin.standing import StandingFilter, everything
from tenants.models import AppRegistration, Credential

SAID = {
    "error": "error",
    "suberror": "detail",
    "codes": "codes",
    "trace_id": "trace ID",
    "correlation_id": "correlation ID",
}


class FindingStanding(StandingFilter):
    standings: ClassVar = {
        "open": ("Open", lambda rows: rows.open()),
        "resolved": ("Resolved", lambda rows: rows.filter(resolved_at__isnull=False)),
        "all": ("All", everything),
    }


class AboutFilter(admin.SimpleListFilter):
    """Findings that concern one registration, as its page links to them; offered only where one was asked for."""

    title = "registration"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        key = str(self.used_parameters.get(self.parameter_name, ""))
        if not key.isdecimal():
            return []
        return [(str(row.pk), str(row)) for row in AppRegistration.objects.visible_to(request.user).filter(pk=key)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        key = self.value()
        if key is None:
            return queryset
        return queryset.filter(Q(registration=key) | Q(credential__registration=key) | Q(connection__registration=key))


@admin.register(Finding)
class FindingAdmin(CheckNow, ReadOnlyAdmin):
    list_display = ["what_about", "how_bad", "tenant", "since", "actor"]
    list_display_links = ["what_about"]
    list_filter = [FindingStanding, "severity", "actor", "tenant", AboutFilter]
    list_select_related = ["tenant", "registration", "credential__registration", "connection__registration"]
    search_fields = ["what", "connection__address", "tenant__name"]
    date_hierarchy = "opened_at"
    actions = ["check_now"]
    page_actions = ("check_now",)
    keeps_history = False
    fieldsets = [
        (None, {"fields": ["how_bad", "what", "subject_link", "tenant"]}),
        ("What to do", {"fields": ["you", "then"]}),
        ("Since when", {"fields": ["opened_at", "last_seen_at", "resolved_at"]}),
        ("What Microsoft said", {"fields": ["said"]}),
    ]

    @admin.display(description="severity", ordering="severity")
    def how_bad(self, finding: Finding) -> Any:
        return severity(finding)

    @admin.display(description="what is wrong, about whom", ordering="what")
    def what_about(self, finding: Finding) -> Any:
        return stacked(finding.what, finding.subject)

    @admin.display(description="about")
    def subject_link(self, finding: Finding) -> Any:
        subject = finding.subject
        if isinstance(subject, Credential):
            return link_to(subject.registration, f"{subject} of {subject.registration}")
        return link_to(subject)

    @admin.display(description="you")
    def you(self, finding: Finding) -> str:
        return finding.remedy

    @admin.display(description="it is then up to")
    def then(self, finding: Finding) -> str:
        return then_up_to(finding.actor) or "nobody else"

    @admin.display(description="since", ordering="opened_at")
    def since(self, finding: Finding) -> str:
        return ago(finding.opened_at)

    @admin.display(description="said")
    def said(self, finding: Finding) -> str:
        words = [
            f"{label}: {_words(finding.evidence[key])}" for key, label in SAID.items() if finding.evidence.get(key)
        ]
        return "; ".join(words) or "Microsoft was not asked, or gave no usable answer."

    def to_check(self, obj: Finding) -> Any:
        return obj.connection or obj.about or obj.tenant

    def offers(self, action: str, obj: Finding) -> bool:
        subject = self.to_check(obj)
        return subject is not None and bool(type(subject).objects.live().filter(pk=subject.pk).exists())

    def page(self, request: HttpRequest, obj: Finding) -> Page:
        page = super().page(request, obj)
        alerts: Any = Alert.objects.visible_to(request.user).filter(finding=obj).with_news()
        page.panels.append(
            Panel(
                title="Who was told",
                columns=["Alert", "Address", "State", "Tries"],
                rows=[
                    [
                        link_to(alert, f"{alert.news}, {ago(alert.created_at)}"),
                        delivery.address,
                        state_of(delivery),
                        tries_of(delivery),
                    ]
                    for alert in alerts.prefetch_related("deliveries")
                    for delivery in alert.deliveries.all()
                ],
                empty="Nobody was told: there is no alert address for it.",
            )
        )
        return page


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
