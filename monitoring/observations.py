"""From what a look found out to what is said of whom: the registration, its client secrets, a connection."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.dispatch import receiver
from django.utils import timezone

from oauth import drift, health, idle, kinds
from oauth.health import NoAnswer, Verdict
from oauth.models import AdminGrant, Connection, Verification
from oauth.signals import Observation, Seen, looked, observed
from tenants.models import AppRegistration, Credential, ScopeSelection

from .models import Finding

Subject = AppRegistration | Connection
ONCE_IN = timedelta(hours=1)


@dataclass(frozen=True, eq=False)
class Result:
    """What came of a look at one row, with its registration's current credential. None: nobody got round to it."""

    row: Subject
    outcome: Verdict | NoAnswer | None
    credential: Credential | None


@dataclass(frozen=True)
class _Known:
    """What the database says of all that a batch looked at, read once."""

    now: datetime
    open_kinds: Mapping[Any, frozenset[str]]  # by subject, what is said to be wrong with it
    refused: frozenset[Any]  # registrations and credentials whose secret Microsoft is said to refuse
    credentials: Mapping[int, list[Credential]]  # by registration that was looked at: those worth a word
    ticked: Mapping[int, list[str]]  # by registration of a connection that was renewed: its scopes
    waiting: Mapping[int, idle.Waiting]  # by registration that cannot sign in: whom that keeps waiting


def tell(settled: Iterable[tuple[Result, Verdict]], now: datetime) -> None:
    """Send `observed` for all that is wrong, and for all that was. Inside the transaction that saves the results.

    A few queries tell what was known of the whole batch: nearly all are healthy, and of those there is nothing to say.
    """
    settled = list(settled)
    known = _known(settled, now)
    news: dict[Any, Observation] = {}
    for each in _observations(settled, known):
        if each.faults or known.open_kinds.get(_key(each.subject)):
            news[_place(each)] = each
    for place in sorted(news):
        observed.send(sender=type(news[place].subject), observation=news[place])
    _keep_what_worked(settled, now)


@receiver(looked)
def take_in(
    sender: Any, registration: AppRegistration, credential: Credential | None, verdict: Verdict, **kwargs: Any
) -> None:
    """A registration's sign-in that was tried outside a sweep says what one in a sweep says."""
    now = timezone.now()
    tell([(Result(registration, verdict, credential), verdict)], now)
    if verdict.is_checked:
        rows = AppRegistration.objects.filter(pk=registration.pk)
        rows.update(checked_at=now, unanswered=0, unanswered_why="")


def _key(subject: Any) -> tuple[str, Any]:
    return subject._meta.model_name, subject.pk


def _place(observation: Observation) -> tuple[bool, str, str, tuple[str, ...]]:
    """What is the same has the same place. Registrations come first, for their faults may silence connections.

    The order is always the same, so that two batches never wait for each other.
    """
    model, pk = _key(observation.subject)
    kinds_seen = tuple(seen.kind for seen in observation.faults)
    return isinstance(observation.subject, Connection), model, str(pk), kinds_seen


# What is known


def _known(settled: list[tuple[Result, Verdict]], now: datetime) -> _Known:
    credentials = _credentials(settled)
    findings = _findings(settled, credentials)
    open_kinds: dict[Any, set[str]] = {}
    refused = set()
    for registration, credential, connection, kind, inhibits in findings:
        named = {"appregistration": registration, "credential": credential, "connection": connection}
        key = next((model, pk) for model, pk in named.items() if pk is not None)
        open_kinds.setdefault(key, set()).add(kind)
        if inhibits and kind in health.OF_THE_SECRET:
            refused.add(key)
    return _Known(
        now=now,
        open_kinds={key: frozenset(of_it) for key, of_it in open_kinds.items()},
        refused=frozenset(refused),
        credentials=credentials,
        ticked=_ticked(settled),
        waiting=_waiting(settled),
    )


def _credentials(settled: list[tuple[Result, Verdict]]) -> dict[int, list[Credential]]:
    """Of the registrations something is said of: secrets with a slot, and retired ones said to be in trouble."""
    registrations = {
        _registration_of(result).pk: _registration_of(result)
        for result, verdict in settled
        if isinstance(result.row, AppRegistration) or _is_only_proof(result, verdict)
    }
    found: dict[int, list[Credential]] = {pk: [] for pk in registrations}
    if registrations:
        in_trouble = Exists(Finding.objects.open().filter(credential=OuterRef("pk")))
        rows = Credential.objects.filter(Q(slot__gt="") | in_trouble, registration__in=registrations)
        for credential in rows.defer("value").order_by("pk"):
            credential.registration = registrations[credential.registration_id]
            found[credential.registration_id].append(credential)
    return found


def _findings(settled: list[tuple[Result, Verdict]], credentials: dict[int, list[Credential]]) -> Iterable[Any]:
    registrations = {_registration_of(result).pk for result, _ in settled}
    secrets = {credential.pk for of_one in credentials.values() for credential in of_one}
    secrets |= {result.credential.pk for result, _ in settled if result.credential}
    connections = [result.row.pk for result, _ in settled if isinstance(result.row, Connection)]
    about = Q(registration__in=registrations) | Q(credential__in=secrets) | Q(connection__in=connections)
    rows = Finding.objects.open().filter(about)
    return rows.values_list("registration", "credential", "connection", "kind", "inhibits")


def _ticked(settled: list[tuple[Result, Verdict]]) -> dict[int, list[str]]:
    renewed = {result.row.registration_id for result, v in settled if isinstance(result.row, Connection) and v.grant}
    ticked: dict[int, list[str]] = {pk: [] for pk in renewed}
    if renewed:
        rows = ScopeSelection.objects.filter(registration__in=renewed).values_list("registration", "scope")
        for pk, scope in rows:
            ticked[pk].append(scope)
    return ticked


def _waiting(settled: list[tuple[Result, Verdict]]) -> dict[int, idle.Waiting]:
    broken = {}
    for result, verdict in settled:
        of_registration = verdict.faults if isinstance(result.row, AppRegistration) else ()
        if any(seen.inhibits for seen in (*of_registration, *filter(None, [verdict.incident]))):
            broken[_registration_of(result).pk] = _registration_of(result)
    return idle.waiting_for(broken.values()) if broken else {}


def _registration_of(result: Result) -> AppRegistration:
    return result.row if isinstance(result.row, AppRegistration) else result.row.registration


def _is_only_proof(result: Result, verdict: Verdict) -> bool:
    """Was a connection renewed whose registration cannot sign in itself? Then its secret is good."""
    return verdict.grant is not None and not _registration_of(result).signs_in_itself and result.credential is not None


def _signed_in(result: Result, verdict: Verdict) -> bool:
    return isinstance(result.row, AppRegistration) and verdict.ruled_out == health.RULED_OUT_BY_SIGN_IN


def _keep_what_worked(settled: list[tuple[Result, Verdict]], now: datetime) -> None:
    """Write down which secrets signed in, and have what their registrations may read of approvals read again."""
    signed_in = [result for result, verdict in settled if _signed_in(result, verdict)]
    worked = {result.credential.pk for result in signed_in if result.credential}
    if worked:
        Credential.objects.filter(pk__in=worked).update(worked_at=now)
        registrations = [_registration_of(result) for result in signed_in]
        AdminGrant.objects.read_again(registrations)
        Verification.objects.sync_again(registrations)
    proven = {result.credential.pk for result, v in settled if result.credential and _is_only_proof(result, v)}
    if proven:
        # Batches share these: locked in one order, and not written by each.
        before = Q(worked_at=None) | Q(worked_at__lt=now - ONCE_IN)
        stale = Credential.objects.filter(before, pk__in=proven).select_for_update().order_by("pk")
        Credential.objects.filter(pk__in=[credential.pk for credential in stale.only("pk")]).update(worked_at=now)


# What is said


def _observations(settled: list[tuple[Result, Verdict]], known: _Known) -> Iterator[Observation]:
    refused = {_registration_of(result) for result, verdict in settled if verdict.incident}
    for result, verdict in settled:
        if isinstance(result.row, AppRegistration):
            yield from _of_registration(result, verdict, known)
        else:
            yield from _of_connection(result.row, result, verdict, known)
            # One that was renewed proves nothing while another was refused.
            if _is_only_proof(result, verdict) and _registration_of(result) not in refused:
                yield from _of_proven(_registration_of(result), known)


def _of_registration(result: Result, verdict: Verdict, known: _Known) -> Iterator[Observation]:
    registration, current = _registration_of(result), result.credential
    own = [_standing(seen, registration, known) for seen in verdict.faults]
    of_secret: list[Seen] = []
    if verdict.incident:
        is_of_secret = health.subject_of(verdict.incident, registration, current) is current
        (of_secret if is_of_secret else own).append(_standing(verdict.incident, registration, known))
    yield Observation(registration, known.now, tuple(own), verdict.ruled_out)
    works = _works(registration, own, _signed_in(result, verdict), known)
    for credential in known.credentials[registration.pk]:
        if credential == current and of_secret:
            yield Observation(credential, known.now, tuple(of_secret))
        # What Microsoft refused once, only Microsoft takes back: a date says less.
        elif credential == current and not _signed_in(result, verdict) and _key(credential) in known.refused:
            yield Observation(credential, known.now, ruled_out=frozenset())
        else:
            yield _by_date(credential, works, known)


def _of_connection(connection: Connection, result: Result, verdict: Verdict, known: _Known) -> Iterator[Observation]:
    registration = connection.registration
    faults, ruled_out = list(verdict.faults), verdict.ruled_out
    if verdict.grant is not None:
        granted = verdict.grant.scopes or connection.scopes_granted
        missing = drift.look_at_scopes(registration, known.ticked[registration.pk], granted)
        faults += [missing] if missing else []
        if not granted:  # what it may do is not known, so nothing about that is over
            ruled_out = known.open_kinds.get(_key(connection), frozenset()) - {kinds.SCOPES_MISSING}
    elif verdict.status == Connection.TokenStatus.DEAD:
        ruled_out = (ruled_out or frozenset()) | {kinds.TOKEN_IDLE}  # there is nothing left to lapse
    elif faults and faults[0].kind != kinds.NO_TOKEN:
        lapsing = idle.look_at_idle(connection, faults[0], known.now)
        faults += [lapsing] if lapsing else []
    yield Observation(connection, known.now, tuple(faults), ruled_out)
    if verdict.incident:
        about = health.subject_of(verdict.incident, registration, result.credential)
        yield Observation(about, known.now, (_standing(verdict.incident, registration, known),), frozenset())


def _of_proven(registration: AppRegistration, known: _Known) -> Iterator[Observation]:
    yield Observation(registration, known.now, ruled_out=health.RULED_OUT_BY_SIGN_IN - {kinds.UNVERIFIED})
    for credential in known.credentials[registration.pk]:
        if credential.slot == Credential.Slot.CURRENT:
            yield _by_date(credential, _works(registration, [], True, known), known)


def _standing(seen: Seen, registration: AppRegistration, known: _Known) -> Seen:
    if registration.tenant_id is None and seen.actor == "tenant_admin":
        seen = replace(seen, actor="operator")  # a shared registration's own directory is no tenant's
    return idle.standing_for(seen, known.waiting.get(registration.pk), known.now) if seen.inhibits else seen


# Secrets by their dates

_RANKS: dict[str, int] = {Credential.Slot.PREVIOUS: 0, Credential.Slot.CURRENT: 1, Credential.Slot.NEXT: 2}


def _works(registration: AppRegistration, own: list[Seen], has_signed_in: bool, known: _Known) -> set[Any]:
    """Which of the registration's secrets are known to work: they signed in, and were not refused since."""
    is_refused = any(seen.kind in health.OF_THE_SECRET for seen in own) or _key(registration) in known.refused
    of_it = known.credentials[registration.pk]
    current = {credential.pk for credential in of_it if credential.slot == Credential.Slot.CURRENT}
    worked = {credential.pk for credential in of_it if credential.worked_at}
    if has_signed_in:
        return worked | current
    return worked - current if is_refused else worked


def _by_date(credential: Credential, works: set[Any], known: _Known) -> Observation:
    """What is to be said of a secret's end: nothing of one that is retired, or has a successor that works."""
    nothing, ends_at = Observation(credential, known.now), credential.ends_at
    if not credential.slot or credential.removed_at or ends_at is None:
        return nothing
    has_ended = ends_at <= known.now
    is_current = credential.slot == Credential.Slot.CURRENT
    # One that signs in and has ended is a fault, whoever stands ready.
    if not (is_current and has_ended) and _is_succeeded(credential, ends_at, works, known):
        return nothing
    is_told = kinds.SECRET_ENDING in known.open_kinds.get(_key(credential), ())
    if credential.slot == Credential.Slot.PREVIOUS and has_ended and not is_told:
        return nothing  # nobody was waiting for it
    dated = health.look_at_credential(credential, known.now)
    return Observation(credential, known.now, (dated,) if dated else ())


def _is_succeeded(credential: Credential, ends_at: datetime, works: set[Any], known: _Known) -> bool:
    """Is there a secret that comes after this one, works, and ends later?"""
    return any(
        other.pk in works
        and other.removed_at is None
        and _RANKS.get(other.slot, -1) > _RANKS[credential.slot]
        and other.ends_at is not None
        and other.ends_at > ends_at
        for other in known.credentials[credential.registration_id]
    )
