"""A consent, from the press of the button to the stored connection. Views parse and render; this decides."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from tenants.clouds import Cloud
from tenants.fields import SecretUnreadable
from tenants.models import AppRegistration, Credential, Event
from tenants.scopes import request_scopes

from . import approval, attempts, mails, pins
from .attempts import CannotStart, Started
from .entra import Grant
from .errors import AnswerRejected, EntraError, EntraRefused, EntraUnreachable
from .graph import NO_MAILBOX, GraphClient, GraphRefused
from .health import (
    OF_ONE_DIRECTORY,
    OF_THE_SECRET,
    ONLY_IN_CONSENT,
    RegistrationToAsk,
    Verdict,
    incident_of,
    registration_to_ask,
    subject_of,
)
from .http import HttpClient
from .id_token import Identity
from .models import Connection, ConsentAttempt, Link
from .signals import Observation, Seen, observed

# A consent takes a while to be known everywhere at Microsoft; until then the token endpoint says it is missing.
SPREADS_WITHIN = timedelta(seconds=60)
SPREAD_PAUSE = timedelta(seconds=3)
NOT_SPREAD_YET = "consent_missing"

UNREADABLE_FLOW = "unreadable_flow"
NOT_SPREAD = "not_spread"
# What an attempt ends with where an administrator's approval is missing; the bare cancel says it without a word.
WANTS_APPROVAL = frozenset(["cancelled", NOT_SPREAD_YET, "admin_consent_required"])

Outcome = ConsentAttempt.Outcome


class _NotReady(Exception):
    """The registration cannot ask Microsoft anything; `seen` says why."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(seen.what)
        self.seen = seen


# From our page to Microsoft


@sensitive_variables()
def start(link: Link) -> Started:
    """Begin an attempt, or raise CannotStart. The link must be usable."""
    attempts.refuse_a_loop(link)
    registration, credential = link.registration, _current(link.registration)
    names = registration.scope_names
    if not names:
        raise CannotStart("no_scopes")
    directory = pins.directory_of(link)
    try:
        ask = _ready(registration, credential)
        flow = ask.client(directory).begin(
            scopes=request_scopes(names, ask.cloud), redirect_uri=registration.redirect_uri, login_hint=link.account
        )
    except (_NotReady, EntraRefused) as trouble:
        seen = _incident(trouble, registration, credential, directory)
        _report(registration, credential, seen)
        raise CannotStart(trouble.seen.kind if isinstance(trouble, _NotReady) else trouble.fault.kind) from None
    except EntraUnreachable:
        raise CannotStart("unreachable") from None
    except AnswerRejected as rejected:
        raise CannotStart(rejected.reason) from None
    return attempts.keep(link, ConsentAttempt.Way.SIGN_IN, state=flow["state"], auth_uri=flow["auth_uri"], flow=flow)


def _current(registration: AppRegistration) -> Credential | None:
    return registration.credentials.current().first()


@sensitive_variables()
def _ready(registration: AppRegistration, credential: Credential | None) -> RegistrationToAsk:
    ask = registration_to_ask(registration, credential)
    if isinstance(ask, Verdict):
        raise _NotReady(ask.faults[0])
    return ask


# Back from Microsoft


@sensitive_variables()
def complete(attempt: ConsentAttempt, answer: Mapping[str, str]) -> None:
    """Redeem what Microsoft answered and keep what it gives.

    The attempt must be claimed. It ends with an outcome: a connection, or the reason why there is none. One exception:
    where the consent has not spread at Microsoft yet, it is kept for another try (`next_at`), for a minute at most.
    """
    registration = attempt.link.registration
    credential = _current(registration)
    try:
        flow = _take_flow(attempt)
        ask = _ready(registration, credential)
        grant = _redeem(attempt, ask, flow, answer)
        account = pins.account_for(attempt.link, grant)
        _demand_mailbox(ask.cloud, grant)
        with transaction.atomic():
            _keep(attempt, account, grant, credential)
    except SecretUnreadable:
        attempts.end(attempt, Outcome.REJECTED, fault_kind=UNREADABLE_FLOW)
    except (_NotReady, EntraError) as trouble:
        if "code" in answer and _is_spreading(attempt, trouble):
            _try_again_later(attempt, flow, answer)
            return
        with transaction.atomic():
            _fail(attempt, trouble)
            # An error that a browser brings may be made up by whoever sits in front of it. With a code, it is our own
            # request that failed.
            if "code" in answer:
                _report(registration, credential, _incident(trouble, registration, credential, attempt.directory))


@sensitive_variables()
def try_again(attempt: ConsentAttempt) -> None:
    """Redeem once more what had not spread at Microsoft. The attempt must be claimed again."""
    try:
        kept = json.loads(attempt.flow.reveal("consent")) if attempt.flow is not None else {}
    except SecretUnreadable:
        attempts.end(attempt, Outcome.REJECTED, fault_kind=UNREADABLE_FLOW)
        return
    complete(attempt, kept.get("answer", {}))


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
    attempts.demand_unchanged(attempt)
    return ask.client(attempt.directory).redeem(flow, answer)


def _is_spreading(attempt: ConsentAttempt, trouble: Exception) -> bool:
    return (
        isinstance(trouble, EntraRefused)
        and trouble.fault.kind == NOT_SPREAD_YET
        and attempt.claimed_at is not None
        and timezone.now() - attempt.claimed_at < SPREADS_WITHIN
    )


@sensitive_variables()
def _try_again_later(attempt: ConsentAttempt, flow: Mapping[str, Any], answer: Mapping[str, str]) -> None:
    """The code stays good meanwhile: Microsoft did not take it."""
    attempt.flow = json.dumps({**flow, "answer": dict(answer)})
    attempt.next_at = timezone.now() + SPREAD_PAUSE
    attempt.save(update_fields=["flow", "next_at"])


@sensitive_variables()
def _demand_mailbox(where: Cloud, grant: Grant) -> None:
    """Refuse an account that has no mailbox. Where Graph cannot say, or was not asked for, the nightly check will."""
    if "mailboxsettings.read" not in {name.lower() for name in grant.scopes}:
        return
    try:
        http = HttpClient(where, connect=3, read=5)  # a person waits for this page
        GraphClient(where, grant.access_token, http).mailbox_settings()
    except GraphRefused as refused:
        if refused.code == NO_MAILBOX:
            raise AnswerRejected("no_mailbox", "This account has no mailbox at Microsoft 365.") from None
    except EntraUnreachable:
        pass


@sensitive_variables()
def _keep(attempt: ConsentAttempt, account: Identity, grant: Grant, credential: Credential | None) -> None:
    """Store the connection, use the link and end the attempt; inside a transaction, so all of it or nothing.

    The credential is the one that Microsoft has just taken.
    """
    link = attempts.use_link(attempt)
    connection, is_new = _connect(attempt, account, grant)
    attempt.connection = connection
    attempts.end(attempt, Outcome.CONNECTED_WITH_LESS if connection.scopes_missing else Outcome.CONNECTED)
    approval.see(connection)
    Event.objects.record(
        verb="connected" if is_new else "reconnected",
        subject=connection,
        tenant=connection.tenant,
        changes={"refresh_token": "changed"},
        reason=str(link),
    )
    mails.tell_mailbox(connection, attempt)
    now = timezone.now()
    # The registration first, as in a sweep: two that lock the same findings in another order wait for each other.
    # Nothing but a consent can show that these are mended; nor, where no sign-in of its own can, that the secret is.
    registration = attempt.link.registration
    over = ONLY_IN_CONSENT
    if credential is not None and not registration.signs_in_itself:
        over |= OF_THE_SECRET
        Credential.objects.filter(pk=credential.pk).update(worked_at=now)
    observed.send(sender=AppRegistration, observation=Observation(subject=registration, at=now, ruled_out=over))
    observed.send(sender=Connection, observation=Observation(subject=connection, at=now))


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
        "unanswered": 0,
        "unanswered_why": "",
    }
    tenant_id = attempt.link.tenant_id
    connection, is_new = Connection.objects.select_for_update().get_or_create(
        registration_id=attempt.link.registration_id,
        tid=UUID(account.tid),
        oid=UUID(account.oid),
        defaults={"tenant_id": tenant_id, "turn": lambda: Connection.objects.next_turn(tenant_id), **fields},
    )
    if connection.tenant_id != tenant_id:
        if connection.disconnected_at is None or connection.tenant.archived_at is None:
            raise AnswerRejected("other_tenant", "This account is already connected for another tenant.")
        fields["tenant_id"] = tenant_id  # nobody is left there who could give it back
    if not is_new:
        for name, value in fields.items():
            setattr(connection, name, value)
        connection.save(update_fields=list(fields))
    return connection, is_new


# When it comes to nothing


def _fail(attempt: ConsentAttempt, trouble: _NotReady | EntraError) -> None:
    match trouble:
        case EntraRefused():
            has_waited = trouble.fault.kind == NOT_SPREAD_YET and attempt.next_at is not None
            attempts.end_refused(attempt, trouble, NOT_SPREAD if has_waited else "")
            if attempt.fault_kind in WANTS_APPROVAL:
                approval.doubt(attempt)
        case AnswerRejected():
            attempts.end(attempt, Outcome.REJECTED, fault_kind=trouble.reason)
            if trouble.reason in pins.MISMATCHES:
                mails.tell_of_mismatch(attempt)
        case _NotReady():
            attempts.end(attempt, Outcome.REJECTED, fault_kind=trouble.seen.kind)
        case EntraUnreachable():
            attempts.end(attempt, Outcome.UNREACHABLE, fault_kind=trouble.kind)


def _incident(
    trouble: _NotReady | EntraError, registration: AppRegistration, credential: Credential | None, directory: str
) -> Seen | None:
    """What an operator must mend about the registration, if that is the trouble and not the directory a link names."""
    if isinstance(trouble, _NotReady):
        return trouble.seen
    if not isinstance(trouble, EntraRefused) or trouble.fault.scope != "registration":
        return None
    is_elsewhere = pins.names_a_directory(directory) and directory != registration.directory
    if is_elsewhere and trouble.fault.kind in OF_ONE_DIRECTORY:
        return None
    return incident_of(trouble, registration.name, credential.hint if credential else "")


def _report(registration: AppRegistration, credential: Credential | None, seen: Seen | None) -> None:
    """Tell monitoring. A consent looks at one thing only, so it rules nothing else out."""
    if seen is None:
        return
    subject = subject_of(seen, registration, credential)
    observation = Observation(subject=subject, at=timezone.now(), faults=(seen,), ruled_out=frozenset())
    with transaction.atomic():
        observed.send(sender=type(subject), observation=observation)
