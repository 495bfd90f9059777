"""Attempts as the admin shows them: what came of each, why, what the operator does and who it is up to then."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, Prefetch, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from oauth.models import ConsentAttempt, Link
from tenants.models import AppRegistration, Tenant

from .display import BAD, GOOD, QUIET, WARNING, badge, link_to, list_of, moment_of, stacked
from .pages import Panel
from .reasons import is_fault_of_registration, likely_causes, reason_behind, reason_of

SHOWN = 50
RECENT_SHOWN = 5
RECENT = timedelta(days=14)
WEEK = timedelta(days=7)
Outcome = ConsentAttempt.Outcome
FAILED = (Outcome.REFUSED, Outcome.REJECTED, Outcome.UNREACHABLE)
MEND_LESS = "You: Create a reconnect link on the connection's page and send it. It is then up to: the mailbox owner."
# A colour and a word or two for each; the whole story stands beside it.
OUTCOMES: dict[str, tuple[str, str]] = {
    Outcome.CONNECTED: (GOOD, "connected"),
    Outcome.CONNECTED_WITH_LESS: (WARNING, "connected with less"),
    Outcome.APPROVED: (GOOD, "approved"),
    Outcome.DECLINED: (WARNING, "declined"),
    Outcome.CANCELLED: (WARNING, "cancelled"),
    Outcome.REFUSED: (BAD, "refused by Microsoft"),
    Outcome.REJECTED: (BAD, "answer refused here"),
    Outcome.UNREACHABLE: (BAD, "Microsoft not reached"),
}


# Of one attempt


def outcome_of(attempt: ConsentAttempt) -> Any:
    """A badge; below it what the person saw, while nothing better is known."""
    kind, words = OUTCOMES.get(attempt.outcome, (WARNING if attempt.is_unanswered else QUIET, attempt.status))
    shown = badge(kind, words)
    return stacked(shown, f"saw AADSTS{attempt.told_code}") if _is_only_told(attempt) else shown


def why(attempt: ConsentAttempt) -> Any:
    """Why it came to nothing or to less, and what to do; a dash where there is nothing to explain."""
    story, todo = _story(attempt)
    return stacked(story, todo) if todo else story


def what(attempt: ConsentAttempt) -> Any:
    """The same without what to do, for a list."""
    return _story(attempt)[0]


def _story(attempt: ConsentAttempt) -> tuple[Any, Any]:
    if _is_only_told(attempt):
        return f"The person says Microsoft showed AADSTS{attempt.told_code}.", meaning_of(attempt.told_code)
    if attempt.is_unanswered:
        causes = format_html_join("", "<li>{}</li>", ((cause,) for cause in likely_causes()))
        words = "Microsoft sent nobody back: it ended on a page of theirs."
        return words, format_html("<details><summary>Likely causes</summary><ul>{}</ul></details>", causes)
    if attempt.outcome == Outcome.CONNECTED_WITH_LESS:
        return _with_less(attempt)
    reason = reason_of(attempt.fault_kind, attempt.codes)
    return (reason.what, reason.todo) if reason else ("-", "")


def meaning_of(code: int | None) -> str:
    """What an AADSTS number means and asks for, in one line."""
    reason = reason_behind(code) if code is not None else None
    return f"{reason.what} {reason.todo}" if reason else "Tenantry's table does not know this number."


def _is_only_told(attempt: ConsentAttempt) -> bool:
    return attempt.told_code is not None and not attempt.outcome


def _with_less(attempt: ConsentAttempt) -> tuple[str, str]:
    missing = attempt.connection.scopes_missing if attempt.connection else []
    if not missing:
        return "Microsoft granted fewer scopes than asked; the connection has all of them by now.", ""
    return f"Microsoft did not grant: {', '.join(missing)}.", MEND_LESS


# Of many


def with_last_attempt(links: QuerySet[Link]) -> QuerySet[Link]:
    """Each with `last_attempts`: the newest one in a list, which is empty where nobody tried."""
    newest = ConsentAttempt.objects.filter(link=OuterRef("link")).order_by("-created_at").values("pk")[:1]
    attempts = ConsentAttempt.objects.filter(pk=Subquery(newest)).select_related("connection")
    return links.prefetch_related(Prefetch("attempts", attempts, to_attr="last_attempts"))


def failed_since(request: HttpRequest, since: datetime) -> QuerySet[ConsentAttempt]:
    """Those that the user may see."""
    return ConsentAttempt.objects.visible_to(request.user).filter(outcome__in=FAILED, created_at__gte=since)


def failed_of_the_week(request: HttpRequest) -> tuple[int, str]:
    """How many, and the address of their list: as its own filter by date says "Past 7 days"."""
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    past = {"created_at__gte": today - WEEK, "created_at__lt": today + timedelta(days=1)}
    number = failed_since(request, past["created_at__gte"]).filter(created_at__lt=past["created_at__lt"]).count()
    return number, list_of(ConsentAttempt, outcome="failed", **past)


# Panels


def attempts_panel(request: HttpRequest, link: Link) -> Panel:
    attempts = ConsentAttempt.objects.visible_to(request.user).filter(link=link)
    rows = list(attempts.select_related("connection", "grant")[: SHOWN + 1])
    return Panel(
        title="Attempts",
        columns=["When, way", "Outcome", "Why, and what to do", "Error, trace ID"],
        rows=[
            [
                stacked(link_to(attempt, moment_of(attempt.created_at)), attempt.get_way_display()),
                _outcome_and_subject(attempt),
                why(attempt),
                stacked(
                    ", ".join(f"AADSTS{code}" for code in attempt.codes) or attempt.error or "-",
                    format_html('<span class="identifier">{}</span>', attempt.trace_id),
                ),
            ]
            for attempt in rows[:SHOWN]
        ],
        empty="Nobody has gone on to Microsoft yet." if link.opens else "Nobody has opened this link yet.",
        summary=f"the newest {SHOWN}" if len(rows) > SHOWN else "",
    )


def _outcome_and_subject(attempt: ConsentAttempt) -> Any:
    subject = attempt.connection or attempt.grant
    return stacked(outcome_of(attempt), link_to(subject)) if subject else outcome_of(attempt)


def failed_panel(request: HttpRequest, tenant: Tenant) -> Panel:
    """A tenant's newest failures, so that nobody must open one link after the other."""
    failed = failed_since(request, timezone.now() - RECENT).filter(link__tenant=tenant)
    rows = list(failed.select_related("connection", "link__connection")[: RECENT_SHOWN + 1])
    return Panel(
        title="Recent failed attempts",
        columns=["When", "Outcome", "For", "Why, and what to do"],
        rows=[
            [
                link_to(attempt, moment_of(attempt.created_at)),
                outcome_of(attempt),
                stacked(link_to(attempt.link, f"Link {attempt.link.pk}"), attempt.link.sent_to or attempt.link.account),
                why(attempt),
            ]
            for attempt in rows[:RECENT_SHOWN]
        ],
        empty=f"None in the last {RECENT.days} days.",
        more=list_of(ConsentAttempt, outcome="failed", link__tenant__id__exact=tenant.pk) if rows else "",
        summary=f"of the last {RECENT.days} days" if rows else "",
    )


def told_panel(request: HttpRequest, registration: AppRegistration) -> Panel:
    """What people say Microsoft showed them that the operator would have to mend here. It is their word, no finding."""
    attempts = ConsentAttempt.objects.visible_to(request.user).filter(
        link__registration=registration, created_at__gte=timezone.now() - RECENT, told_code__isnull=False
    )
    told = attempts.order_by().values_list("told_code").annotate(number=Count("pk"), last=Max("created_at"))
    return Panel(
        title="People report",
        columns=["Microsoft showed", "What it means, and what to do", "How often", "Last"],
        rows=[
            [f"AADSTS{code}", meaning_of(code), number, moment_of(last)]
            for code, number, last in told.order_by("-last")
            if is_fault_of_registration(code)
        ],
        empty="",
        summary=f"in the last {RECENT.days} days",
        tone="warning",
    )
