"""PostgreSQL stopped at once, and started again, during a sweep."""

import time

from django.db import connection

from faults import facts, leases
from faults.night import Clockwork, begin, deliver, dismiss, finish, hands
from faults.processes import wait_until
from faults.site import Site, Worker
from faults.sizes import Sizes
from faults.table import Table
from faults.world import populate
from monitoring.models import Sweep

WORKS_WITHIN = 90
STILL_LOOKING = 20  # seconds: a worker that lives on may be at its batch for so long


def run(site: Site, table: Table, sizes: Sizes) -> None:
    world = populate(sizes.small * 5, refused=0.1, gone=0.05)
    crew = hands(site, "prefork", "threads")
    sweep = begin(site, seconds=0.7)
    cuts = 0
    for _ in range(sizes.restarts):
        wait_until(lambda: _is_at_work(site, sweep, crew), WORKS_WITHIN, "Work goes on")
        time.sleep(1)
        connection.close()
        site.postgres.stop_at_once()
        time.sleep(2)  # in which workers meet a database that is not there
        site.postgres.start()
        wait_until(site.is_awake, 30, "PostgreSQL is back")
        cuts += 1
    site.microsoft.answers()
    clockwork = Clockwork(abandoned=STILL_LOOKING)
    seconds = finish(site, sweep, sizes.patience, clockwork)
    deliver(site, sizes.patience, clockwork)
    report = site.microsoft.report()
    done = (facts.of_sweep(sweep, world, report), facts.of_tokens(world, report))
    told = (facts.of_alerts(world), facts.of_mail(site.mail.accepted))
    table.judge(f"PostgreSQL stopped at once {cuts} times", *done, *told, note=f"done {seconds:.0f} s after the last")
    dismiss(crew)


def _is_at_work(site: Site, sweep: Sweep, crew: list[Worker]) -> bool:
    """Does somebody hold connections that nobody held when the database went away the last time?"""
    leases.lapse(older_than=STILL_LOOKING)
    for _ in crew:
        site.ring("work_on_sweep", sweep.pk)
    time.sleep(0.3)
    return any(leases.is_at_work(worker.name) for worker in crew)
