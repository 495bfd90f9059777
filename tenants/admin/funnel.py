"""How far people came by a link, or by all links of a registration: opened, started, and what came of it."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join

from oauth.models import ConsentAttempt, Link
from tenants.models import AppRegistration

from .attempts import FAILED, meaning_of
from .display import stacked, times
from .pages import Panel
from .reasons import reason_of

LOOKED_BACK = timedelta(days=90)
REASONS_SHOWN = 10

Outcome = ConsentAttempt.Outcome
_COMPLETED = (Outcome.CONNECTED, Outcome.CONNECTED_WITH_LESS)


def funnel_of_link(request: HttpRequest, link: Link) -> Panel:
    attempts = ConsentAttempt.objects.visible_to(request.user).filter(link=link)
    return _panel("Funnel", f"{link.opens}", "Mail scanners and previews count too.", attempts)


def funnel_of_registration(request: HttpRequest, registration: AppRegistration) -> Panel:
    """Of the links and tries of the last 90 days that the user may see."""
    since = timezone.now() - LOOKED_BACK
    links = Link.objects.visible_to(request.user).filter(
        registration=registration, created_at__gte=since, purpose__in=Link.TO_CONSENT
    )
    made = links.aggregate(links=Count("pk"), opened=Count("pk", filter=Q(opens__gt=0)), opens=Sum("opens", default=0))
    attempts = ConsentAttempt.objects.visible_to(request.user).filter(
        link__registration=registration, created_at__gte=since
    )
    opened = f"{made['opened']} of {made['links']} links, opened {times(made['opens'])} together."
    return _panel(f"Funnel of the last {LOOKED_BACK.days} days", str(made["opens"]), opened, attempts)


def _panel(title: str, opens: str, opened: str, attempts: QuerySet[ConsentAttempt]) -> Panel:
    rows = [["Opened", opens, opened], *_rows(attempts)]
    return Panel(title=title, columns=["Step", "How often", "What it means"], rows=rows, empty="")


def _rows(attempts: QuerySet[ConsentAttempt]) -> list[list[Any]]:
    attempts = attempts.order_by()
    by_outcome: dict[str, int] = {}
    failed: dict[str, int] = {}
    for outcome, kind, number in attempts.values_list("outcome", "fault_kind").annotate(Count("pk")):
        by_outcome[outcome] = by_outcome.get(outcome, 0) + number
        if outcome in FAILED:
            failed[kind] = failed.get(kind, 0) + number
    told = dict(attempts.unanswered().values_list("told_code").annotate(Count("pk")))  # type: ignore[attr-defined]
    unanswered = sum(told.values())
    under_way = by_outcome.get("", 0) - unanswered
    rows = [
        ["Started", sum(by_outcome.values()), "Went on to Microsoft, to sign in or to approve."],
        *([["Under way", under_way, "Still at Microsoft, or being worked on."]] if under_way else []),
        ["No answer", unanswered, _told(told) or "Microsoft sent nobody back within 30 minutes."],
        ["Declined", by_outcome.get(Outcome.DECLINED, 0), "The person said no on Microsoft's page."],
        [
            "Cancelled",
            by_outcome.get(Outcome.CANCELLED, 0),
            "Came back without an answer; an administrator's approval is probably needed.",
        ],
    ]
    rows.append(["Failed", sum(failed.values()), _reasons(failed)])
    less = by_outcome.get(Outcome.CONNECTED_WITH_LESS, 0)
    return [
        *rows,
        ["Approved", by_outcome.get(Outcome.APPROVED, 0), "By an administrator, for the whole organization."],
        [
            "Completed",
            sum(by_outcome.get(outcome, 0) for outcome in _COMPLETED),
            f"{less} of them with fewer scopes than asked." if less else "A mailbox was connected.",
        ],
    ]


def _reasons(failed: dict[str, int]) -> Any:
    """Why they failed, the commonest reason first, each with how often."""
    if not failed:
        return "Microsoft or Tenantry refused, or Microsoft was not reached."
    commonest = sorted(failed.items(), key=lambda found: (-found[1], found[0]))
    said = [(f"{number} × {_what(kind)}", _todo(kind)) for kind, number in commonest[:REASONS_SHOWN]]
    if others := sum(number for _, number in commonest[REASONS_SHOWN:]):
        said.append((f"{others} × for other reasons.", ""))
    return format_html_join("", '<div class="reason">{}</div>', ((stacked(*each),) for each in said))


def _what(kind: str) -> str:
    reason = reason_of(kind)
    return reason.what if reason else "without a reason."


def _todo(kind: str) -> str:
    reason = reason_of(kind)
    return reason.todo if reason else ""


def _told(told: dict[int | None, int]) -> Any:
    """What people said that Microsoft showed them, the commonest first."""
    codes = sorted((code for code in told if code is not None), key=lambda code: -told[code])
    said = [f"AADSTS{code} ({told[code]}×): {meaning_of(code)}" for code in codes[:REASONS_SHOWN]]
    return (
        stacked("Microsoft sent nobody back within 30 minutes. People say that it showed:", " ".join(said))
        if said
        else ""
    )
