"""From what a look found out to what is said of whom: the registration, its client secret, a connection."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from oauth import health
from oauth.health import NoAnswer, Verdict
from oauth.models import Connection
from oauth.signals import Observation, Seen, observed
from tenants.models import AppRegistration, Credential

from .models import Finding

Subject = AppRegistration | Connection


@dataclass(frozen=True, eq=False)
class Result:
    """What came of a look at one row, with its registration's current credential. None: nobody got round to it."""

    row: Subject
    outcome: Verdict | NoAnswer | None
    credential: Credential | None


def tell(settled: Iterable[tuple[Result, Verdict]], now: datetime) -> None:
    """Send `observed` for all that is wrong, and for all that was. Inside the transaction that saves the results.

    One query tells who was in trouble before: nearly all are healthy, and of those there is nothing to say.
    """
    observations = list(_observations(list(settled), now))
    before = _in_trouble(observations)
    news = {_place(each): each for each in observations if each.faults or each.subject.pk in before}
    for place in sorted(news):
        observed.send(sender=type(news[place].subject), observation=news[place])


def _place(observation: Observation) -> tuple[bool, str, str, tuple[str, ...]]:
    """What is the same has the same place. Registrations come first, for their faults may silence connections.

    The order is always the same, so that two batches never wait for each other.
    """
    subject = observation.subject
    kinds = tuple(seen.kind for seen in observation.faults)
    return isinstance(subject, Connection), subject._meta.label, str(subject.pk), kinds


def _in_trouble(observations: list[Observation]) -> set[Any]:
    def of(model: type[Any]) -> list[Any]:
        return [observation.subject.pk for observation in observations if isinstance(observation.subject, model)]

    about = (
        Q(registration__in=of(AppRegistration)) | Q(credential__in=of(Credential)) | Q(connection__in=of(Connection))
    )
    rows = Finding.objects.open().filter(about).values_list("registration", "credential", "connection")
    return {pk for row in rows for pk in row if pk is not None}


def _observations(settled: list[tuple[Result, Verdict]], now: datetime) -> Iterator[Observation]:
    refused = {_registration_of(result) for result, verdict in settled if verdict.incident}
    for result, verdict in settled:
        if isinstance(result.row, AppRegistration):
            yield from _of_registration(result, verdict, now)
        else:
            yield from _of_connection(result, verdict, now, is_proof=_registration_of(result) not in refused)
    registrations = [result.row for result, _ in settled if isinstance(result.row, AppRegistration)]
    for credential in _replaced(registrations) if registrations else ():
        yield Observation(credential, now)


def _of_registration(result: Result, verdict: Verdict, now: datetime) -> Iterator[Observation]:
    registration, credential = _registration_of(result), result.credential
    faults: dict[Any, list[Seen]] = {registration: list(verdict.faults)}
    if verdict.incident:
        faults.setdefault(health.subject_of(verdict.incident, registration, credential), []).append(verdict.incident)
    yield Observation(registration, now, tuple(faults[registration]), verdict.ruled_out)
    if credential is None:
        return
    has_signed_in = verdict.ruled_out == health.RULED_OUT_BY_SIGN_IN
    yield _of_credential(credential, faults.get(credential), has_signed_in, now)


def _of_credential(credential: Credential, refused: list[Seen] | None, works: bool, now: datetime) -> Observation:
    if refused:
        return Observation(credential, now, tuple(refused))
    # What Microsoft refused once, only Microsoft takes back: a date says less.
    if not works and Finding.objects.inhibiting().filter(credential=credential).exists():
        return Observation(credential, now, ruled_out=frozenset())
    dated = health.look_at_credential(credential, now)
    return Observation(credential, now, (dated,) if dated else ())


def _of_connection(result: Result, verdict: Verdict, now: datetime, *, is_proof: bool) -> Iterator[Observation]:
    registration, credential = _registration_of(result), result.credential
    yield Observation(result.row, now, verdict.faults, verdict.ruled_out)
    if verdict.incident:
        about = health.subject_of(verdict.incident, registration, credential)
        yield Observation(about, now, (verdict.incident,), frozenset())
    if is_proof and verdict.grant and credential and not registration.directory:
        # It cannot sign in itself, so this is the proof that its secret is good.
        yield Observation(registration, now, ruled_out=health.RULED_OUT_BY_SIGN_IN - {health.UNVERIFIED})
        yield _of_credential(credential, None, True, now)


def _registration_of(result: Result) -> AppRegistration:
    return result.row if isinstance(result.row, AppRegistration) else result.row.registration


def _replaced(registrations: list[AppRegistration]) -> QuerySet[Credential]:
    """Secrets that do not sign in any more, of which something is still said to be wrong."""
    of_these = Credential.objects.filter(registration__in=registrations, findings__in=Finding.objects.open())
    return of_these.exclude(slot=Credential.Slot.CURRENT).select_related("registration__tenant").distinct()
