"""A kill at every named fault point, and a worker that finds what it left."""

import re
import time
from itertools import cycle

from django.utils import timezone

from faults import facts, leases
from faults.night import Clockwork, begin, deliver, dismiss, finish
from faults.processes import ROOT, Process
from faults.site import Site, Worker
from faults.sizes import Sizes
from faults.table import Facts, Table
from faults.world import populate
from monitoring.models import Alert, Finding, Sweep

NAMED = re.compile(r"""maybe_crash\(\s*["']([a-z_.]+)["']""")
ROOMS = ("staff", "tenants", "oauth", "monitoring")
REACHED_WITHIN = 30
OTHERS = 1  # the bells of the worker that comes after; each victim has its own


def named() -> list[str]:
    """Every fault point that a night meets.

    Those of a verification are tried in tests/oauth/test_verify_resumed.py, those of an import in
    tests/tenants/test_import_work.py.
    """
    sources = (path.read_text() for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    names = {name for source in sources for name in NAMED.findall(source)}
    return sorted(name for name in names if not name.startswith(("verify.", "import.")))


def run(site: Site, table: Table, sizes: Sizes) -> None:
    points, numbers = named(), cycle(range(2, 16))
    heir = site.worker(pool="threads", concurrency=2, bells=OTHERS)
    coming = _victim(site, points[0], next(numbers)) if points else None
    for place, name in enumerate(points):
        assert coming is not None
        (victim, bells), coming = coming, None
        site.wait_for(heir.process, victim.process)
        if place + 1 < len(points):  # starting takes longer than dying, so the next one starts meanwhile
            coming = _victim(site, points[place + 1], next(numbers))
        _one(site, table, sizes, name, victim, bells)
    dismiss([heir])


def _victim(site: Site, name: str, bells: int) -> tuple[Worker, int]:
    # In a pool of threads the kill ends the whole worker, as when a machine dies.
    return site.worker(pool="threads", bells=bells, environ={"FAULT_POINT": name}), bells


def _one(site: Site, table: Table, sizes: Sizes, name: str, victim: Worker, bells: int) -> None:
    world = populate(sizes.small // 2, refused=0.2, gone=0.2)
    sweep = begin(site)
    is_snoozed = name.startswith("lifecycle")
    if is_snoozed:
        finish(site, sweep, sizes.patience, Clockwork(bells=OTHERS))
        Finding.objects.update(snoozed_until=timezone.now())
    is_reached = _dies(site, sweep, victim.process, bells)
    dismiss([victim])
    leases.lapse(older_than=0)  # nobody is left who could hold one
    clockwork = Clockwork(hurry=True, bells=OTHERS)
    finish(site, sweep, sizes.patience, clockwork)
    if is_snoozed:
        _wake(site, clockwork, sizes.patience)
    deliver(site, sizes.patience, clockwork)
    report = site.microsoft.report()
    reached = Facts("it is reached", {"not reached": int(not is_reached)})
    done: tuple[Facts, ...] = (facts.of_sweep(sweep, world, report), facts.of_tokens(world, report))
    note = f"{facts.repeated(site.mail.accepted)} repeated" if facts.repeated(site.mail.accepted) else ""
    told = (facts.of_alerts(world), facts.of_mail(site.mail.accepted))
    if is_snoozed:
        reminded = Alert.objects.filter(reminder=1).count()
        done = (*done, Facts("each reminded of once", {"reminders missing": Finding.objects.count() - reminded}))
    table.judge(f"killed at {name}", reached, *done, *told, note=note)


def _wake(site: Site, clockwork: Clockwork, seconds: float) -> None:
    """Until no finding is snoozed any more."""
    deadline = time.monotonic() + seconds
    while Finding.objects.exclude(snoozed_until=None).exists() and time.monotonic() < deadline:
        clockwork.turn(site)
        time.sleep(0.3)


def _dies(site: Site, sweep: Sweep, victim: Process, bells: int) -> bool:
    """Give it all there is to do until it meets its point."""
    deadline = time.monotonic() + REACHED_WITHIN
    site.ring("work_on_sweep", sweep.pk, bells=bells)
    while victim.ended is None and time.monotonic() < deadline:
        time.sleep(0.3)
        leases.forward()
        site.ring("reconcile", bells=bells)
    return victim.ended == -9
