"""The attempts of a link as its page shows them: what came of each, and why, in words."""

from typing import Any

from django.http import HttpRequest

from oauth.errors import CODES, ERRORS, SUBERRORS
from oauth.id_token import WRONG
from oauth.models import ConsentAttempt, Link
from tenants.admin.display import BAD, GOOD, QUIET, WARNING, badge, link_to, moment_of
from tenants.admin.pages import Panel

SHOWN = 50
KINDS = {
    ConsentAttempt.Outcome.CONNECTED: GOOD,
    ConsentAttempt.Outcome.CONNECTED_WITH_LESS: WARNING,
    ConsentAttempt.Outcome.DECLINED: WARNING,
    ConsentAttempt.Outcome.CANCELLED: WARNING,
    "": QUIET,
}
REASONS = {
    **WRONG,
    **{fault.kind: fault.what for table in (ERRORS, SUBERRORS, CODES) for fault in reversed(table.values())},
    "no_flow": "The answer came twice; the first one was taken.",
    "registration_changed": "The registration was changed while the person was at Microsoft.",
    "link_unusable": "The link ended or was used up while the person was at Microsoft.",
    "other_tenant": "This account is already connected for another tenant.",
    "directory": "The account is of another kind or directory than the registration takes.",
    "unreadable_flow": "What was kept of this attempt cannot be read: the encryption key was changed meanwhile.",
    "no_secret": "The registration has no client secret.",
    "unreadable_secret": "The stored client secret cannot be read. Enter it again.",
    "refresh_token": "Microsoft granted no lasting access (offline_access).",
}


def attempts_panel(request: HttpRequest, link: Link) -> Panel:
    attempts = ConsentAttempt.objects.visible_to(request.user).filter(link=link).select_related("connection")
    return Panel(
        title="Attempts",
        columns=["When", "Outcome", "Account", "Reason", "Error", "Trace ID"],
        rows=[_row(attempt) for attempt in attempts[:SHOWN]],
        empty="Nobody has pressed “Continue with Microsoft” yet." if link.opens else "Nobody has opened this link yet.",
    )


def _row(attempt: ConsentAttempt) -> list[Any]:
    kind = attempt.fault_kind
    return [
        moment_of(attempt.created_at),
        badge(KINDS.get(attempt.outcome, BAD), attempt.status),
        link_to(attempt.connection),
        REASONS.get(kind, kind.replace("_", " ")) or "-",
        ", ".join(f"AADSTS{code}" for code in attempt.codes) or attempt.error or "-",
        attempt.trace_id or "-",
    ]
