"""Verify: the step-by-step report on a registration. Microsoft is asked outside any transaction; saves are fenced.

What is saved is what was seen of the registration as it was read. Where somebody has changed it meanwhile, nothing of
that is taken over, and the report begins again with what stands there now.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from tenants.fault_points import maybe_crash
from tenants.holding import hold
from tenants.models import AppRegistration, Credential, Event

from . import application, configuration, consented, directories, in_entra, mails
from .errors import EntraRefused
from .graph import GraphClient
from .health import (
    BEFORE_ASKING,
    OF_THE_SECRET,
    NoAnswer,
    RegistrationToAsk,
    Verdict,
    incident_of,
)
from .in_entra import InEntra
from .kinds import DRIFT
from .listed_secrets import Matches, take_over
from .look import RegistrationLook
from .models import Link, Verification
from .models.verification import LEASE
from .report import (
    APPLICATION,
    CONFIGURATION,
    CONSENT,
    DIRECTORY,
    FAILED,
    OK,
    SIGN_IN,
    SKIPPED,
    WAITING,
    Step,
    failed,
    outcome_of,
    skipped,
    unanswered,
)
from .signals import Observation, looked, observed

logger = logging.getLogger(__name__)

SPREADS_FOR = timedelta(minutes=3)  # a new secret is not known everywhere at Microsoft before that
LOOK_AGAIN = timedelta(seconds=10)
MOST_TRIES = 5
NO_DIRECTORY_NEEDED = "It is not known, and nobody signs in there: personal accounts have a directory of Microsoft's."
UNTRIED = (
    "Personal accounts only: an application cannot sign in as itself there. The first consent proves the client secret."
)
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 30, 60))
LONGEST_PAUSE = timedelta(minutes=10)

Outcome = Verification.Outcome


class NotOurs(Exception):
    """The lease is somebody else's by now: nothing of this is saved."""


class Changed(Exception):
    """The registration or its secret is not what Microsoft was asked about."""


def run(verification: Verification) -> None:
    """Work on a claimed verification until it is finished, or has to wait for its `next_at`."""
    work = _Work(verification)
    try:
        _walk(work)
    except NotOurs:
        logger.warning("late result dropped", extra={"verification": verification.pk})
    except Changed:
        work.begin_again()


def _walk(work: "_Work") -> None:
    if work.verification.tries > MOST_TRIES:
        stopped = NoAnswer(why=f"It stopped {MOST_TRIES} times before it was done.", ours=True)
        return work.end_unanswered(CONFIGURATION, stopped)
    configured = configuration.look(work.registration, work.credential, timezone.now())
    work.add(configured.step)
    if configured.ask is None:
        return work.end(configured.verdict)
    work.show()
    if configured.ask.only_personal and not configured.ask.directory:
        work.add(Step(key=DIRECTORY, state=SKIPPED, seen=NO_DIRECTORY_NEEDED))
        return _sign_in(work, configured.ask, "")
    directory = directories.look(configured.ask.cloud, configured.ask.directory)
    if isinstance(directory, NoAnswer):
        return work.wait(DIRECTORY, directory)
    work.add(directory.step)
    if directory.step.state != OK:
        return work.end(_verdict_of(directory.refusal, configured.ask))
    work.show()
    maybe_crash("verify.directory")
    return _sign_in(work, configured.ask, directory.tid)


@sensitive_variables()
def _sign_in(work: "_Work", ask: RegistrationToAsk, tid: str) -> None:
    if ask.untried is not None:
        work.add(Step(key=SIGN_IN, state=SKIPPED, seen=UNTRIED))
        work.accept(ask.untried)
        application_unread = skipped([APPLICATION], "Only an application that signs in can read itself.")
        whole = [consented.passed_over(work.registration)] if work.is_whole else []
        return work.end(last=[*application_unread, *filter(None, whole)])
    look = RegistrationLook(ask)
    verdict = look.whole()
    if isinstance(verdict, NoAnswer):
        return work.wait(SIGN_IN, verdict)
    incident = verdict.incident
    if incident is not None:
        if incident.kind in OF_THE_SECRET and work.may_still_spread():
            return work.wait_for_spread(incident.evidence.get("codes", ()))
        work.add(failed(SIGN_IN, incident))
        return work.end(verdict)
    if look.token is None:
        work.add(failed(SIGN_IN, verdict.faults[0]))
        return work.end(verdict)
    work.add(Step(key=SIGN_IN, state=OK, seen=f"Microsoft takes the client secret {ask.hint}… in {ask.directory}."))
    work.accept(verdict)
    return _read(work, GraphClient(ask.cloud, look.token.value), tid)


def _read(work: "_Work", graph: GraphClient, tid: str) -> None:
    """What the application may read of itself. That it may not is no fault, and neither is it where nobody approved."""
    read = application.read(graph, work.registration)
    if isinstance(read, NoAnswer):
        return work.wait(APPLICATION, read)
    maybe_crash("verify.read")
    last = []
    if work.is_whole:
        step = consented.passed_over(work.registration) or consented.look(graph, work.registration, tid)
        if isinstance(step, NoAnswer):
            return work.wait(CONSENT, step)
        last = [step]
    if isinstance(read, Step):
        work.add(read)
        return work.end(last=last)
    return work.end(there=read, last=last)


def _has_another_end(credential: Credential, matches: Matches) -> bool:
    password = matches.found.get(credential.pk)
    return password is not None and password.ends_at != credential.ends_at


def _verdict_of(refusal: EntraRefused | None, ask: RegistrationToAsk) -> Verdict | None:
    if refusal is None or ask.untried is not None:  # by night nobody asks there, so nobody would take it back
        return None
    return Verdict(incident=incident_of(refusal, ask.name, ask.hint, ask.directory), ruled_out=BEFORE_ASKING)


@dataclass(frozen=True)
class _Asked:
    """What the answers are about."""

    cloud: str
    directory: str
    client_id: str
    audience: str
    is_archived: bool
    credential: Any
    slot: str

    @classmethod
    def of(cls, registration: AppRegistration, credential: Credential | None) -> "_Asked":
        return cls(
            registration.cloud,
            registration.directory,
            registration.client_id,
            registration.audience,
            registration.archived_at is not None,
            credential and credential.pk,
            credential.slot if credential else "",
        )


class _Work:
    """One verification in hand: its steps so far, and how they are saved."""

    def __init__(self, verification: Verification) -> None:
        self.verification = verification
        self.registration = verification.registration
        self.steps: list[Step] = []
        self.credential = self._credential_now()
        self._asked = _Asked.of(self.registration, self.credential)
        self._accepted: Verdict | None = None

    def _credential_now(self) -> Credential | None:
        chosen = self.verification.credential_id
        rows = Credential.objects.filter(registration=self.registration)
        return (rows.filter(pk=chosen) if chosen else rows.current()).first()

    @property
    def is_whole(self) -> bool:
        return self.verification.kind == Verification.Kind.WHOLE

    def add(self, step: Step) -> None:
        self.steps.append(step)

    # Saving

    def show(self) -> None:
        """Save what is known so far, for the page that somebody looks at, and hold the lease for another while."""
        self._save(lease_until=Now() + LEASE)

    def _save(self, steps: Iterable[Step] | None = None, **changes: Any) -> None:
        kept = [step.kept() for step in (self.steps if steps is None else steps)]
        own = Verification.objects.unfinished().filter(pk=self.verification.pk, lease_by=self.verification.lease_by)
        if not own.update(steps=kept, client_id=self.registration.client_id, **changes):
            raise NotOurs

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """A transaction in which the registration and the secret are still those that were asked about, and stay so."""
        with transaction.atomic():
            hold(Link.objects.filter(verifications=self.verification))
            rows = AppRegistration.objects.filter(pk=self.registration.pk).select_related("tenant")
            (self.registration,) = hold(rows)
            credential = self._credential_now()
            if _Asked.of(self.registration, credential) != self._asked:
                raise Changed
            yield

    def accept(self, verdict: Verdict) -> None:
        """The secret works, or can never be tried: from here on it is the current one."""
        with self._unchanged():
            self._save(lease_until=Now() + LEASE)
            credential = self.credential
            if credential is not None and credential.slot == Credential.Slot.NEXT:
                Credential.objects.promote(credential)
                Event.objects.record(
                    verb="new secret in use",
                    subject=self.registration,
                    tenant=self.registration.tenant,
                    actor=self.verification.asked_by,
                    changes={"client secret": "changed"},
                )
                self._asked = _Asked.of(self.registration, credential)
                if self.verification.link:
                    self.verification.link.use()
                    mails.tell_of_secret(self.verification.link, self.registration, credential.ends_at)
            self._tell(verdict)
            maybe_crash("verify.signing_in")
        self._accepted = verdict
        maybe_crash("verify.signed_in")

    def _tell(self, verdict: Verdict) -> None:
        """Of the current secret only: one that waits to be tried disturbs nothing when it is refused."""
        credential = self.credential
        if credential is None or credential.slot == Credential.Slot.CURRENT:
            looked.send(sender=AppRegistration, registration=self.registration, credential=credential, verdict=verdict)

    def end(self, verdict: Verdict | None = None, *, there: InEntra | None = None, last: Iterable[Step] = ()) -> None:
        """Finish, with the `last` steps; what is left to ask is passed over.

        The verdict is what is to be told of the registration. `there` is the application, where it was read.
        """
        with self._unchanged():
            if there is not None:
                self._take_over(there)
            self.steps += [*last]
            self._pass_over_the_rest()
            self._save(**self._over(), in_entra=there.kept() if there else {})
            self._come_back_tomorrow()
            if verdict is not None:
                self._tell(verdict)
            maybe_crash("verify.ending")
        maybe_crash("verify.ended")

    def _take_over(self, there: InEntra) -> None:
        registration, credential = self.registration, self.credential
        if credential is None:
            return
        matches = take_over(registration, there, credential, self.verification.asked_by)
        self.steps += application.parts(registration, credential, there, matches)
        if _has_another_end(credential, matches) and self._accepted is not None:
            self._tell(self._accepted)  # what is said of its end goes by the true one
        current = registration.credentials.current().first()
        drift = in_entra.look_at_drift(registration, in_entra.compare(registration, current, there))
        seen = Observation(registration, timezone.now(), (drift,) if drift else (), frozenset([DRIFT]))
        observed.send(sender=AppRegistration, observation=seen)

    def _pass_over_the_rest(self) -> None:
        told = {step.key for step in self.steps}
        every = (DIRECTORY, SIGN_IN, APPLICATION, *([CONSENT] if self.is_whole else []))
        left = [key for key in every if key not in told]
        self.steps += skipped(left, f"Not asked: “{self.steps[-1].label}” comes first.")

    def _over(self) -> dict[str, Any]:
        return {
            "outcome": outcome_of(self.steps),
            "finished_at": timezone.now(),
            "next_at": None,
            "lease_by": None,
            "lease_until": None,
        }

    def _come_back_tomorrow(self) -> None:
        """What could be read is read again every night. What only gave no answer today may give one then."""
        states = {step.key: step.state for step in self.steps}
        is_told = states.get(SIGN_IN) == OK and states.get(APPLICATION) in (OK, SKIPPED, FAILED)
        if is_told or self.verification.kind == Verification.Kind.SYNC:
            is_readable = states.get(APPLICATION) == OK or not is_told
            Verification.objects.sync_daily(self.verification, is_readable=is_readable)

    # Waiting

    def wait(self, key: str, silence: NoAnswer) -> None:
        """Microsoft gave no usable answer: ask again later, a few times."""
        if self.verification.tries >= MOST_TRIES:
            return self.end_unanswered(key, silence)
        own = PAUSES[min(self.verification.tries, len(PAUSES)) - 1]
        asked = timedelta(seconds=silence.retry_after or 0)
        step = unanswered(key, silence, is_tried_again=True)
        return self._put_off([*self.steps, step], min(max(own, asked), LONGEST_PAUSE))

    def end_unanswered(self, key: str, silence: NoAnswer) -> None:
        """Nothing is known, so nothing changes."""
        self.add(unanswered(key, silence, is_tried_again=False))
        self.end()

    def may_still_spread(self) -> bool:
        return self.credential is not None and timezone.now() - self.credential.created_at < SPREADS_FOR

    def wait_for_spread(self, codes: Iterable[int]) -> None:
        seen = "Microsoft does not know it yet; trying again. A new client secret takes up to a few minutes to spread."
        step = Step(key=SIGN_IN, state=WAITING, seen=seen, actor="nobody", codes=tuple(codes))
        self._put_off([*self.steps, step], LOOK_AGAIN, tries=0)

    def _put_off(self, steps: list[Step], pause: timedelta, **changes: Any) -> None:
        self.verification.next_at = timezone.now() + pause
        self._save(steps, next_at=self.verification.next_at, lease_by=None, lease_until=None, **changes)

    def begin_again(self) -> None:
        """At once, with the registration as it is now. It counts as a try, so this has an end."""
        try:
            if self.verification.tries >= MOST_TRIES:
                silence = NoAnswer(why="The registration was changed while Microsoft was asked, several times.")
                self.steps = [unanswered(DIRECTORY, silence, is_tried_again=False)]
                self._pass_over_the_rest()
                with transaction.atomic():
                    self._save(**self._over())
                    self._come_back_tomorrow()
            else:
                self._put_off([], timedelta(0))
        except NotOurs:
            logger.warning("late result dropped", extra={"verification": self.verification.pk})
