"""What to ask Microsoft of one registration or one connection, and what its answers come to in our words."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db.models import Model
from django.views.decorators.debug import sensitive_variables

from tenants import ladder
from tenants.clouds import Cloud, UnknownCloud, cloud
from tenants.fields import SecretUnreadable
from tenants.models import AppRegistration, Credential
from tenants.scopes import CATALOGUE, IMAP

from .entra import EntraClient, Grant
from .errors import CODES, ERRORS, SUBERRORS, EntraRefused, EntraUnreachable, Fault
from .kinds import (
    DRIFT,
    NO_SECRET,
    NO_TOKEN,
    OTHER_CLIENT,
    OURS_BY_KIND,
    SECRET_ENDING,
    UNREADABLE,
    UNVERIFIED,
    severity_of,
)
from .models import Connection
from .signals import Seen

# Whoever was asked and answered, whatever the answer, was not kept from it by these.
BEFORE_ASKING = frozenset([UNVERIFIED, UNREADABLE, NO_SECRET, NO_TOKEN, OTHER_CLIENT])
# Faults of a registration that only show when a person consents: its own sign-in works all the same.
ONLY_IN_CONSENT = frozenset(
    [
        "redirect_uri_mismatch",
        "platform_mismatch",
        "response_type_refused",
        "audience_mismatch",
        "invalid_scope",
        "resource_missing",
        "service_missing",
    ]
)
# Faults of a registration that speak of the one directory that was asked: in its own it may be well.
OF_ONE_DIRECTORY = frozenset(["tenant_not_found", "app_not_found", "app_disabled", "service_missing"])
# Refusals of the secret itself, whatever else may be right with the registration.
OF_THE_SECRET = frozenset(
    [SECRET_ENDING, "secret_expired", "secret_invalid", "certificate_invalid", "federated_credential_invalid"]
)
_ROWS = [fault for table in (CODES, SUBERRORS, ERRORS) for fault in table.values()]
_FROM_TABLE = frozenset(fault.kind for fault in _ROWS)
RULED_OUT_BY_SIGN_IN = (_FROM_TABLE | BEFORE_ASKING) - ONLY_IN_CONSENT
# What is over where a registration has no sign-in of its own any more: what it met there, and neither a consent nor a
# connection says of a registration.
RULED_OUT_UNASKED = (
    (_FROM_TABLE | BEFORE_ASKING) - frozenset(fault.kind for fault in _ROWS if fault.scope == "registration")
) | {"tenant_not_found", "only_personal_accounts", DRIFT}

_OUTLOOK = frozenset(scope.permission for scope in CATALOGUE.values() if scope.family == IMAP)


@dataclass(frozen=True, kw_only=True)
class RegistrationToAsk:
    """What a look needs of a registration, and no row."""

    cloud: Cloud
    directory: str
    client_id: str
    only_personal: bool
    secret: str = field(repr=False)
    name: str
    hint: str
    _clients: dict[str, EntraClient] = field(default_factory=dict, init=False, repr=False, compare=False)

    @sensitive_variables()
    def client(self, directory: str) -> EntraClient:
        """The registration's voice in that directory: made once, for to make it costs as much as to ask."""
        if directory not in self._clients:
            self._clients[directory] = EntraClient(self.cloud, directory, self.client_id, self.secret)
        return self._clients[directory]

    @property
    def untried(self) -> "Verdict | None":
        """What is to be said of it where it cannot sign in as itself (AppRegistration.signs_in_itself), else None."""
        if self.only_personal:
            return Verdict(ruled_out=RULED_OUT_UNASKED)
        return None if self.directory else _no_directory(self.name)


@dataclass(frozen=True, kw_only=True)
class ConnectionToAsk:
    """What a look needs of a connection, and no row."""

    registration: RegistrationToAsk
    refresh_token: str = field(repr=False)
    scopes: tuple[str, ...]
    tid: UUID
    oid: UUID

    @property
    def cloud(self) -> Cloud:
        return self.registration.cloud


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a look found out.

    `incident` is a fault of the registration or its credential that a sign-in met: it says nothing of a connection.
    `status` and `blocked` are a connection's new ones; an empty status leaves both. `is_checked` is False where the
    subject itself could not be judged.
    """

    faults: tuple[Seen, ...] = ()
    ruled_out: frozenset[str] | None = frozenset()  # None: all kinds
    incident: Seen | None = None
    is_checked: bool = True
    status: str = ""
    blocked: str = ""
    grant: Grant | None = None


@dataclass(frozen=True, kw_only=True)
class NoAnswer:
    """Microsoft gave no answer that could be judged: nothing changes, it is to be tried again.

    `ours`: the trouble is Tenantry's own. `doubts_registration`: the registration's secret was refused, though its own
    sign-in had just worked, so that sign-in has to decide again.
    """

    why: str
    retry_after: float | None = None
    throttled: bool = False
    ours: bool = False
    doubts_registration: bool = False

    @classmethod
    def of(cls, silence: EntraUnreachable) -> Self:
        """What Microsoft gave instead of an answer."""
        return cls(why=str(silence), retry_after=silence.retry_after, throttled=silence.throttled)


# Before Microsoft is asked


def look_at_credential(credential: Credential, now: datetime) -> Seen | None:
    """`secret_ending`, if this secret ends soon (tenants/ladder.py says what that is) or has ended, by our date."""
    if credential.ends_at is None:
        return None
    left = credential.ends_at - now
    rung = ladder.reached(left, ladder.days_for(credential.registration.tenant))
    if rung is None:
        return None
    secret, day = _secret_of(credential.registration.name, credential.hint), ladder.day_of(credential.ends_at)
    if left.total_seconds() <= 0:
        return _secret_ended(f"{secret} has reached its end, {day}.")
    return OURS_BY_KIND[SECRET_ENDING].seen(
        severity=rung.severity,
        step=rung.step,
        is_coming=rung.is_coming,
        what=f"{secret} ends on {day}, {ladder.in_days(left)}.",
        remedy=_WHEN_REPLACED if credential.slot == Credential.Slot.PREVIOUS else _BEFORE_THAT_DAY,
        evidence={"ends": credential.ends_at.isoformat()},
    )


_BEFORE_THAT_DAY = (
    "Create a new client secret in Entra and enter it on the registration's page before that day; nobody has to "
    "reconnect."
)
_WHEN_REPLACED = (
    "It was replaced here, but the new one is not known to work yet, or ends sooner: check the registration now. "
    "Products that still use the old one need the new one before that day."
)


def _secret_of(name: str, hint: str) -> str:
    return f"The client secret {hint}… of “{name}”"


def _secret_ended(what: str, **more: Any) -> Seen:
    return OURS_BY_KIND[SECRET_ENDING].seen(step=ladder.LAST_STEP, what=what, **more)


@sensitive_variables()
def registration_to_ask(registration: AppRegistration, credential: Credential | None) -> RegistrationToAsk | Verdict:
    """What to ask with this current credential, or why Microsoft cannot be asked."""
    name = f"“{registration.name}”"
    if credential is None or credential.value is None:
        return _cannot_ask(
            NO_SECRET,
            what=f"{name} has no current client secret, so it cannot sign in and cannot be checked.",
        )
    try:
        return RegistrationToAsk(
            cloud=cloud(registration.cloud),
            directory=registration.directory,
            client_id=registration.client_id,
            only_personal=registration.only_personal,
            secret=credential.value.reveal("check"),
            name=registration.name,
            hint=credential.hint,
        )
    except UnknownCloud as problem:
        return _cannot_ask(
            UNVERIFIED, what=f"{name} cannot be checked: its cloud is not known.", actor="operator", remedy=str(problem)
        )
    except SecretUnreadable:
        return _cannot_ask(
            UNREADABLE,
            what=f"{name} cannot be checked: its stored client secret cannot be read.",
            remedy=_KEYS.format("enter the client secret again"),
        )


def _no_directory(name: str) -> Verdict:
    seen = OURS_BY_KIND[UNVERIFIED].seen(
        actor="operator",
        what=f"“{name}” cannot be checked: its own directory is not known, and a registration signs in nowhere else.",
        remedy="Enter the Directory (tenant) ID from the registration's overview in Entra.",
    )
    return Verdict(faults=(seen,), ruled_out=frozenset([UNREADABLE, NO_SECRET]), is_checked=False)


_KEYS = "Put the key that sealed it back into FIELD_ENCRYPTION_KEYS and restart. If that key is lost, {}."


def _cannot_ask(kind: str, **more: Any) -> Verdict:
    seen = OURS_BY_KIND[kind].seen(inhibits=True, **more)
    return Verdict(faults=(seen,), is_checked=kind == NO_SECRET)


@sensitive_variables()
def connection_to_ask(connection: Connection, registration: RegistrationToAsk | Verdict) -> ConnectionToAsk | Verdict:
    """What to ask for this connection, or why Microsoft cannot be asked."""
    if isinstance(registration, Verdict):
        return Verdict(is_checked=False)  # its registration's own finding says why
    if connection.client_id != registration.client_id:
        return _needs_reconnect(OTHER_CLIENT)
    if connection.refresh_token is None:
        return _needs_reconnect(NO_TOKEN)
    try:
        return ConnectionToAsk(
            registration=registration,
            refresh_token=connection.refresh_token.reveal("check"),
            scopes=tuple(_addresses(_still_to_ask(connection), registration.cloud)),
            tid=connection.tid,
            oid=connection.oid,
        )
    except SecretUnreadable:
        remedy = _KEYS.format("send the mailbox owner a link to reconnect")
        what = "This account cannot be checked: its stored sign-in cannot be read."
        return Verdict(faults=(OURS_BY_KIND[UNREADABLE].seen(what=what, remedy=remedy),), is_checked=False)


def _needs_reconnect(kind: str) -> Verdict:
    return Verdict(faults=(OURS_BY_KIND[kind].seen(),), status=Connection.TokenStatus.INVALID)


def _still_to_ask(connection: Connection) -> list[str]:
    """What was asked for and granted. Microsoft names all that a person ever granted, and may lose the rest of it."""
    asked = {permission.lower() for permission in connection.scopes_asked}
    granted = [permission for permission in connection.scopes_granted if permission.lower() in asked]
    return granted or connection.scopes_granted or connection.scopes_asked


def _addresses(permissions: list[str], where: Cloud) -> Iterator[str]:
    # One grant is for one resource, so one permission tells for all.
    host = where.outlook_host if _OUTLOOK.intersection(permissions) else where.graph_host
    for permission in permissions:
        yield f"https://{host}/{permission}"


# Refusals in words


def seen_of(refusal: EntraRefused, **more: Any) -> Seen:
    """The refusal as something seen, with what Microsoft said as evidence."""
    fault: Fault = refusal.fault
    said = {
        "error": refusal.error,
        "suberror": refusal.suberror,
        "codes": list(refusal.codes),
        "trace_id": refusal.trace_id,
        "correlation_id": refusal.correlation_id,
    }
    evidence = {name: value for name, value in said.items() if value}
    words = {"kind": fault.kind, "actor": fault.actor, "what": fault.what, "remedy": fault.remedy}
    return Seen(**{**words, "severity": severity_of(fault), "evidence": evidence, **more})


def incident_of(refusal: EntraRefused, name: str, hint: str, own_directory: str = "") -> Seen:
    """A refused sign-in of the registration of that name, with the secret of that hint.

    `own_directory` is given where that is the one that was asked. An expired secret is the last step of
    `secret_ending`, so that one fault is announced as one.
    """
    if own_directory and refusal.fault.actor == "mailbox_owner":
        # No mailbox is part of this sign-in, so what is meant for its owner was not understood.
        unknown = ERRORS[""]
        words = {"kind": unknown.kind, "actor": unknown.actor, "what": unknown.what, "remedy": unknown.remedy}
        return seen_of(refusal, severity="critical", **words)
    inhibits = refusal.fault.scope == "registration" and refusal.fault.kind not in ONLY_IN_CONSENT
    own: dict[str, str] = {}
    if own_directory and refusal.fault.kind in _REMEDIES_AT_HOME:
        own["what"] = f"{refusal.fault.what} That directory, {own_directory}, is its own."
        own["remedy"] = _REMEDIES_AT_HOME[refusal.fault.kind]
    seen = seen_of(refusal, inhibits=inhibits, **own)
    if seen.kind != "secret_expired":
        return seen
    what = f"{_secret_of(name, hint)} has ended: Microsoft refuses it."
    return _secret_ended(what, inhibits=True, evidence=seen.evidence)


# In its own directory an application is gone or off for other reasons than in that of a tenant who approved it.
_REMEDIES_AT_HOME = {
    "app_not_found": "Compare client ID and directory ID with the registration's overview page in Entra. If it was "
    "deleted there, restore it under Deleted applications; if that is too late, register a new one, to which everybody "
    "has to consent again.",
    "app_disabled": "Have it switched on in that directory, under Enterprise applications in Entra; existing "
    "connections survive.",
}


def subject_of(incident: Seen, registration: AppRegistration, credential: Credential | None) -> Model:
    """Whom an incident is about: the current credential or the registration."""
    return credential if incident.kind == SECRET_ENDING and credential is not None else registration


def unverified(no_answer: NoAnswer, *, inhibits: bool) -> Verdict:
    """A check that could not be made, in spite of several tries."""
    ours = {"actor": "operator", "remedy": "Look for errors in the worker's log; the next check tries again."}
    what = f"This could not be checked: {no_answer.why}"
    seen = OURS_BY_KIND[UNVERIFIED].seen(what=what, inhibits=inhibits, **(ours if no_answer.ours else {}))
    return Verdict(faults=(seen,), is_checked=False)
