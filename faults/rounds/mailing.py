"""The mail server refuses, or takes mail and drops the line, for hours; and a customer whose name is two lines."""

import time

from django.db import connection

from faults import facts
from faults.night import Clockwork, begin, deliver, finish, hands, release
from faults.site import Site
from faults.sizes import Sizes
from faults.table import Facts, Table
from faults.world import populate
from monitoring.models import Delivery

HOURS = 8
SMUGGLED = "Contoso\r\nBcc: everybody@example.com"


def run(site: Site, table: Table, sizes: Sizes) -> None:
    crew = hands(site, "threads", "prefork")
    _away(site, table, sizes)
    _two_lines(site, table, sizes)
    release(site, crew)


def _away(site: Site, table: Table, sizes: Sizes) -> None:
    world = populate(sizes.small, refused=0.2, gone=0.1)
    sweep = begin(site)
    site.mail.manner = "refuse"
    finish(site, sweep, sizes.patience)
    hours = HOURS // 2 if sizes.is_short else HOURS
    for hour in range(hours):
        site.mail.manner = "drop" if hour % 2 else "refuse"
        _an_hour_later()
        before = site.mail.turned_away
        site.ring("reconcile")
        until = time.monotonic() + 3
        while site.mail.turned_away == before and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
    turned_away = site.mail.turned_away
    site.mail.manner = "take"
    deliver(site, sizes.patience)
    many_tries = sum(len(tries) > 1 for tries in Delivery.objects.values_list("tries", flat=True))
    tried = Facts("tried in vain, and not given up", {"not tried again": int(not many_tries)})
    received = site.mail.received  # with those that were taken before the line was dropped
    note = f"{turned_away} turned away, {facts.repeated(received)} repeated under the same ID"
    told = (facts.of_alerts(world), facts.of_mail(site.mail.accepted, received))
    table.judge(f"mail server refuses and drops for {hours} hours, then back", tried, *told, note=note)


def _an_hour_later() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_delivery SET next_at = next_at - interval '1 hour',"
            " created_at = created_at - interval '1 hour' WHERE state = 'waiting'"
        )


def _two_lines(site: Site, table: Table, sizes: Sizes) -> None:
    world = populate(10, refused=1.0, name=SMUGGLED)
    sweep = begin(site)
    finish(site, sweep, sizes.patience)
    deliver(site, sizes.patience, Clockwork())
    arrived = (facts.of_alerts(world), facts.of_mail(site.mail.accepted))
    one_line = {
        "headers smuggled in": site.mail.smuggled,
        "subjects without the name": sum("Contoso" not in subject for subject in site.mail.subjects.values()),
    }
    table.judge("a tenant whose name holds a line break", Facts("one header line", one_line), *arrived)
