"""A sweep at work: claim a batch by lease, look at Microsoft outside any transaction, save in one that is fenced.

One worker has several hundred rows in hand: while Microsoft is asked about some, the next are claimed and the last are
saved, so that neither the network nor the database is waited for.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Self

from django.conf import settings
from django.utils import timezone

from oauth.health import NoAnswer, Verdict
from tenants.fault_points import maybe_crash
from tenants.models import AppRegistration

from . import claims
from .claims import has_work, is_held, registration_of
from .closing import close
from .looks import Crew, Looked
from .models import Sweep
from .outages import Breaker
from .pacing import Pace
from .process import set_to_sweep
from .saves import save

__all__ = ["has_work", "is_held", "work"]

SAVE = 250  # results that are saved at once, or as many as there are after
SAVE_WITHIN = 0.5  # seconds
WAIT = timedelta(seconds=2)  # for what may be asked again that soon, a worker waits
LAST_ANSWERS = 10.0  # seconds that a worker that is told to stop waits for what it has asked


def work(sweep_id: int, *, seconds: float = float("inf")) -> Iterator[int]:
    """Work on a sweep until nothing is left to claim or the time is up; yields how many rows were saved each time.

    Closes the sweep when nothing is left before it at all. Whatever ends it, answers that have come are saved, and what
    was not asked goes back.
    """
    sweep, until = Sweep.objects.running().filter(pk=sweep_id).first(), time.monotonic() + seconds
    if sweep is None:
        return
    with set_to_sweep(), Turn(sweep) as turn:
        while (is_on := time.monotonic() < until) or turn.in_air:
            if is_on and turn.has_room and turn.claim():
                continue
            if turn.in_air:
                yield turn.save()
            elif is_on and not turn.wait():
                close(sweep)
                return


class Turn:
    """One worker's turn at a sweep. Left by an error or a signal, it saves what it has and gives back the rest."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._breaker = Breaker()
        self._pace = Pace(settings.CHECKS_PER_SECOND)
        self._crew = Crew(self._breaker, self._pace)
        self._claim_after = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crew.stop()
        until = time.monotonic() + LAST_ANSWERS
        try:
            while self.in_air and time.monotonic() < until:
                self.save()
        finally:
            self._crew.close()

    @property
    def in_air(self) -> int:
        return self._crew.in_air

    @property
    def has_room(self) -> bool:
        return self.in_air < claims.BATCH + settings.CHECKS_IN_FLIGHT and time.monotonic() >= self._claim_after

    def claim(self) -> bool:
        self._crew.prepare()
        self._breaker.refresh()
        batch = claims.claim(self._sweep, has_others=self.in_air > 0)
        if batch is None or self._pace.has_sent_back:  # what was sent back comes in drops; gather some
            self._claim_after = time.monotonic() + (SAVE_WITHIN if self.in_air else 0)
        if batch is None:
            return False
        self._crew.begin(batch)
        return True

    def save(self) -> int:
        """Save some of what is done; how many rows that were."""
        until = time.monotonic() + SAVE_WITHIN
        looks: list[Looked] = []
        while self.in_air and len(looks) < SAVE and (left := until - time.monotonic()) > 0:
            some = self._crew.collect(SAVE - len(looks), left)
            self._tell_breaker(some)
            looks += some
        if looks:
            self._crew.prepare()
            maybe_crash("sweep.looked")
            down = self._breaker.down
            counted = [_uncounted(one) if registration_of(one.result.row).cloud in down else one for one in looks]
            save(self._sweep, counted, down)
            self._claim_after = 0.0
        return len(looks)

    def wait(self) -> bool:
        """Wait for what may be looked at soon; False if there is nothing of the kind."""
        due = claims.next_due(self._sweep)
        if due is None or due > timezone.now() + WAIT:  # what has come due since it was last claimed is soon, too
            return False
        time.sleep(min(max((due - timezone.now()).total_seconds(), SAVE_WITHIN), WAIT.total_seconds()))
        return True

    def _tell_breaker(self, looks: Sequence[Looked]) -> None:
        for looked in looks:
            row, outcome = looked.result.row, looked.result.outcome
            cloud = registration_of(row).cloud
            if not looked.was_asked or (isinstance(outcome, NoAnswer) and (outcome.throttled or outcome.ours)):
                continue
            if isinstance(outcome, Verdict) or (isinstance(outcome, NoAnswer) and outcome.doubts_registration):
                self._breaker.answered(cloud)
            elif isinstance(outcome, NoAnswer):
                is_sign_in, is_probe = isinstance(row, AppRegistration), looked.batch.is_probe
                subject = (type(row), row.pk)
                self._breaker.unanswered(cloud, subject, outcome.why, is_sign_in=is_sign_in, is_probe=is_probe)


def _uncounted(looked: Looked) -> Looked:
    """Of a cloud that is down: no try counts."""
    outcome = looked.result.outcome
    if looked.was_asked and isinstance(outcome, NoAnswer) and not outcome.throttled:
        return replace(looked, result=replace(looked.result, outcome=None))
    return looked
