"""Redis flushed and killed during a sweep, and the same bells rung many times over."""

import time

from faults import facts
from faults.night import begin, dismiss, finish, hands, prepare, release
from faults.site import Site
from faults.sizes import Sizes
from faults.table import Facts, Table
from faults.world import populate
from monitoring.models import Sweep


def run(site: Site, table: Table, sizes: Sizes) -> None:
    _lost(site, table, sizes)
    _doubled(site, table, sizes)


def _lost(site: Site, table: Table, sizes: Sizes) -> None:
    world = populate(sizes.small * 5)
    crew = hands(site, "prefork", "threads")
    sweep = begin(site, seconds=1.0)
    for _ in crew:
        site.ring("work_on_sweep", sweep.pk)
    cuts = 0
    for cut in range(2 if sizes.is_short else 6):
        time.sleep(1.5)
        sweep.refresh_from_db()
        cuts += sweep.finished_at is None
        if cut % 2:
            site.redis.kill()
            time.sleep(0.5)
            site.redis.start()
        else:
            site.silence()
        site.ring("reconcile")
    site.microsoft.answers()
    seconds = finish(site, sweep, sizes.patience)
    report = site.microsoft.report()
    done = (facts.of_sweep(sweep, world, report), facts.of_tokens(world, report), facts.of_alerts(world))
    table.judge(f"Redis flushed or killed {cuts} times", *done, note=f"done {seconds:.0f} s after the last")
    dismiss(crew)


def _doubled(site: Site, table: Table, sizes: Sizes) -> None:
    world = populate(sizes.small * 2, gone=0.05)
    crew = hands(site, "prefork", "threads")
    prepare(site, seconds=0.3)
    for _ in range(10):
        site.ring("start_sweep")
    for _ in range(200):
        sweeps = list(Sweep.objects.all())
        if sweeps:
            break
        time.sleep(0.05)
    for _ in range(10):
        site.ring("work_on_sweep", sweeps[0].pk)
        site.ring("start_sweep")
        site.ring("reconcile")
    finish(site, sweeps[0], sizes.patience)
    report = site.microsoft.report()
    calls = [each["calls"] for each in report["lineages"].values()]
    numbers = {
        "nightly rows too many": Sweep.objects.count() - 1,
        "refreshed twice": sum(count > 1 for count in calls),
        "signed in twice": sum(count > 1 for count in report["sign_ins"].values()),
    }
    done = (facts.of_sweep(sweeps[0], world, report), facts.of_tokens(world, report), facts.of_alerts(world))
    once = Facts("one nightly row, each asked once", numbers)
    table.judge("the same work handed out 20 times, to 2 workers", once, *done)
    release(site, crew)
