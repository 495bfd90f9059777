"""What can be wrong with a registration, its client secret or a connection: one row for each kind, and its words."""

from dataclasses import dataclass
from typing import Any

from .errors import CODES, ERRORS, SUBERRORS, Fault
from .signals import Seen

# Kinds of our own; all others are those of the table in errors.py.
SECRET_ENDING = "secret_ending"  # noqa: S105
NO_SECRET = "no_secret"  # noqa: S105
UNREADABLE = "unreadable_secret"
UNVERIFIED = "unverified"  # a check that could not be made
NO_TOKEN = "no_token"  # noqa: S105
OTHER_CLIENT = "other_client"
OTHER_ACCOUNT = "other_account"
SCOPES_MISSING = "scopes_missing"
TOKEN_IDLE = "token_idle"  # noqa: S105
DRIFT = "drift"

RECONNECT = "Send the mailbox owner a link to reconnect."


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One row: what such a finding means, whom it is about, who must act and how, how bad it is.

    `subjects` are in the words of docs/monitoring.md. `is_coming`: nothing is broken yet, so it is told in the daily
    digest. `in_steps`: it comes nearer by the steps of tenants/ladder.py, which say how bad it is by now. Whoever sees
    more than the row says passes it to `seen`.
    """

    kind: str
    subjects: str
    what: str
    actor: str
    remedy: str
    severity: str = "critical"
    is_coming: bool = False
    in_steps: bool = False

    def seen(self, **more: Any) -> Seen:
        """Something of this kind, seen: in the words of the row, but for those given."""
        words = {"kind": self.kind, "actor": self.actor, "what": self.what, "remedy": self.remedy}
        return Seen(**{**words, "severity": self.severity, "is_coming": self.is_coming, **more})


def severity_of(fault: Fault) -> str:
    """What passes by itself, and what may be of one request, is no more than a warning."""
    return "warning" if fault.blocked or fault.scope == "request" else "critical"


OURS = (
    Kind(
        kind=SECRET_ENDING,
        subjects="client secret",
        what="A client secret ends soon, or has ended.",
        actor="operator",
        remedy="Create a new client secret in Entra and enter it on the registration's page; nobody has to reconnect.",
        in_steps=True,
    ),
    Kind(
        kind=NO_SECRET,
        subjects="registration",
        what="The registration has no current client secret, so it cannot sign in.",
        actor="operator",
        remedy="Create a client secret in Entra and enter its Value on the registration's page.",
        severity="warning",
    ),
    Kind(
        kind=UNREADABLE,
        subjects="registration, connection",
        what="A stored client secret or sign-in cannot be read.",
        actor="operator",
        remedy="Put the key that sealed it back into FIELD_ENCRYPTION_KEYS and restart. If that key is lost, enter the "
        "client secret again; for a connection, send the mailbox owner a link to reconnect.",
    ),
    Kind(
        kind=UNVERIFIED,
        subjects="registration, connection",
        what="This could not be checked.",
        actor="nobody",
        remedy="The next check tries again. If this stays, see whether this server reaches Microsoft.",
        severity="warning",
    ),
    Kind(
        kind=NO_TOKEN,
        subjects="connection",
        what="There is no stored sign-in for this account.",
        actor="mailbox_owner",
        remedy=RECONNECT,
    ),
    Kind(
        kind=OTHER_CLIENT,
        subjects="connection",
        what="The account consented to another client ID than the registration has now.",
        actor="mailbox_owner",
        remedy=RECONNECT,
    ),
    Kind(
        kind=OTHER_ACCOUNT,
        subjects="connection",
        what="Microsoft answered with a token for another account; it was not kept.",
        actor="operator",
        remedy="Send the mailbox owner a link to reconnect, and look for a fault in Tenantry or its database.",
    ),
    Kind(
        kind=SCOPES_MISSING,
        subjects="connection",
        what="The account has not granted all that is ticked on its registration now.",
        actor="mailbox_owner",
        remedy=RECONNECT,
        severity="warning",
        is_coming=True,
    ),
    Kind(
        kind=TOKEN_IDLE,
        subjects="connection",
        what="The stored sign-in has not been renewed for long, and Microsoft lets it lapse after 90 days without use.",
        actor="mailbox_owner",
        remedy="Mend what keeps it from being renewed, which its other finding names; after the 90 days only the "
        "mailbox owner can, with a link to reconnect.",
        severity="warning",
        is_coming=True,
        in_steps=True,
    ),
    Kind(
        kind=DRIFT,
        subjects="registration",
        what="What is set up in Entra is not what stands here.",
        actor="operator",
        remedy="Compare the two under In Entra on the registration's page and correct whichever is wrong, then press "
        "Sync from Entra.",
        severity="warning",
        is_coming=True,  # what is broken by it shows as a fault of its own
    ),
)

OURS_BY_KIND: dict[str, Kind] = {row.kind: row for row in OURS}

_OF_SCOPE = {"registration": "registration", "connection": "connection"}


def _of_the_table() -> dict[str, Kind]:
    """Those Microsoft gives, by the first row of each. What can be tried again is no finding, but `unverified`."""
    faults: dict[str, Fault] = {}
    for fault in (*CODES.values(), *SUBERRORS.values(), *ERRORS.values()):
        if not fault.retryable:
            faults.setdefault(fault.kind, fault)
    return {
        kind: Kind(
            kind=kind,
            subjects=_OF_SCOPE.get(fault.scope, "registration, connection"),
            what=fault.what,
            actor=fault.actor,
            remedy=fault.remedy,
            severity=severity_of(fault),
        )
        for kind, fault in faults.items()
    }


KINDS: dict[str, Kind] = OURS_BY_KIND | _of_the_table()
