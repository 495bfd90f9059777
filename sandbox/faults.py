"""What the sandbox can be told to do wrong, and to whom."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.graph_errors import GRAPH_ERRORS

# word -> what an operator reads on the control page
WORDS: dict[str, str] = {
    "down": "is down (503)",
    "throttled": "throttles (429, come back in 60 seconds)",
    "slow": "answers slowly",
    "html": "answers with a web page instead of JSON",
    "empty": "answers with an empty JSON object",
    "garbage": "answers with JSON that breaks off",
    "drop": "closes the line without an answer",
}
CANCEL = {"cancel": "sends people back from the sign-in pages with a bare cancel"}
CHANGES: dict[str, str] = {
    "id_token": "puts something else into the id_token",
    "answer": "puts something else into a token answer",
    "partial": "grants less than was asked for",
}
# Where a fault may strike: a grant type of the token endpoint, or a door of its own.
DOORS = ("discovery", "authorize", "graph")
PLACES = ("authorization_code", "refresh_token", "client_credentials", *DOORS)


@dataclass
class Fault:
    """One thing that goes wrong, for the requests that match; unset fields match every token request."""

    what: int | str
    client_id: str | None = None
    oid: str | None = None
    directory: str | None = None
    grant_type: str | None = None
    seconds: float = 5.0  # how slow is slow
    times: int | None = None  # strikes this often, then it is gone; None is until cleared
    change: dict[str, Any] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    missing: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def strikes(self, *, place: str, client_id: str, oid: str, directory: str) -> bool:
        # The doors beside the token endpoint only fail when a fault names them.
        if place in DOORS and self.grant_type != place:
            return False
        wanted = (
            (self.grant_type, place),
            (self.client_id, client_id),
            (self.oid, oid),
            (self.directory, directory),
        )
        return all(mine is None or mine == theirs for mine, theirs in wanted)

    def alter(self, body: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in body.items() if name not in self.remove}
        return {**kept, **self.change}

    @property
    def kind(self) -> str:
        """What it does to an answer: stand in its place (instead), delay it (slow) or change it (id_token, answer)."""
        if isinstance(self.what, int) or (self.what in {**WORDS, **CANCEL, **GRAPH_ERRORS} and self.what != "slow"):
            return "instead"
        return self.what

    @property
    def sentence(self) -> str:
        if isinstance(self.what, int):
            return f"refuses with AADSTS{self.what}"
        if self.what in GRAPH_ERRORS:
            return f"answers {self.what} ({GRAPH_ERRORS[self.what][0]})"
        if self.what == "id_token" and self.missing:
            return "leaves the id_token out"
        if self.what == "partial":
            return f"grants less than was asked for (not {', '.join(self.remove)})"
        return {**WORDS, **CANCEL, **CHANGES}[self.what]


def first(faults: Iterable[Fault], kind: str, **request: str) -> Fault | None:
    """The first fault of a kind that strikes this request."""
    return next((fault for fault in faults if fault.kind == kind and fault.strikes(**request)), None)
