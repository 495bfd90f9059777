from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from monitoring import lifecycle
from monitoring.models import Finding
from monitoring.models.finding import most_urgent_first
from monitoring.portal import SECRETS, entra_page
from oauth.admin.handing_out import not_reconnectable
from oauth.admin.of_registration import is_named_to
from oauth.errors import then_up_to
from tenants.admin import panels
from tenants.admin.base import MOST_AT_ONCE, ReadOnlyAdmin
from tenants.admin.checking import CheckNow
from tenants.admin.display import ago, link_to, moment_of, page_of, stacked
from tenants.admin.pages import Button, Page
from tenants.client_address import client_address
from tenants.models import AppRegistration, Credential

from .deciding import Acknowledge, Snooze, decide, refuse_too_many, tell
from .finding_filters import AboutFilter, FindingStanding, KindFilter
from .finding_timeline import timeline

SAID = {"error": "error", "suberror": "detail", "trace_id": "trace ID", "correlation_id": "correlation ID"}


@admin.register(Finding)
class FindingAdmin(CheckNow, ReadOnlyAdmin):
    when_empty = "Nothing was ever found wrong. What a check finds stands here."
    list_display = ["what_about", "how_bad_and_state", "tenant", "since", "actor"]
    list_display_links = ["what_about"]
    list_filter = [FindingStanding, "severity", KindFilter, "actor", "tenant", AboutFilter]
    list_select_related = ["tenant", *Finding.SUBJECT]
    search_fields = [
        "what", "registration__name", "credential__registration__name", "connection__address", "channel__name",
        "tenant__name",
    ]  # fmt: skip
    date_hierarchy = "opened_at"
    ordering = ("pk",)  # what the head of the list shows as chosen: nothing; the order itself is get_ordering's
    actions = ["check_now", "acknowledge", "withdraw", "snooze", "wake"]
    page_actions = ("check_now", "acknowledge", "withdraw", "snooze", "wake")
    fieldsets = [
        (None, {"fields": ["how_bad", "state_in_full", "what", "subject_link", "tenant"]}),
        ("What to do", {"fields": ["you", "then"]}),
        ("What Microsoft said", {"fields": ["said", "last_seen_at"]}),
    ]

    # Columns

    @admin.display(description="what is wrong, about whom", ordering="what")
    def what_about(self, finding: Finding) -> Any:
        return stacked(finding.what, finding.named)

    @admin.display(description="severity, state", ordering="severity")
    def how_bad_and_state(self, finding: Finding) -> Any:
        return panels.severity_and_state(finding)

    @admin.display(description="since", ordering="opened_at")
    def since(self, finding: Finding) -> str:
        return ago(finding.opened_at)

    # The page

    @admin.display(description="severity")
    def how_bad(self, finding: Finding) -> Any:
        return panels.severity(finding)

    @admin.display(description="state")
    def state_in_full(self, finding: Finding) -> Any:
        words: Any
        match finding.state:
            case Finding.State.RESOLVED:
                words = format_html("since {}", moment_of(finding.resolved_at))
            case Finding.State.SNOOZED:
                words = f"by {finding.snoozed_by}: {finding.snoozed_why}"
            case Finding.State.ACKNOWLEDGED:
                words = f"by {finding.acknowledged_by}: {finding.acknowledged_why}"
            case _:
                words = "nobody has taken it on yet"
        return stacked(panels.state(finding), words)

    @admin.display(description="about")
    def subject_link(self, finding: Finding) -> Any:
        subject = finding.subject
        if isinstance(subject, Credential):
            return link_to(subject.registration, f"{subject} of {subject.registration}")
        if isinstance(subject, Model) and self.admin_site.is_registered(type(subject)):
            return link_to(subject)
        return finding.named

    @admin.display(description="you")
    def you(self, finding: Finding) -> str:
        return finding.remedy

    @admin.display(description="it is then up to")
    def then(self, finding: Finding) -> str:
        return then_up_to(finding.actor) or "nobody else"

    @admin.display(description="said")
    def said(self, finding: Finding) -> str:
        words = [f"AADSTS{code}" for code in finding.evidence.get("codes") or []]
        words += [f"{label}: {finding.evidence[key]}" for key, label in SAID.items() if finding.evidence.get(key)]
        return "; ".join(words) or "Microsoft was not asked, or gave no usable answer."

    def get_ordering(self, request: HttpRequest) -> Any:
        return most_urgent_first()

    def page(self, request: HttpRequest, obj: Finding) -> Page:
        page = super().page(request, obj)
        page.buttons = [*_ways_out(request, obj), *page.buttons]
        page.panels.append(timeline(request, obj))
        return page

    # Actions

    def to_check(self, obj: Finding) -> Any:
        return obj.connection or obj.about

    def offers(self, action: str, obj: Finding) -> bool:
        if obj.resolved_at and action != "check_now":
            return False
        match action:
            case "acknowledge":
                return obj.state == Finding.State.OPEN
            case "withdraw":
                return obj.acknowledged_at is not None
            case "snooze":
                return not obj.is_snoozed
            case "wake":
                return obj.is_snoozed
        subject = self.to_check(obj)
        return subject is not None and bool(type(subject).objects.live().filter(pk=subject.pk).exists())

    @admin.action(description="Acknowledge", permissions=["operate"])
    def acknowledge(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return decide(self, request, queryset.open().filter(acknowledged_at=None), Acknowledge)

    @admin.action(description="Withdraw acknowledgement", permissions=["operate"])
    def withdraw(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        findings = list(queryset.open().exclude(acknowledged_at=None)[: MOST_AT_ONCE + 1])
        if refused := refuse_too_many(self, request, findings):
            return refused
        done = lifecycle.withdraw(findings, by=request.user, address=client_address(request))
        tell(self, request, done, "no longer acknowledged")
        return None

    @admin.action(description="Snooze", permissions=["operate"])
    def snooze(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return decide(self, request, queryset.open(), Snooze)

    @admin.action(description="Wake", permissions=["operate"])
    def wake(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        findings = list(queryset.snoozed()[: MOST_AT_ONCE + 1])
        if refused := refuse_too_many(self, request, findings):
            return refused
        done = lifecycle.wake(findings, by=request.user, address=client_address(request))
        tell(self, request, done, "no longer snoozed")
        return None


def _ways_out(request: HttpRequest, finding: Finding) -> list[Button]:
    """Links to where it is mended, as far as the user may go there."""
    if finding.resolved_at:
        return []
    ways: list[Button] = []
    registration, connection = finding.about, finding.connection
    if connection and request.user.has_perm("oauth.add_link") and not not_reconnectable(connection):
        ways.append(
            Button(
                "Create reconnect link",
                reverse("admin:oauth_connection_reconnect", args=[quote(connection.pk)]),
                post=False,
            )
        )
    if registration and is_named_to(registration, request.user):
        if _wants_a_secret(finding) and _may_enter(request, registration):
            ways.append(Button("Enter the new secret", f"{page_of(registration)}#id_secret", post=False))
        if page := entra_page(finding):
            ways.append(Button(page.words, page.url, post=False, new_tab=True))
    return ways


def _wants_a_secret(finding: Finding) -> bool:
    return finding.credential is not None or finding.kind in SECRETS


def _may_enter(request: HttpRequest, registration: AppRegistration) -> bool:
    may_change = request.user.has_perm("tenants.change_appregistration") and not registration.archived_at
    return may_change and AppRegistration.objects.visible_to(request.user).filter(pk=registration.pk).exists()
