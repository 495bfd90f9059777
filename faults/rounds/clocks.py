"""One worker's clock is off by ten minutes; two beats ring for the night at the same minute."""

import time
from datetime import timedelta

from django.utils import timezone

from faults import facts, leases
from faults.night import begin, dismiss, finish, hands
from faults.site import Site
from faults.sizes import Sizes
from faults.table import Facts, Table
from faults.world import populate
from monitoring import schedule
from monitoring.models import Sweep

OFF_BY = 600
MANY = 2000  # more than one worker takes at once
BESIDE = 8.0  # seconds in which they are at the connections together


def run(site: Site, table: Table, sizes: Sizes) -> None:
    _off(site, table, sizes, OFF_BY)
    if not sizes.is_short:
        _off(site, table, sizes, -OFF_BY)
        _two_beats(site, table, sizes)


def _off(site: Site, table: Table, sizes: Sizes, seconds: int) -> None:
    world = populate(MANY, gone=0.05)
    off = site.worker(app="faults.skewed", environ={"CLOCK_IS_OFF_BY": str(seconds)})
    crew = [*hands(site, "threads", "prefork"), off]
    site.wait_for(off.process)
    sweep = begin(site, seconds=1.0)
    begun = time.monotonic()
    until = time.monotonic() + BESIDE
    while time.monotonic() < until and not sweep.finished_at:  # who finds nothing to claim waits for the next bell
        for _ in crew:
            site.ring("work_on_sweep", sweep.pk)
        time.sleep(0.3)
        if not any(leases.holds_connections(worker.name) for worker in crew):
            until = min(until + 0.3, begun + 4 * BESIDE)  # not yet among the connections
        sweep.refresh_from_db()
    site.microsoft.answers(seconds=0.2)
    finish(site, sweep, sizes.patience)
    report = site.microsoft.report()
    done = (facts.of_sweep(sweep, world, report), facts.of_tokens(world, report), facts.of_alerts(world))
    part = Facts("it had its part", {"workers without a part": sum(not leases.taken_by(each.name) for each in crew)})
    table.judge(f"one worker's clock {'ahead' if seconds > 0 else 'behind'} by ten minutes", part, *done)
    dismiss(crew)


def _two_beats(site: Site, table: Table, sizes: Sizes) -> None:
    world = populate(sizes.small)
    last = begin(site, seconds=0.2)
    yesterday = timezone.localdate() - timedelta(days=1)
    Sweep.objects.filter(pk=last.pk).update(night=yesterday, finished_at=timezone.now())
    crew = hands(site, "threads", "prefork")
    at = timezone.localtime() + timedelta(seconds=75)  # beats plan whole minutes, and need some seconds to start
    schedule.change(at.time().replace(second=0, microsecond=0))
    beats = [site.beat(), site.beat()]
    site.wait_for(*beats)
    deadline = time.monotonic() + 180
    mine = Sweep.objects.exclude(pk=last.pk)
    while not mine.exclude(finished_at=None).exists() and time.monotonic() < deadline:
        time.sleep(0.5)
    rows = list(mine)
    report = site.microsoft.report()
    numbers = {
        "nightly rows missing": int(not rows),
        "nightly rows too many": max(len(rows) - 1, 0),
        "refreshed twice": sum(each["calls"] > 1 for each in report["lineages"].values()),
    }
    done = [facts.of_sweep(rows[0], world, report)] if rows else []
    table.judge("two beats", Facts("one nightly row, each asked once", numbers), *done, facts.of_tokens(world, report))
    for beat in beats:
        beat.kill()
    dismiss(crew)
