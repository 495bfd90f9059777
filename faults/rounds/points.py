"""A kill at every named fault point, and a worker that finds what it left."""

import re
import time
from datetime import timedelta

from faults import facts, leases
from faults.night import begin, deliver, dismiss, finish, hands
from faults.processes import ROOT
from faults.site import Site
from faults.sizes import Sizes
from faults.table import Table
from faults.world import populate
from monitoring.models import Sweep

NAMED = re.compile(r"""maybe_crash\(\s*["']([a-z_.]+)["']""")
ROOMS = ("staff", "tenants", "oauth", "monitoring")
REACHED_WITHIN = 40


def named() -> list[str]:
    """Every fault point the product names."""
    sources = (path.read_text() for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    return sorted({name for source in sources for name in NAMED.findall(source)})


def run(site: Site, table: Table, sizes: Sizes) -> None:
    for name in named():
        world = populate(sizes.small // 2, refused=0.2, gone=0.2)
        sweep = begin(site)
        # In a pool of threads the kill ends the whole worker, as when a machine dies.
        victim = site.worker(pool="threads", FAULT_POINT=name)
        ready = site.worker(pool="threads", concurrency=2) if not sizes.is_short else None
        reached = _work_until_it_dies(site, sweep, victim.process)
        victim.process.kill()
        leases.lapse_all()
        crew = [ready] if ready else hands(site, "threads")
        site.wait_for(*(worker.process for worker in crew))
        finish(site, sweep, sizes.patience, hurry=True)
        deliver(site, sizes.patience)
        report = site.microsoft.report()
        numbers = facts.of_sweep(sweep, world, report) | facts.of_tokens(world, report)
        numbers |= facts.of_alerts(world) | facts.of_mail(site.mail.accepted)
        table.judge(f"killed at {name}", {"not reached": int(not reached)} | numbers)
        dismiss(crew)
