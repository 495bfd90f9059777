"""Workers killed with -9 in the middle of a sweep, and in the middle of telling of it."""

import time

from faults import facts, leases
from faults.night import Clockwork, Killer, begin, deliver, finish, hands, release
from faults.processes import wait_until
from faults.site import Site
from faults.sizes import Sizes
from faults.table import Facts, Table
from faults.world import populate
from monitoring.models import Sweep
from oauth.models import Connection

PATIENCE = 120  # seconds until the registrations are done


def run(site: Site, table: Table, sizes: Sizes) -> None:
    _entra(site, table, sizes)
    if not sizes.is_short:
        _strict(site, table, sizes)


def _entra(site: Site, table: Table, sizes: Sizes) -> None:
    world = populate(sizes.connections, refused=0.1, gone=0.05)
    crew = hands(site, "prefork", "threads", *([] if sizes.is_short else ["prefork", "prefork"]))
    begun = time.monotonic()
    sweep = begin(site)
    site.mail.manner = "refuse"  # what there is to tell is told when the sweep is over, while senders are killed
    killer = Killer(crew, leases.holds_connections, lambda pool: site.worker(pool=pool))
    _come_to_connections(site, sweep, killer)
    site.microsoft.answers(seconds=sizes.answer_after)
    _kill(site, sweep, killer, sizes.kills)
    site.microsoft.answers()
    finish(site, sweep, sizes.patience, Clockwork(dead=killer.dead))
    seconds = time.monotonic() - begun
    report = site.microsoft.report()
    calls = sum(each["calls"] for each in report["lineages"].values())
    few = Facts(f"{sizes.kills} kills or more, a lease held at each", {"kills missing": sizes.kills - killer.kills})
    note = f"{killer.kills} kills, {calls} refreshes, {seconds:.0f} s"
    name = f"workers killed with -9, {world.connections} connections"
    table.judge(name, few, facts.of_sweep(sweep, world, report), facts.of_tokens(world, report), note=note)
    _mail(site, table, sizes, killer)
    table.judge(f"{name}: what is told", facts.of_alerts(world))
    release(site, killer.crew)


def _strict(site: Site, table: Table, sizes: Sizes) -> None:
    """Where a refresh token works once, as with providers that are not Microsoft."""
    world = populate(sizes.small * 5)
    crew = hands(site, "prefork", "threads")
    sweep = begin(site, strict=True)
    killer = Killer(crew, leases.holds_connections, lambda pool: site.worker(pool=pool))
    _come_to_connections(site, sweep, killer)
    site.microsoft.answers(seconds=sizes.answer_after, strict=True)
    _kill(site, sweep, killer, max(sizes.kills // 10, 2))
    site.microsoft.answers(strict=True)
    finish(site, sweep, sizes.patience, Clockwork(dead=killer.dead))
    report = site.microsoft.report()
    tokens, lost = facts.of_strict_tokens(world, report)
    name = f"the same where a refresh token works once, {world.connections} connections"
    table.judge(
        name, facts.of_sweep(sweep, world, report), tokens, note=f"{killer.kills} kills, {lost} lost and flagged"
    )
    release(site, killer.crew)


def _come_to_connections(site: Site, sweep: Sweep, killer: Killer) -> None:
    """Registrations are looked at first."""

    def asked() -> bool:
        site.ring("work_on_sweep", sweep.pk)
        return any(leases.holds_connections(worker.name) for worker in killer.crew)

    wait_until(asked, PATIENCE, "The first connections are claimed")


def _kill(site: Site, sweep: Sweep, killer: Killer, kills: int) -> None:
    """Spread them over the sweep: before each its share of the work is done, and some is left after the last."""
    share = sweep.planned / (kills * 1.3)
    while killer.kills < kills and sweep.finished_at is None:
        site.ring("work_on_sweep", sweep.pk)
        if Connection.objects.filter(last_sweep=sweep.pk).count() < killer.kills * share:
            time.sleep(0.2)
        else:
            killer.kill_one(2)
        leases.lapse(killer.dead)
        sweep.refresh_from_db()


def _mail(site: Site, table: Table, sizes: Sizes, sweeper: Killer) -> None:
    """The messages of that night, while those who send them are killed too."""
    site.mail.manner, site.mail.seconds = "take", 0.2
    killer = Killer(sweeper.crew, leases.holds_message, lambda pool: site.worker(pool=pool))
    killer.dead = sweeper.dead
    while killer.kills < sizes.sender_kills and leases.waiting():
        Clockwork(dead=killer.dead, hurry=True).turn(site)
        killer.kill_one(5)
    site.mail.seconds = 0.0
    deliver(site, sizes.patience, Clockwork(dead=killer.dead))
    few = Facts(
        f"{sizes.sender_kills} kills, a lease held at each", {"kills missing": sizes.sender_kills - killer.kills}
    )
    note = f"{facts.repeated(site.mail.accepted)} repeated under the same ID"
    table.judge("senders killed with -9", few, facts.of_mail(site.mail.accepted), note=note)
