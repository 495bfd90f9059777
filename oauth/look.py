"""Looks: asking Microsoft about one registration or one connection, in steps, without a database."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from .entra import AppToken, Grant
from .errors import EntraError, EntraRefused, EntraUnreachable
from .health import (
    BEFORE_ASKING,
    RULED_OUT_BY_SIGN_IN,
    ConnectionToAsk,
    NoAnswer,
    RegistrationToAsk,
    Verdict,
    incident_of,
    seen_of,
)
from .kinds import OTHER_ACCOUNT, OURS_BY_KIND
from .models import Connection
from .question import Question

Asked = TypeVar("Asked", RegistrationToAsk, ConnectionToAsk)
Answered = TypeVar("Answered")


class Look(ABC, Generic[Asked, Answered]):
    """To make one is to make the question, `wait()` asks it, in any thread, and `outcome()` tells what came of it.

    Where the cloud is built in, only `wait()` waits for the network; of another, MSAL reads the discovery at first.
    """

    @sensitive_variables()
    def __init__(self, ask: Asked) -> None:
        self._ask: Asked = ask
        self._made: Question[Answered] | Verdict | NoAnswer
        try:
            self._made = self._make()
        except EntraError as problem:
            self._made = self._failed(problem)

    def wait(self) -> None:
        if isinstance(self._made, Question):
            self._made.wait()

    @property
    def is_granted(self) -> bool:
        """Once it has been waited for: did Microsoft say yes? Then there is no hurry to judge its answer."""
        return isinstance(self._made, Question) and self._made.is_granted

    @sensitive_variables()
    def outcome(self) -> Verdict | NoAnswer:
        if not isinstance(self._made, Question):
            return self._made
        try:
            return self._answered(self._made.answer())
        except EntraError as problem:
            return self._failed(problem)

    def whole(self) -> Verdict | NoAnswer:
        """All steps, for whoever has nothing else to do meanwhile."""
        self.wait()
        return self.outcome()

    def _failed(self, problem: EntraError) -> Verdict | NoAnswer:
        if isinstance(problem, EntraRefused):
            return self._refused(problem)
        if isinstance(problem, EntraUnreachable):
            return NoAnswer.of(problem)
        return NoAnswer(why=str(problem))

    @abstractmethod
    def _make(self) -> Question[Answered] | Verdict:
        """What to ask, or what is known without asking."""

    @abstractmethod
    def _answered(self, answer: Answered) -> Verdict: ...

    @abstractmethod
    def _refused(self, refusal: EntraRefused) -> Verdict | NoAnswer: ...


class RegistrationLook(Look[RegistrationToAsk, AppToken]):
    """Signs in as the registration, anew, in its own directory, where it can. `token` is for whoever asks on."""

    token: AppToken | None = None

    @sensitive_variables()
    def _make(self) -> Question[AppToken] | Verdict:
        ask = self._ask
        return ask.untried or ask.client(ask.directory).app_token_question()

    def _answered(self, answer: AppToken) -> Verdict:
        self.token = answer
        return Verdict(ruled_out=RULED_OUT_BY_SIGN_IN)

    def _refused(self, refusal: EntraRefused) -> Verdict:
        incident = incident_of(refusal, self._ask.name, self._ask.hint, self._ask.directory)
        return Verdict(incident=incident, ruled_out=BEFORE_ASKING)


class ConnectionLook(Look[ConnectionToAsk, Grant]):
    """Refreshes the connection's token, in the account's directory, with the scopes it was granted."""

    @sensitive_variables()
    def _make(self) -> Question[Grant]:
        ask = self._ask
        return ask.registration.client(str(ask.tid)).refresh_question(ask.refresh_token, ask.scopes)

    @sensitive_variables()
    def _answered(self, answer: Grant) -> Verdict:
        who = answer.identity
        if who is not None and (UUID(who.tid), UUID(who.oid)) != (self._ask.tid, self._ask.oid):
            return Verdict(faults=(OURS_BY_KIND[OTHER_ACCOUNT].seen(),), is_checked=False)
        return Verdict(ruled_out=None, status=Connection.TokenStatus.ACTIVE, grant=answer)

    def _refused(self, refusal: EntraRefused) -> Verdict | NoAnswer:
        app, fault = self._ask.registration, refusal.fault
        if fault.scope == "registration" and refusal.error == "invalid_client":
            # What else is wrong with the registration may be so in this directory only; this its own sign-in meets too.
            # If it does not, the secret is still spreading at Microsoft, or one directory has a trouble of its own.
            if app.untried is None:
                why = "Microsoft refused the registration's client secret here, though its own sign-in works."
                return NoAnswer(why=why, doubts_registration=True)
            return Verdict(incident=incident_of(refusal, app.name, app.hint), is_checked=False)
        if fault.scope != "connection":
            return Verdict(faults=(seen_of(refusal),), ruled_out=BEFORE_ASKING, is_checked=False)
        return Verdict(
            faults=(seen_of(refusal),),
            ruled_out=BEFORE_ASKING,
            status=fault.verdict,
            blocked=fault.kind if fault.blocked else "",
        )


def look_at(ask: RegistrationToAsk | ConnectionToAsk) -> Look[Any, Any]:
    """A look at whichever it is."""
    return RegistrationLook(ask) if isinstance(ask, RegistrationToAsk) else ConnectionLook(ask)
