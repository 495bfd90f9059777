"""How large a run is: the whole, or the round for every change."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    connections: int
    kills: int
    sender_kills: int
    answer_after: float  # seconds the answering side takes while workers are killed
    small: int  # connections of the rounds in which number proves nothing
    baseline: int  # tasks of the plain Celery design
    restarts: int  # of PostgreSQL
    patience: float  # seconds until what did not end is called lost
    is_short: bool = False


FULL = Sizes(20_000, 50, 6, 2.0, 400, 3000, 3, 240)
SHORT = Sizes(1_000, 3, 1, 2.0, 60, 0, 1, 40, is_short=True)
