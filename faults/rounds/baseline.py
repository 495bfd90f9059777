"""The killing round on the obvious design: what a ledger, leases and rows for alerts are for."""

import time

import redis
from django.db import connection

from faults import leases, plain
from faults.ledger import token_of
from faults.night import Killer
from faults.site import Site, Worker
from faults.sizes import Sizes
from faults.table import Table

BELLS = 15  # a database of Redis of its own
REFUSED = 7  # one in so many, as many as in the other killing round
STILL = 45  # seconds in which nothing moves any more: what is not done by then is lost


def run(site: Site, table: Table, sizes: Sizes) -> None:
    if sizes.baseline:
        _one(site, table, "late", sizes.baseline, sizes.kills)
        _one(site, table, "early", sizes.baseline // 2, sizes.kills // 2)


def _one(site: Site, table: Table, acks: str, tasks: int, kills: int) -> None:
    queue = redis.Redis.from_url(site.redis.url(BELLS))
    _fill(site, tasks)
    environ = {
        "PLAIN_ACKS": acks,
        "PLAIN_CA": site.microsoft.ca_file,
        "PLAIN_TOKENS": f"https://{site.microsoft.host}/plain/oauth2/v2.0/token",
        "PLAIN_MAIL": str(site.mail.port),
    }

    def start(pool: str) -> Worker:
        return site.worker(pool=pool, app="faults.plain", bells=BELLS, environ=environ)

    def holds(worker: str) -> bool:
        # It has begun, and there is more in the queue than it can take: so it has something in hand.
        return bool(leases.backends_of(worker)) and queue.llen("celery") > 0

    killer = Killer([start(pool) for pool in ("prefork", "threads", "prefork", "prefork")], holds, start)
    while killer.kills < kills and queue.llen("celery"):
        killer.kill_one(5)
    site.microsoft.answers()
    site.mail.seconds = 0.0
    _wait(tasks)
    seen = {
        "lost": _count("SELECT count(*) FROM plain_connection WHERE checked = 0"),
        "doubled alert rows": _count("SELECT count(*) - count(DISTINCT connection) FROM plain_alert"),
        "done again": _count("SELECT coalesce(sum(checked - 1), 0) FROM plain_connection WHERE checked > 1"),
        "mails repeated under another ID": len(site.mail.received) - len(set(site.mail.subjects.values())),
    }
    table.beside(
        f"{killer.kills} kills, plain Celery with {acks} acks: {tasks} tasks, one a connection",
        ", ".join(f"{name} {number}" for name, number in seen.items()),
    )
    for worker in killer.crew:
        worker.process.kill()
    site.silence()


def _fill(site: Site, count: int) -> None:
    site.silence()
    site.microsoft.forget()
    site.microsoft.answers(seconds=0.1)
    site.mail.forget()
    site.mail.seconds = 0.05
    with connection.cursor() as cursor:
        cursor.execute(plain.TABLES)
        rows = [(n, token_of(f"{'live' if n % REFUSED else 'dead'}-{n}", 0)) for n in range(count)]
        cursor.executemany("INSERT INTO plain_connection (id, token) VALUES (%s, %s)", rows)
    with plain.app.connection_for_write(site.redis.url(BELLS)) as broker:
        for number in range(count):
            plain.app.send_task("plain.check", [number], connection=broker)


def _wait(count: int) -> None:
    """Until all is done, or nothing has moved for so long that nothing will."""
    moved, done = time.monotonic(), -1
    while time.monotonic() - moved < STILL:
        now = _count("SELECT count(*) FROM plain_connection WHERE checked > 0")
        if now == count:
            return
        if now != done:
            moved, done = time.monotonic(), now
        time.sleep(0.5)


def _count(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])
