"""Question: one request to the token endpoint, in steps that different threads may take."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from django.views.decorators.debug import sensitive_variables

from .errors import EntraError, EntraUnreachable
from .exchange import Exchange, Request, refusal, token_in
from .http import Answer

Answered = TypeVar("Answered")


class Question(Generic[Answered]):
    """What MSAL wants sent, and what its answer means.

    `judge` makes of a raw answer that is known to hold an access token what `answer()` returns. A refusal is a verdict
    on the grant only where the question `judges_grant`.
    """

    def __init__(
        self,
        exchange: Exchange,
        request: Request,
        judge: Callable[[Mapping[str, Any]], Answered],
        *,
        judges_grant: bool = False,
    ) -> None:
        self._exchange = exchange
        self._request = request
        self._judge = judge
        self._judges_grant = judges_grant
        self._came: tuple[Answer, dict[str, Any]] | EntraError = EntraUnreachable("Microsoft was not asked.")

    @sensitive_variables()
    def wait(self) -> None:
        """Send it and wait for the answer: the only step that does. Raises nothing; `answer()` tells what came."""
        try:
            self._came = self._exchange.send(self._request)
        except EntraError as problem:
            self._came = problem.with_traceback(None)  # whose frames hold secrets, and this object

    @property
    def is_granted(self) -> bool:
        """Once it has been waited for: did Microsoft say yes?"""
        return not isinstance(self._came, EntraError) and self._came[0].status_code == 200

    @sensitive_variables()
    def answer(self) -> Answered:
        """What the answer comes to. Raises EntraRefused, EntraUnreachable and AnswerRejected."""
        if isinstance(self._came, EntraError):
            raise self._came
        response, got = self._came
        if response.status_code != 200 or "error" in got:
            after = response.retry_after
            raise refusal(response.status_code, got, judges_grant=self._judges_grant, retry_after=after)
        if not token_in(got, "access_token"):
            raise EntraUnreachable("Microsoft's answer holds no access token.")
        return self._judge(got)

    def ask(self) -> Answered:
        """Both: for whoever has nothing else to do meanwhile."""
        self.wait()
        return self.answer()
