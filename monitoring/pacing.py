"""Pacing: how many requests a second one registration may make in one directory, and where Microsoft said to wait.

Of one worker's turn: several workers do not count each other's requests. Nothing here waits: what may not begin yet is
told when to come back.
"""

from datetime import UTC, datetime

Door = tuple[int, str]  # a registration's key and a directory


class Pace:
    """Threads may close a door and see whether it is; only the worker's own thread admits."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._buckets: dict[Door, tuple[float, float]] = {}
        self._promised: dict[Door, float] = {}
        self._closed: dict[Door, datetime] = {}

    @property
    def has_sent_back(self) -> bool:
        return bool(self._promised)

    def admit(self, door: Door, now: datetime) -> datetime | None:
        """None for one request now, or when to come again. Up to a second's worth may go at once."""
        at = now.timestamp()
        most = max(self._per_second, 1.0)
        left, since = self._buckets.get(door, (most, at))
        left = min(left + (at - since) * self._per_second, most)
        if left >= 1:
            self._buckets[door] = (left - 1, at)
            return None
        self._buckets[door] = (left, at)
        # One after the other, so that those sent back do not all come again at once.
        self._promised[door] = max(self._promised.get(door, at), at) + 1 / self._per_second
        return datetime.fromtimestamp(self._promised[door], UTC)

    def close(self, door: Door, until: datetime) -> None:
        """Microsoft asked to wait: nobody goes through before that."""
        self._closed[door] = max(until, self._closed.get(door, until))

    def closed_until(self, door: Door, now: datetime) -> datetime | None:
        until = self._closed.get(door)
        return until if until is not None and until > now else None
