"""What rounds have in common: a night begins, workers work on it, and in the end everything is done and told."""

import os
import random
import signal
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.utils import timezone

from faults import leases
from faults.site import Site, Worker, freeze, thaw
from monitoring.models import Sweep
from monitoring.schedule import night_due

QUIET = 1.0  # seconds in which nobody asks the database anything
BEAT = 1.0  # seconds between two rings of the reconciler; beat takes a minute


def prepare(site: Site, **manner: Any) -> None:
    """Nothing is left of the nights before: neither bells nor mail nor what was asked."""
    site.silence()
    site.mail.forget()
    site.microsoft.forget()
    site.microsoft.answers(**manner)


def begin(site: Site, **manner: Any) -> Sweep:
    """The night's sweep."""
    prepare(site, **manner)
    return Sweep.objects.start_nightly(night_due(timezone.now()))


def hands(site: Site, *pools: str) -> list[Worker]:
    """Workers that are ready, one for each pool named, and no others; those a round has released serve again."""
    site.silence()  # or they would hear what was rung for the round before
    crew = []
    for pool in pools:
        released = [worker for worker in site.idle if worker.pool == pool and worker.process.ended is None]
        if released:
            site.idle.remove(released[0])
        crew.append(released[0] if released else site.worker(pool=pool))
    dismiss(site.idle)
    site.idle.clear()
    site.wait_for(*(worker.process for worker in crew))
    return crew


def release(site: Site, crew: Iterable[Worker]) -> None:
    """For the next round, unless they still hold something of this one, and once they are done with its last bells.

    A reconciler that is still at it would begin a night in the next round's world before that is complete.
    """
    for worker in crew:
        if leases.holds_anything(worker.name):
            worker.process.kill()
        else:
            site.idle.append(worker)
    site.silence()
    names, until = [worker.name for worker in site.idle], time.monotonic() + QUIET
    while time.monotonic() < until:
        if leases.is_busy(names):
            until = time.monotonic() + QUIET
        time.sleep(0.02)


def dismiss(crew: Iterable[Worker]) -> None:
    for worker in crew:
        worker.process.kill()


@dataclass(frozen=True)
class Clockwork:
    """What stands in for the passing of time while a round waits.

    `dead` backends' leases lapse; so do those older than `abandoned` seconds, where workers live on that lost theirs.
    `hurry`: pauses between tries are over. `bells`: whose bells are rung.
    """

    dead: Collection[int] = ()
    abandoned: float | None = None
    hurry: bool = False
    bells: int = 0

    def turn(self, site: Site) -> None:
        leases.lapse(self.dead, older_than=self.abandoned)
        if self.hurry:
            leases.forward()
        site.ring("reconcile", bells=self.bells)


def finish(site: Site, sweep: Sweep, seconds: float, clockwork: Clockwork = Clockwork()) -> float:
    """Ring as beat would until the sweep is over, or the time is up and the facts will say so; how long that took."""
    begun = time.monotonic()
    while sweep.finished_at is None and time.monotonic() - begun < seconds:
        clockwork.turn(site)
        _wait(lambda: sweep.finished_at is not None, sweep)
    return time.monotonic() - begun


def deliver(site: Site, seconds: float, clockwork: Clockwork = Clockwork()) -> None:
    """Let every message go out that waits for its time."""
    deadline = time.monotonic() + seconds
    while leases.waiting() and time.monotonic() < deadline:
        replace(clockwork, hurry=True).turn(site)
        _wait(lambda: not leases.waiting())


def _wait(over: Callable[[], bool], sweep: Sweep | None = None) -> None:
    until = time.monotonic() + BEAT
    while not over() and time.monotonic() < until:
        time.sleep(0.1)
        if sweep:
            sweep.refresh_from_db()


class Killer:
    """Kills workers in the middle of their work, and puts others in their place.

    A kill counts only if `holds` said yes of the worker after it was frozen.
    """

    def __init__(self, crew: list[Worker], holds: Callable[[str], bool], replace: Callable[[str], Worker]) -> None:
        self._holds = holds
        self._replace = replace
        self.crew = crew
        self.kills = 0
        self.dead: set[int] = set()

    def kill_one(self, seconds: float) -> bool:
        """Kill whoever holds something; False if nobody did for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            worker = random.choice(self.crew)
            if self._holds(worker.name):
                time.sleep(random.uniform(0, 0.5))
                if self._kill(worker):
                    return True
            time.sleep(0.02)
        return False

    def _kill(self, worker: Worker) -> bool:
        children = worker.process.children()
        pids = [worker.process.pid, *children]
        freeze(*pids)
        if not self._holds(worker.name):
            thaw(*pids)
            return False
        self.dead |= leases.backends_of(worker.name)
        self.kills += 1
        if children and self.kills % 6:  # the children of a pool, under their parent; else all of a worker
            for child in children:
                os.kill(child, signal.SIGKILL)
            thaw(worker.process.pid)
        else:
            worker.process.kill()
            self.crew.remove(worker)
            self.crew.append(self._replace(worker.pool))
        return True
