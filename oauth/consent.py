"""A consent, from the press of the button to the stored connection. Views parse and render; this decides."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from tenants.fields import SecretUnreadable
from tenants.models import AppRegistration, Credential, Event
from tenants.scopes import permissions_for, request_scopes

from .entra import EntraClient, Grant
from .errors import CODES, ERRORS, SUBERRORS, AnswerRejected, EntraError, EntraRefused, EntraUnreachable
from .health import (
    NO_SECRET,
    ONLY_IN_CONSENT,
    UNREADABLE,
    UNVERIFIED,
    RegistrationToAsk,
    Verdict,
    incident_of,
    registration_to_ask,
    subject_of,
)
from .id_token import PERSONAL, Identity
from .models import Connection, ConsentAttempt, Link
from .models.link import digest
from .signals import Observation, Seen, observed

TRIES_AN_HOUR = 20

Outcome = ConsentAttempt.Outcome
_OUTCOMES = {"user_declined": Outcome.DECLINED, "cancelled": Outcome.CANCELLED}

CHANGED = "registration_changed"
UNREADABLE_FLOW = "unreadable_flow"

# Who must act, by kind of fault; where a kind stands in the table twice, its first row counts.
ACTORS: dict[str, str] = {
    **{fault.kind: fault.actor for table in (ERRORS, SUBERRORS, CODES) for fault in reversed(table.values())},
    **dict.fromkeys([NO_SECRET, UNREADABLE, UNVERIFIED, CHANGED, UNREADABLE_FLOW], "operator"),
}


class CannotStart(Exception):
    """Nobody can be sent to Microsoft now, and no attempt was stored. `kind` says why, in a word."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class TooManyTries(CannotStart):
    """This link was tried too often within an hour."""


class _NotReady(Exception):
    """The registration cannot ask Microsoft anything; `seen` says why."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(seen.what)
        self.seen = seen


@dataclass(frozen=True)
class Started:
    """An attempt, what its browser must keep, and where it goes now."""

    attempt: ConsentAttempt
    browser: str = field(repr=False)
    auth_uri: str = field(repr=False)


# From our page to Microsoft


@sensitive_variables()
def start(link: Link) -> Started:
    """Begin an attempt, or raise CannotStart. The link must be usable."""
    _refuse_a_loop(link)
    registration, credential = link.registration, _current(link.registration)
    names = registration.scope_names
    if not names:
        raise CannotStart("no_scopes")
    try:
        ask = _ready(registration, credential)
        client = EntraClient(ask.cloud, registration.consent_directory, ask.client_id, ask.secret)
        flow = client.begin(scopes=request_scopes(names, ask.cloud), redirect_uri=registration.redirect_uri)
    except (_NotReady, EntraRefused) as trouble:
        seen = _incident(trouble, registration, credential)
        _report(registration, credential, seen)
        raise CannotStart(seen.kind if seen else "refused") from None
    except EntraUnreachable:
        raise CannotStart("unreachable") from None
    except AnswerRejected as rejected:
        raise CannotStart(rejected.reason) from None
    return _keep_attempt(link, flow, list(permissions_for(names)))


def _refuse_a_loop(link: Link) -> None:
    # Tries that came to nothing, from any browser. A link for many people has room for all of them.
    tries = link.attempts.filter(connection=None, created_at__gt=timezone.now() - timedelta(hours=1)).count()
    if tries >= TRIES_AN_HOUR + link.max_uses - link.uses:
        raise TooManyTries("too_many_tries")


def _current(registration: AppRegistration) -> Credential | None:
    return registration.credentials.current().first()


@sensitive_variables()
def _ready(registration: AppRegistration, credential: Credential | None) -> RegistrationToAsk:
    ask = registration_to_ask(registration, credential)
    if isinstance(ask, Verdict):
        raise _NotReady(ask.faults[0])
    return ask


@sensitive_variables()
def _keep_attempt(link: Link, flow: Mapping[str, Any], permissions: list[str]) -> Started:
    registration, browser = link.registration, secrets.token_urlsafe(32)
    attempt = ConsentAttempt(
        link=link,
        cloud=registration.cloud,
        directory=registration.consent_directory,
        client_id=registration.client_id,
        redirect_uri=registration.redirect_uri,
        scopes=permissions,
        state_digest=digest(flow["state"]),
        browser_digest=digest(browser),
    )
    attempt.flow = json.dumps(flow)
    attempt.save(force_insert=True)
    return Started(attempt, browser, flow["auth_uri"])


# Back from Microsoft


def attempt_of(cloud_key: str, state: str, secret_of: Callable[[UUID], str]) -> ConsentAttempt | None:
    """The attempt with this state, if it went to this cloud and this browser started it. Changes nothing."""
    attempt = ConsentAttempt.objects.filter(state_digest=digest(state), cloud=cloud_key).first()
    if attempt is None or not constant_time_compare(digest(secret_of(attempt.pk)), attempt.browser_digest):
        return None
    return attempt


@sensitive_variables()
def complete(attempt: ConsentAttempt, answer: Mapping[str, str]) -> None:
    """Redeem what Microsoft answered and keep what it gives.

    The attempt must be claimed. It ends with an outcome: a connection, or the reason why there is none.
    """
    registration = attempt.link.registration
    credential = _current(registration)
    try:
        flow = _take_flow(attempt)
        grant = _redeem(attempt, _ready(registration, credential), flow, answer)
        with transaction.atomic():
            _keep(attempt, grant)
    except SecretUnreadable:
        _finish(attempt, Outcome.REJECTED, fault_kind=UNREADABLE_FLOW)
    except (_NotReady, EntraError) as trouble:
        with transaction.atomic():
            _fail(attempt, trouble)
            # An error that a browser brings may be made up by whoever sits in front of it. With a code, it is our own
            # request that failed.
            if "code" in answer:
                _report(registration, credential, _incident(trouble, registration, credential))


@sensitive_variables()
def _take_flow(attempt: ConsentAttempt) -> dict[str, Any]:
    """What was kept for this moment; gone from the database before anything is sent."""
    if attempt.flow is None:
        raise AnswerRejected("no_flow", "This attempt was taken up before.")
    flow: dict[str, Any] = json.loads(attempt.flow.reveal("consent"))
    attempt.flow = None
    attempt.save(update_fields=["flow"])
    return flow


@sensitive_variables()
def _redeem(
    attempt: ConsentAttempt, ask: RegistrationToAsk, flow: Mapping[str, Any], answer: Mapping[str, str]
) -> Grant:
    registration = attempt.link.registration
    asked = (attempt.cloud, attempt.directory, attempt.client_id)
    if asked != (registration.cloud, registration.consent_directory, registration.client_id):
        raise AnswerRejected(CHANGED, "The registration was changed while the person was at Microsoft.")
    return EntraClient(ask.cloud, attempt.directory, ask.client_id, ask.secret).redeem(flow, answer)


@sensitive_variables()
def _keep(attempt: ConsentAttempt, grant: Grant) -> None:
    """Store the connection, use the link and end the attempt; inside a transaction, so all of it or nothing."""
    account = _account(attempt.link.registration, grant)
    link = Link.objects.usable().select_for_update(of=("self",)).filter(pk=attempt.link_id).first()
    if link is None:
        raise AnswerRejected("link_unusable", "The link ended or was used up while the person was at Microsoft.")
    connection, is_new = _connect(attempt, account, grant)
    Link.objects.filter(pk=link.pk).update(uses=F("uses") + 1)
    attempt.connection = connection
    _finish(attempt, Outcome.CONNECTED_WITH_LESS if connection.scopes_missing else Outcome.CONNECTED)
    Event.objects.record(
        verb="connected" if is_new else "reconnected",
        subject=connection,
        tenant=connection.tenant,
        changes={"refresh_token": "changed"},
        reason=str(link),
    )
    now = timezone.now()
    # The registration first, as in a sweep: two that lock the same findings in another order wait for each other.
    # Nothing but a consent can show that these are mended.
    proven = Observation(subject=attempt.link.registration, at=now, ruled_out=ONLY_IN_CONSENT)
    observed.send(sender=AppRegistration, observation=proven)
    observed.send(sender=Connection, observation=Observation(subject=connection, at=now))


def _account(registration: AppRegistration, grant: Grant) -> Identity:
    """Whose grant it is, if the registration takes such accounts. Raises AnswerRejected."""
    if grant.identity is None:
        raise AnswerRejected("missing", "The answer names nobody.")
    # Where the directory is given as a domain, this is all that can be compared; the rest redeem() did.
    if grant.identity.tid == PERSONAL and registration.audience == registration.Audience.MY_ORG:
        raise AnswerRejected("directory", "A personal account came back; the registration is for one organization.")
    return grant.identity


@sensitive_variables()
def _connect(attempt: ConsentAttempt, account: Identity, grant: Grant) -> tuple[Connection, bool]:
    """The account's one connection, with this grant, and whether it is new. One of another tenant is refused."""
    now = timezone.now()
    fields: dict[str, Any] = {
        "address": account.address,
        "person": account.name,
        "client_id": attempt.client_id,
        "scopes_asked": attempt.scopes,
        "scopes_granted": list(grant.scopes),
        "refresh_token": grant.refresh_token,
        "token_status": Connection.TokenStatus.ACTIVE,
        "blocked": "",
        "connected_at": now,
        "refreshed_at": now,
        "disconnected_at": None,
    }
    tenant_id = attempt.link.tenant_id
    connection, is_new = Connection.objects.select_for_update().get_or_create(
        registration_id=attempt.link.registration_id,
        tid=UUID(account.tid),
        oid=UUID(account.oid),
        defaults={"tenant_id": tenant_id, **fields},
    )
    if connection.tenant_id != tenant_id:
        raise AnswerRejected("other_tenant", "This account is already connected for another tenant.")
    if not is_new:
        for name, value in fields.items():
            setattr(connection, name, value)
        connection.save(update_fields=list(fields))
    return connection, is_new


# When it comes to nothing


def _fail(attempt: ConsentAttempt, trouble: _NotReady | EntraError) -> None:
    match trouble:
        case EntraRefused():
            attempt.error = trouble.error[:60]
            attempt.codes = list(trouble.codes)
            attempt.trace_id = trouble.trace_id[:60]
            attempt.correlation_id = trouble.correlation_id[:60]
            kind = trouble.fault.kind
            _finish(attempt, _OUTCOMES.get(kind, Outcome.REFUSED), fault_kind=kind)
        case AnswerRejected():
            _finish(attempt, Outcome.REJECTED, fault_kind=trouble.reason)
        case _NotReady():
            _finish(attempt, Outcome.REJECTED, fault_kind=trouble.seen.kind)
        case _:
            _finish(attempt, Outcome.UNREACHABLE)


def _incident(
    trouble: _NotReady | EntraError, registration: AppRegistration, credential: Credential | None
) -> Seen | None:
    """What an operator must mend about the registration, if that is the trouble."""
    if isinstance(trouble, _NotReady):
        return trouble.seen
    if isinstance(trouble, EntraRefused) and trouble.fault.scope == "registration":
        return incident_of(trouble, registration.name, credential.hint if credential else "")
    return None


def _report(registration: AppRegistration, credential: Credential | None, seen: Seen | None) -> None:
    """Tell monitoring. A consent looks at one thing only, so it rules nothing else out."""
    if seen is None:
        return
    subject = subject_of(seen, registration, credential)
    observation = Observation(subject=subject, at=timezone.now(), faults=(seen,), ruled_out=frozenset())
    with transaction.atomic():
        observed.send(sender=type(subject), observation=observation)


def _finish(attempt: ConsentAttempt, outcome: str, *, fault_kind: str = "") -> None:
    attempt.outcome = outcome
    attempt.fault_kind = fault_kind[:40]
    attempt.flow = None
    attempt.finished_at = timezone.now()
    said = ["error", "codes", "trace_id", "correlation_id"]
    attempt.save(update_fields=["outcome", "fault_kind", "flow", "finished_at", "connection", *said])
