"""Workers killed with -9 in the middle of a sweep, and in the middle of telling of it."""

import time

from faults import facts, leases
from faults.night import Killer, begin, deliver, dismiss, finish, hands
from faults.site import Site
from faults.sizes import Sizes
from faults.table import Table
from faults.world import populate


def run(site: Site, table: Table, sizes: Sizes) -> None:
    world = populate(sizes.connections, refused=0.1, gone=0.05)
    crew = hands(site, "prefork", "threads", "prefork", "threads")
    begun = time.monotonic()
    sweep = begin(site, seconds=sizes.answer_after)
    killer = Killer(site, crew, table=leases.CONNECTIONS)
    while killer.kills < sizes.kills and sweep.finished_at is None:
        site.ring("work_on_sweep", sweep.pk)
        if not killer.kill_one(5):
            leases.lapse(killer.dead)
            site.ring("reconcile")
        sweep.refresh_from_db()
    site.microsoft.answers()
    finish(site, sweep, sizes.patience, dead=killer.dead)
    seconds = time.monotonic() - begun
    report = site.microsoft.report()
    name = f"{killer.kills} workers killed with -9, {world.connections} connections"
    table.add(f"{name}: kills with a lease held", f"at least {sizes.kills}", str(killer.kills), killer.kills >= sizes.kills)
    table.judge(f"{name}: the sweep", facts.of_sweep(sweep, world, report), f"{seconds:.0f} s")
    calls = sum(each["calls"] for each in report["lineages"].values())
    table.judge(f"{name}: tokens and verdicts", facts.of_tokens(world, report), f"{calls} refreshes")
    _mail(site, table, sizes, killer)
    faults = len(world.refused | world.gone)
    table.judge(f"{name}: {faults} faults told", facts.of_alerts(world))
    dismiss(killer.crew)


def _mail(site: Site, table: Table, sizes: Sizes, sweeper: Killer) -> None:
    """The messages of that night, while those who send them are killed too."""
    site.mail.seconds = 0.2
    killer = Killer(site, sweeper.crew, table=leases.DELIVERIES, spare_after=1000)
    killer.dead = sweeper.dead
    while killer.kills < sizes.sender_kills:
        leases.lapse(killer.dead)
        leases.forward()
        site.ring("reconcile")
        if not killer.kill_one(5) and not leases.waiting():
            break
    site.mail.seconds = 0.0
    deliver(site, sizes.patience, dead=killer.dead)
    note = f"{len(site.mail.accepted)} messages, {facts.repeated(site.mail.accepted)} repeated, each under its own ID"
    table.judge(f"{killer.kills} senders killed with -9", facts.of_mail(site.mail.accepted), note)
