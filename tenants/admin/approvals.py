"""Administrators' approvals as the admin shows them: by their word, with what it proves."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from oauth.models import AdminGrant, ConsentAttempt

from .display import GOOD, QUIET, WARNING, badge, link_to, list_of, moment_of, stacked
from .pages import Panel

SHOWN = 10
Status = AdminGrant.Status
KINDS = {Status.REPORTED: QUIET, Status.SEEN: GOOD, Status.VERIFIED: GOOD}
PROVES = {
    Status.REPORTED: "Microsoft's answer said so; whoever carries such an answer can make it up.",
    Status.SEEN: "Somebody of that directory then signed in and was given all that was asked for.",
    Status.VERIFIED: "Read from the directory's own list of grants.",
}


def with_link(grants: QuerySet[AdminGrant]) -> QuerySet[Any]:
    """Each with `link_id`, by which it last came."""
    came_by = ConsentAttempt.objects.filter(grant=OuterRef("pk")).order_by("-created_at")
    return grants.annotate(link_id=Subquery(came_by.values("link")[:1]))


DOUBTED = (
    "Since {} somebody there was sent back for want of an approval: it may have been withdrawn. A sign-in that is"
    " given everything, or a new approval, settles it."
)


def status_of(grant: AdminGrant) -> Any:
    if grant.doubted_at is not None:
        return badge(WARNING, f"{grant.get_status_display()}, doubted")
    return badge(KINDS[Status(grant.status)], grant.get_status_display())


def proof_of(grant: AdminGrant) -> Any:
    if grant.doubted_at is not None:
        return format_html(DOUBTED, moment_of(grant.doubted_at))
    return PROVES[Status(grant.status)]


def link_of(grant: Any) -> Any:
    """Takes a row of with_link()."""
    if grant.link_id is None:
        return "-"
    return format_html(
        '<a class="nowrap" href="{}">Link {}</a>',
        reverse("admin:oauth_link_change", args=[grant.link_id]),
        grant.link_id,
    )


def approvals_panel(request: HttpRequest, grants: QuerySet[AdminGrant], **filters: Any) -> Panel:
    """The newest of these that the user may see; `filters` are those of the list of all of them."""
    rows = list(with_link(grants.visible_to(request.user))[: SHOWN + 1])  # type: ignore[attr-defined]
    return Panel(
        title="Administrators' approvals",
        columns=["Directory", "Status", "Scopes", "Reported", "By"],
        rows=[
            [
                link_to(grant, format_html('<span class="identifier">{}</span>', grant.tid)),
                stacked(status_of(grant), proof_of(grant)),
                ", ".join(grant.scopes),
                moment_of(grant.reported_at),
                link_of(grant),
            ]
            for grant in rows[:SHOWN]
        ],
        empty="No administrator has approved for a whole organization.",
        more=list_of(AdminGrant, **filters) if len(rows) > SHOWN else "",
    )
