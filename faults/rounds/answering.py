"""The answering side says "wait", breaks down, talks nonsense, hangs up in the middle, or says nothing at all."""

import time
from collections.abc import Callable

from django.db import connection

from faults import facts
from faults.night import Clockwork, begin, finish, hands, release
from faults.processes import wait_until
from faults.site import CLOUD, Site
from faults.sizes import Sizes
from faults.table import Facts, Table
from faults.world import World, populate
from monitoring.models import Finding

LASTS = {"throttled": 12.0, "silent": 40.0}
NAMES = {
    "throttled": "answers 429 with Retry-After",
    "down": "answers 503 to everybody",
    "garbage": "answers half a JSON object",
    "empty": "answers 200 {}",
    "half": "hangs up in the middle of an answer",
    "silent": "takes the request and says nothing",
}
IN_SHORT = ("throttled", "half")
RETRY_AFTER = 4


def run(site: Site, table: Table, sizes: Sizes) -> None:
    crew = hands(site, "threads", "prefork")
    for fault in IN_SHORT if sizes.is_short else NAMES:
        _one(site, table, sizes, fault)
    release(site, crew)


def _one(site: Site, table: Table, sizes: Sizes, fault: str) -> None:
    world = populate(sizes.small, per_registration=20)
    sweep = begin(site, seconds=0.2)
    Clockwork().turn(site)
    # In the middle of the connections: what is already claimed and what is not has to stop alike.
    wait_until(lambda: site.microsoft.report()["lineages"], 10, "The first connection is asked")
    site.microsoft.answers(fault, retry_after=RETRY_AFTER, seconds=0.2)
    until = time.monotonic() + LASTS.get(fault, 8.0)
    # Where it is told when to come back, what waits in the database is left to wait: calls before that time count.
    is_told = fault == "throttled"
    while time.monotonic() < until:
        Clockwork(hurry=not is_told).turn(site)
        if not is_told:
            _let_outages_last()
        time.sleep(1)
    during = _findings()
    site.microsoft.answers()
    seconds = finish(site, sweep, sizes.patience, Clockwork(hurry=not is_told))
    _settle(site, lambda: not _findings()["cloud"])
    report = site.microsoft.report()
    early = {"calls before Retry-After": report["early"]} if is_told else {}
    quiet = Facts(
        "no finding of a tenant, one of the cloud at most",
        early
        | {"findings of tenants": during["tenants"], "findings of the cloud too many": max(during["cloud"] - 1, 0)},
    )
    done = (facts.of_sweep(sweep, world, report), facts.of_tokens(world, report), _after(world))
    note = f"{report['requests']} requests, {during['cloud']} of the cloud, done {seconds:.0f} s after it was well"
    table.judge(f"Microsoft {NAMES[fault]}", quiet, *done, note=note)


def _findings() -> dict[str, int]:
    open_ones = Finding.objects.filter(resolved_at=None)
    ours = open_ones.filter(cloud=CLOUD)
    return {"tenants": open_ones.count() - ours.count(), "cloud": ours.count()}


def _after(world: World) -> Facts:
    found = _findings()
    return Facts("nothing is left of it", {"findings left": found["tenants"] + found["cloud"]})


def _let_outages_last() -> None:
    """A cloud that has been away for a moment has been away for a quarter of an hour."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_outage SET since = now() - interval '15 minutes'")


def _settle(site: Site, over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not over() and time.monotonic() < deadline:
        Clockwork(hurry=True).turn(site)
        time.sleep(0.5)
