from functools import partial
from typing import Any, ClassVar

from django.contrib import admin

from oauth.models import ConsentAttempt
from tenants.admin.attempts import FAILED, meaning_of, outcome_of, what, why
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.display import link_to, moment_of, stacked
from tenants.admin.standing import StandingFilter, everything

from .of_registration import OfRegistration

Outcome = ConsentAttempt.Outcome


def _ended(outcome: str, rows: Any) -> Any:
    return rows.filter(outcome=outcome)


class OutcomeFilter(StandingFilter):
    title = "outcome"
    parameter_name = "outcome"
    standings: ClassVar = {
        "all": ("All", everything),
        "failed": ("Failed", lambda rows: rows.filter(outcome__in=FAILED)),
        "no_answer": ("No answer", lambda rows: rows.unanswered()),
        "told": ("The person named an error", lambda rows: rows.filter(told_code__isnull=False)),
        "declined": ("Declined", partial(_ended, Outcome.DECLINED)),
        "cancelled": ("Cancelled", partial(_ended, Outcome.CANCELLED)),
        "connected": ("Connected", partial(_ended, Outcome.CONNECTED)),
        "connected_with_less": ("Connected with less", partial(_ended, Outcome.CONNECTED_WITH_LESS)),
        "approved": ("Approved", partial(_ended, Outcome.APPROVED)),
    }


@admin.register(ConsentAttempt)
class ConsentAttemptAdmin(OfRegistration, ReadOnlyAdmin):
    when_empty = "Nobody has gone on to Microsoft yet. Each time somebody does, how it ended is here."
    list_display = ["when_and_way", "outcome_shown", "what_happened", "link_and_person", "tenant_and_registration"]
    list_filter = [OutcomeFilter, "created_at", "link__tenant", "link__registration"]
    list_select_related = ["link__tenant", "link__registration", "link__connection", "connection", "grant"]
    search_fields = [
        "trace_id", "correlation_id", "connection__address", "link__expected_address", "link__sent_to",
        "link__connection__address", "link__tenant__name",
    ]  # fmt: skip
    unsearchable = frozenset({"state_digest", "browser_digest"})
    keeps_history = False
    fieldsets = [
        (None, {"fields": ["outcome_shown", "reason", "told"]}),
        ("What it was", {"fields": ["way", "for_link", "for_tenant", "for_registration", "account"]}),
        ("What Microsoft said", {"fields": ["error_shown", "codes_shown", "trace", "correlation"]}),
        ("What was asked", {"fields": ["directory", "application", "return_address", "scopes_shown"]}),
        ("Times", {"fields": ["created_at", "claimed_at", "finished_at"]}),
    ]

    @admin.display(description="when, way", ordering="created_at")
    def when_and_way(self, attempt: ConsentAttempt) -> Any:
        return stacked(moment_of(attempt.created_at), attempt.get_way_display())

    @admin.display(description="outcome", ordering="outcome")
    def outcome_shown(self, attempt: ConsentAttempt) -> Any:
        return outcome_of(attempt)

    @admin.display(description="why")
    def what_happened(self, attempt: ConsentAttempt) -> Any:
        return what(attempt)

    @admin.display(description="link, account")
    def link_and_person(self, attempt: ConsentAttempt) -> Any:
        return stacked(
            link_to(attempt.link, f"Link {attempt.link.pk}"),
            self._address(attempt) or "anybody who has it",
        )

    @admin.display(description="tenant, registration", ordering="link__tenant__name")
    def tenant_and_registration(self, attempt: ConsentAttempt) -> Any:
        return stacked(attempt.link.tenant, self.for_registration(attempt))

    # Fields of one attempt

    @admin.display(description="why, and what to do")
    def reason(self, attempt: ConsentAttempt) -> Any:
        return why(attempt)

    @admin.display(description="the person says")
    def told(self, attempt: ConsentAttempt) -> Any:
        if attempt.told_code is None:
            return "Nothing."
        return stacked(f"Microsoft showed AADSTS{attempt.told_code}.", meaning_of(attempt.told_code))

    @admin.display(description="link")
    def for_link(self, attempt: ConsentAttempt) -> Any:
        return link_to(attempt.link)

    @admin.display(description="tenant")
    def for_tenant(self, attempt: ConsentAttempt) -> Any:
        return link_to(attempt.link.tenant)

    @admin.display(description="account")
    def account(self, attempt: ConsentAttempt) -> Any:
        subject = attempt.connection or attempt.grant
        return link_to(subject) if subject else self._address(attempt) or "-"

    @admin.display(description="error")
    def error_shown(self, attempt: ConsentAttempt) -> str:
        return attempt.error or "-"

    @admin.display(description="codes")
    def codes_shown(self, attempt: ConsentAttempt) -> str:
        return ", ".join(f"AADSTS{code}" for code in attempt.codes) or "-"

    @admin.display(description="scopes")
    def scopes_shown(self, attempt: ConsentAttempt) -> str:
        return ", ".join(attempt.scopes) or "-"

    @admin.display(description="trace ID")
    def trace(self, attempt: ConsentAttempt) -> str:
        return attempt.trace_id or "-"

    @admin.display(description="correlation ID")
    def correlation(self, attempt: ConsentAttempt) -> str:
        return attempt.correlation_id or "-"

    @admin.display(description="client ID")
    def application(self, attempt: ConsentAttempt) -> str:
        return attempt.client_id

    @admin.display(description="redirect URI")
    def return_address(self, attempt: ConsentAttempt) -> str:
        return attempt.redirect_uri

    def _address(self, attempt: ConsentAttempt) -> str:
        if attempt.connection:
            return attempt.connection.address
        return attempt.link.sent_to or attempt.link.account
