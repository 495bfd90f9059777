"""What the answering side remembers of who asked, so that a round can be judged by somebody else than the product."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

TOKEN = "not-a-real-token"  # noqa: S105  every token here says so itself
PADDING = "x" * 900  # about as long as a real one
ON_THE_WAY = 0.25  # seconds: what was sent before the answer that said "wait" was read is nobody's fault


def token_of(lineage: str, generation: int) -> str:
    return f"{TOKEN}.{lineage}.{generation}.{PADDING}"


def read_token(token: str) -> tuple[str, int] | None:
    """Lineage and generation, or None where this is no token of ours."""
    parts = token.split(".")
    if len(parts) != 4 or parts[0] != TOKEN or parts[3] != PADDING or not parts[2].isdecimal():
        return None
    return parts[1], int(parts[2])


@dataclass
class Lineage:
    """All refresh tokens of one connection, from the first on."""

    newest: int = 0
    calls: int = 0
    refused: int = 0
    in_flight: int = 0
    overlapping: int = 0


@dataclass
class Ledger:
    """Counts requests by lineage and by registration and directory.

    `strict`: a refresh token works once. Otherwise old ones stay valid, as Entra's do.
    """

    strict: bool = False
    lineages: dict[str, Lineage] = field(default_factory=dict)
    sign_ins: Counter[str] = field(default_factory=Counter)
    closed: dict[str, tuple[float, float]] = field(default_factory=dict)
    early: int = 0
    throttled: int = 0
    requests: int = 0

    def arrives(self, place: str, token: str | None, now: float) -> str | None:
        """A request is here: its lineage, if it refreshes one. `place` is its registration and directory."""
        self.requests += 1
        since, until = self.closed.get(place, (0.0, 0.0))
        self.early += since + ON_THE_WAY < now < until
        read = read_token(token) if token else None
        if read is None:
            self.sign_ins[place] += token is None
            return None
        lineage = self.lineages.setdefault(read[0], Lineage())
        lineage.calls += 1
        lineage.overlapping += lineage.in_flight > 0
        lineage.in_flight += 1
        return read[0]

    def leaves(self, lineage: str | None) -> None:
        """The answer is out, or whoever asked is gone."""
        if lineage is not None:
            self.lineages[lineage].in_flight -= 1

    def close(self, place: str, now: float, seconds: float) -> None:
        """Say "wait" to this registration and directory."""
        self.throttled += 1
        since, until = self.closed.get(place, (now, now))
        # One that is closed already was told so by the first answer; what was on its way then is no news.
        self.closed[place] = (since, max(until, now + seconds)) if now < until else (now, now + seconds)

    def redeem(self, token: str) -> str | None:
        """The token that replaces this one, or None where it is not accepted."""
        read = read_token(token)
        if read is None:
            return None
        name, generation = read
        lineage = self.lineages.setdefault(name, Lineage())
        known = generation == lineage.newest if self.strict else generation <= lineage.newest
        if not known or name.startswith("dead"):
            lineage.refused += 1
            return None
        lineage.newest += 1
        return token_of(name, lineage.newest)

    def report(self) -> dict[str, Any]:
        return {
            "lineages": {name: asdict(lineage) for name, lineage in self.lineages.items()},
            "sign_ins": dict(self.sign_ins),
            "early": self.early,
            "throttled": self.throttled,
            "requests": self.requests,
        }
