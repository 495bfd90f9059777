"""The read-only tables that several pages have in common."""

from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from monitoring.models import Finding
from oauth.models import Connection

from .display import BAD, GOOD, QUIET, WARNING, ago, badge, link_to, stacked
from .pages import Panel

SHOWN = 10
TOKEN_STATUS = {"active": GOOD, "invalid": WARNING, "dead": BAD}


def token_status(connection: Connection) -> Any:
    """The grant's state, what stands above it, and whether it is smaller than what was asked for."""
    if connection.disconnected_at:
        return badge("quiet", "disconnected")
    kind, words = TOKEN_STATUS[connection.token_status], connection.get_token_status_display()
    state = badge(WARNING, f"{words}, blocked") if connection.blocked else badge(kind, words)
    return format_html("{} {}", state, badge(WARNING, "fewer scopes")) if connection.scopes_missing else state


def severity(finding: Finding) -> Any:
    """In colour as long as nobody has taken it on."""
    kind = BAD if finding.severity == Finding.Severity.CRITICAL else WARNING
    return badge(kind if finding.state == Finding.State.OPEN else QUIET, finding.get_severity_display())


def state(finding: Finding) -> str:
    """Where it stands in its life."""
    if finding.state == Finding.State.SNOOZED:
        return f"snoozed until {timezone.localtime(finding.snoozed_until):%Y-%m-%d}"
    return str(finding.state)


def severity_and_state(finding: Finding) -> Any:
    return stacked(severity(finding), state(finding))


def whose(finding: Finding) -> str:
    """The tenant's name; of a registration that many share, or of what is ours, that it is so."""
    if finding.tenant:
        return finding.tenant.name
    return "shared" if finding.about else "-"


def findings_panel(
    request: HttpRequest, findings: QuerySet[Finding], *, title: str, empty: str, more: str = "", tone: str = ""
) -> Panel:
    """The first of these findings that the user may see, the most urgent first."""
    visible: Any = findings.visible_to(request.user)  # type: ignore[attr-defined]
    shown = visible.most_urgent_first().select_related("tenant", *Finding.SUBJECT)[:SHOWN]
    number = visible.count()
    return Panel(
        title=title,
        columns=["Severity, state", "What is wrong", "About", "Tenant", "Since", "Who must act"],
        rows=[
            [
                severity_and_state(finding),
                link_to(finding, finding.what),
                finding.named,
                whose(finding),
                ago(finding.opened_at),
                finding.get_actor_display(),
            ]
            for finding in shown
        ],
        empty=empty,
        more=more if number > SHOWN else "",
        more_words=f"Show all {number}",
        summary=str(number) if number else "",
        tone=tone,
    )


def connections_panel(request: HttpRequest, connections: QuerySet[Connection], *, more: str) -> Panel:
    rows: Any = connections.visible_to(request.user)  # type: ignore[attr-defined]
    live = rows.filter(disconnected_at=None)
    by_status = dict(live.order_by().values_list("token_status").annotate(Count("pk")))
    labels = dict(Connection.TokenStatus.choices)
    return Panel(
        title="Connections",
        columns=["Account", "Status", "Last refreshed"],
        rows=[
            [link_to(connection), token_status(connection), ago(connection.refreshed_at)] for connection in rows[:SHOWN]
        ],
        empty="Nobody has consented yet. Send a consent link.",
        more=more if by_status else "",
        more_words="Show all connections",
        summary=", ".join(f"{by_status[status]} {labels[status]}" for status in labels if status in by_status),
    )
