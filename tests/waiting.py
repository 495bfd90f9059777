"""On PostgreSQL, until somebody waits for somebody else's row."""

import time

from django.db import connection

LONGEST = 20  # seconds

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def until_waiting(number: int) -> None:
    """Return once so many connections to this database wait for a lock."""
    end = time.monotonic() + LONGEST
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # or one transaction sees the same all along
            found = cursor.execute(WAITING).fetchone()[0]
        if found >= number:
            return
        assert time.monotonic() < end, f"{found} wait, and not {number}"
        time.sleep(0.02)
