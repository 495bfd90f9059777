"""What there is to tell of one link: for whom it is, what came of it, its mails, and what grew from it."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html

from oauth.models import Link, Mail
from oauth.secret_drop import State, drop_of
from tenants.admin.display import GOOD, QUIET, WARNING, ago, badge, link_to
from tenants.admin.outgoing import state_of, tries_of
from tenants.admin.pages import Panel

STATUS = {"open": GOOD, "paused": WARNING, "used": QUIET, "expired": QUIET, "revoked": QUIET}
SHOWN = 20

_ENTERED = {
    State.OPEN: "Nothing was entered yet.",
    State.CHECKING: "A secret was entered; it is being tried.",
    State.SPREADING: "A secret was entered. Microsoft does not take it yet, as with a new one; it is tried again.",
    State.WORKS: "A secret was entered, and Microsoft takes it.",
    State.KEPT: "A secret was entered, and is in use. It cannot be tried; the first consent shows whether it works.",
    State.REFUSED: "What was entered is refused. The person reads why, and can enter it again by the same link.",
    State.UNANSWERED: "A secret was entered; Microsoft gave no answer. Press “Verify” on the registration's page.",
    State.OVER: "It was refused too often. Make another link.",
}

_WITHDRAWN = "What was entered is not tried any more: it was withdrawn, or another one took its place."


def fieldsets_of(link: Link) -> Any:
    """What there is to tell of this link."""
    about = ["purpose", "state", "for_tenant", "for_registration", "made_by", "created_at"]
    about += ["grown_from"] if link.parent_id else []
    if not link.leads_to_consent:
        about += ["sent_to"] if link.sent_to else []
        seen = ["came_of_it", "opens", "last_opened_at", "expires_at", *(["revoked_at"] if link.revoked_at else [])]
        return [(None, {"fields": about}), ("What came of it", {"fields": seen})]
    whom = [*(["sent_to"] if link.sent_to else []), "account", "directory_taken", "returns_to"]
    outcome = ["came_of_it", "connected", "opens", "last_opened_at", "tries", "expires_at"]
    outcome += ["revoked_at"] if link.revoked_at else []
    return [
        (None, {"fields": about}),
        ("For whom", {"fields": whom}),
        ("What came of it", {"fields": outcome}),
    ]


def person_of(link: Link) -> str:
    """Whom this link was sent to, and whom alone it takes."""
    words = [f"only {link.account}"] if link.account else []
    words += [f"mailed to {link.sent_to}"] if link.sent_to else []
    return ", ".join(words) or "anybody who has it"


def end_by(link: Link) -> str:
    """What came of a link to disconnect: what became of its connection."""
    ended_at = link.connection.disconnected_at if link.connection else None
    if ended_at is None:
        return "Used, and the account was connected again." if link.uses else "Not used: the account is connected."
    return f"Disconnected {'by it' if link.uses else 'in another way'} ({ago(ended_at)})"


def mails_panel(request: HttpRequest, link: Link) -> Panel:
    connected = link.attempts.exclude(connection=None).values("connection")
    notices = Q(link__purpose=Link.Purpose.DISCONNECT, link__connection__in=connected)
    rows = Mail.objects.visible_to(request.user).filter(Q(link=link) | notices)[:SHOWN]
    return Panel(
        title="Mails",
        columns=["To", "What", "State", "Tries"],
        rows=[[link_to(mail, mail.address), mail.get_kind_display(), state_of(mail), tries_of(mail)] for mail in rows],
        empty="Tenantry sent no mail about it.",
    )


def children_panel(request: HttpRequest, link: Link) -> Panel:
    children = (
        Link.objects.visible_to(request.user).filter(parent=link).select_related("tenant", "registration", "parent")
    )
    return Panel(
        title="Links that grew from it",
        columns=["Link", "Status", "Opened", "Completed", "Made"],
        rows=[
            [
                link_to(row),
                badge(STATUS[row.status], row.status),
                row.opens,
                f"{row.uses} of {row.max_uses}",
                ago(row.created_at),
            ]
            for row in children[:SHOWN]
        ],
        empty="None.",
    )


def entered_by(link: Link) -> Any:
    """What came of a secret drop, with its report."""
    drop = drop_of(link)
    if drop.verification is None:
        return _ENTERED[drop.state]
    words = _WITHDRAWN if drop.state == State.OPEN else _ENTERED[drop.state]
    return format_html("{} {}", words, link_to(drop.verification, "Its report"))
