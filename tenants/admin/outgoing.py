"""Mails on their way as the admin shows them: whether they were sent, each try, and what went wrong."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join

from tenants.models.outgoing import Outgoing

from .base import ReadOnlyAdmin
from .display import BAD, GOOD, WARNING, badge, moment_of

KINDS = {Outgoing.State.WAITING: WARNING, Outgoing.State.SENT: GOOD, Outgoing.State.SET_ASIDE: BAD}


def state_of(row: Outgoing) -> Any:
    return badge(KINDS[Outgoing.State(row.state)], row.get_state_display())


def tries_of(row: Outgoing) -> Any:
    """When it was tried, and what went wrong each time."""
    return (
        format_html_join(
            "",
            '<div class="change">{}: {}</div>',
            ((str(entry.get("at", ""))[:16].replace("T", " "), entry.get("problem") or "sent") for entry in row.tries),
        )
        or "not tried yet"
    )


class OutgoingAdmin(ReadOnlyAdmin):
    """For mails that `tenants.outbox` sends."""

    date_hierarchy = "created_at"
    unsearchable = frozenset({"lease_by"})

    @admin.display(description="state", ordering="state")
    def state_shown(self, row: Outgoing) -> Any:
        return state_of(row)

    @admin.display(description="tries")
    def number_of_tries(self, row: Outgoing) -> int:
        return len(row.tries)

    @admin.display(description="tries")
    def tries_shown(self, row: Outgoing) -> Any:
        return tries_of(row)

    @admin.display(description="next try", ordering="next_at")
    def next_try(self, row: Outgoing) -> Any:
        return moment_of(row.next_at) if row.state == Outgoing.State.WAITING else "none"
