"""What rounds have in common: a night begins, workers work on it, and in the end everything is done and told."""

import os
import random
import signal
import time
from collections.abc import Iterable

from django.utils import timezone

from faults import leases
from faults.site import Site, Worker, freeze, thaw
from monitoring.models import Delivery, Sweep
from monitoring.sweep import night_due

BEAT = 2.0  # seconds between two rings of the reconciler; beat takes a minute


def begin(site: Site, **manner: object) -> Sweep:
    """The night's sweep, and nothing of the nights before: neither bells nor mail nor what was asked."""
    site.silence()
    site.mail.forget()
    site.microsoft.forget()
    site.microsoft.answers(**manner)
    return Sweep.objects.start_nightly(night_due(timezone.now()))


def hands(site: Site, *pools: str, **more: str) -> list[Worker]:
    """Workers that are ready, one for each pool named."""
    crew = [site.worker(pool=pool, **more) for pool in pools]
    site.wait_for(*(worker.process for worker in crew))
    return crew


def dismiss(crew: Iterable[Worker]) -> None:
    for worker in crew:
        worker.process.kill()


def finish(site: Site, sweep: Sweep, seconds: float, *, dead: Iterable[int] = (), hurry: bool = False) -> float:
    """Ring as beat would until the sweep is over; how long that took. `hurry`: its pauses between tries are over."""
    begun, rung = time.monotonic(), 0.0
    while sweep.finished_at is None:
        if time.monotonic() - begun > seconds:
            break  # the facts will say what is missing
        if time.monotonic() - rung > BEAT:
            rung = time.monotonic()
            leases.lapse(set(dead))
            if hurry:
                leases.forward()
            site.ring("reconcile")
        time.sleep(0.1)
        sweep.refresh_from_db()
    return time.monotonic() - begun


def deliver(site: Site, seconds: float, *, dead: Iterable[int] = ()) -> None:
    """Let every message go out that waits for its time."""
    deadline, rung = time.monotonic() + seconds, 0.0
    while Delivery.objects.filter(state=Delivery.State.WAITING).exists() and time.monotonic() < deadline:
        if time.monotonic() - rung > BEAT:
            rung = time.monotonic()
            leases.lapse(set(dead))
            leases.forward()
            site.ring("reconcile")
        time.sleep(0.1)


class Killer:
    """Kills workers in the middle of their work, and puts others in their place.

    A kill counts only if its worker held a lease when it was frozen. Whoever holds a row for the third time is spared:
    a row that ends three workers is set aside as poison, and that is another round's subject.
    """

    def __init__(self, site: Site, crew: list[Worker], *, table: str, spare_after: int = 2) -> None:
        self._site = site
        self._table = table
        self._spare_after = spare_after
        self.crew = crew
        self.kills = 0
        self.dead: set[int] = set()

    def kill_one(self, seconds: float) -> bool:
        """Kill whoever holds something; False if nobody did for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            worker = random.choice(self.crew)
            if leases.held_by(worker.name, self._table)[0]:
                time.sleep(random.uniform(0, 0.5))
                if self._kill(worker):
                    return True
            time.sleep(0.02)
        return False

    def _kill(self, worker: Worker) -> bool:
        # Every second time the one child of a prefork pool, under its parent; else the whole worker.
        children = worker.process.children() if self.kills % 2 else []
        pids = [worker.process.pid, *worker.process.children()]
        freeze(*pids)
        held, most = leases.held_by(worker.name, self._table)
        if not held or most > self._spare_after:
            thaw(*pids)
            return False
        self.dead |= leases.backends_of(worker.name)
        self.kills += 1
        if children:
            os.kill(children[0], signal.SIGKILL)
            thaw(*pids)
        else:
            worker.process.kill()
            self.crew.remove(worker)
            self.crew.append(self._site.worker(pool=worker.pool))
        return True

