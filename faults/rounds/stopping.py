"""Workers told to stop in the middle of a sweep, as `make run`'s Ctrl-C and a deployment do."""

import signal
import subprocess
import time
from contextlib import suppress

from faults import facts, leases
from faults.night import Clockwork, begin, dismiss, finish, hands, release
from faults.processes import wait_until
from faults.site import Site, Worker
from faults.sizes import Sizes
from faults.table import Facts, Table
from faults.world import populate

PATIENCE = 60  # seconds until they are at the connections
STOPS_WITHIN = 45.0  # seconds: CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT, and what a worker needs to end after that


def run(site: Site, table: Table, sizes: Sizes) -> None:
    for pool in ("prefork",) if sizes.is_short else ("prefork", "threads"):
        world = populate(sizes.small * 5, gone=0.05)
        (worker,) = hands(site, pool)
        sweep = begin(site, seconds=sizes.answer_after)
        site.ring("work_on_sweep", sweep.pk)
        wait_until(lambda: leases.holds_connections(worker.name), PATIENCE, "The first connections are claimed")  # noqa: B023
        dead = leases.backends_of(worker.name)
        took = _stop(worker)
        site.microsoft.answers()
        crew = hands(site, "threads")
        finish(site, sweep, sizes.patience, Clockwork(dead=dead))
        report = site.microsoft.report()
        slow = Facts(f"it ends within {STOPS_WITHIN:.0f} s", {"not ended in time": int(took is None)})
        done = (facts.of_sweep(sweep, world, report), facts.of_tokens(world, report), facts.of_alerts(world))
        table.judge(f"a worker is told to stop, {pool}", slow, *done, note=f"{took or STOPS_WITHIN:.0f} s")
        dismiss([worker])
        release(site, crew)


def _stop(worker: Worker) -> float | None:
    """How long it took to end; None if it did not."""
    begun = time.monotonic()
    worker.process.ask(signal.SIGQUIT)
    with suppress(subprocess.TimeoutExpired):
        worker.process.wait(STOPS_WITHIN)
        return time.monotonic() - begun
    return None
