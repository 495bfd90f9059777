"""What monitoring listens to, each sent inside the transaction that saves it.

`observed`: what was seen of one subject. `looked`: a registration's own sign-in was tried outside a sweep.
`disconnected`: connections were ended on purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.dispatch import Signal


@dataclass(frozen=True)
class CloudSeen:
    """A whole cloud as what something was seen of."""

    key: str


@dataclass(frozen=True)
class WatchSeen:
    """The night's check itself as what something was seen of; `part` is a word of Finding's."""

    part: str


@dataclass(frozen=True)
class Seen:
    """One fault seen of a subject. Sentences are for the operator; `evidence` is codes and trace IDs, never secrets.

    `inhibits`, of a registration or its credential: while it lasts, connections are not asked and theirs not announced.
    `is_coming`: nothing is broken yet, so it is told in the daily digest. A higher `step` is worse.
    """

    kind: str
    actor: str
    what: str
    remedy: str
    severity: str = "critical"
    step: int = 1
    inhibits: bool = False
    is_coming: bool = False
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """A look at one subject: the faults seen, and which kinds this look was able to rule out.

    A kind of `ruled_out` that is not among the faults is over; kinds outside it stay as they were. None rules out every
    kind that is not seen.
    """

    subject: Model | CloudSeen | WatchSeen
    at: datetime
    faults: tuple[Seen, ...] = ()
    ruled_out: frozenset[str] | None = None  # None: all kinds


observed = Signal()  # sender: the subject's class; observation=Observation
looked = Signal()  # sender: AppRegistration; registration, credential=its current one, verdict=health.Verdict
disconnected = Signal()  # sender: Connection; connections=list[Connection]
