"""Which worker holds what: triggers of this database alone write down which backend took each lease."""

from collections.abc import Collection

from django.db import connection

CONNECTIONS, REGISTRATIONS, DELIVERIES = "oauth_connection", "tenants_appregistration", "monitoring_delivery"
TABLES = (CONNECTIONS, REGISTRATIONS, DELIVERIES)

_MADE = """
CREATE TABLE faults_lease (lease uuid PRIMARY KEY, worker text NOT NULL, backend int NOT NULL,
    at timestamptz DEFAULT now());
CREATE FUNCTION faults_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO faults_lease (lease, worker, backend)
    SELECT DISTINCT lease_by, current_setting('application_name'), pg_backend_pid()
    FROM changed WHERE lease_by IS NOT NULL ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
"""
_WATCHED = """
CREATE TRIGGER faults_note AFTER UPDATE ON {table}
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION faults_note();
"""


def watch() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MADE + "".join(_WATCHED.format(table=table) for table in TABLES))


def holds_connections(worker: str) -> bool:
    """Does this worker hold connections, none of them for the third time?

    A row that ends three workers is set aside as poison, so whoever holds one on the edge of that is not killed.
    """
    return 0 < _held_by(worker, CONNECTIONS, "max(tries)") <= 2


def holds_anything(worker: str) -> bool:
    return any(_held_by(worker, table, "count(*)") for table in TABLES)


def is_at_work(worker: str) -> bool:
    """Does it hold connections by a lease it took in the last seconds?"""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {CONNECTIONS} JOIN faults_lease ON lease = lease_by "
            "WHERE worker = %s AND at > now() - interval '5 seconds'",
            [worker],
        )
        return bool(cursor.fetchone()[0])


def holds_message(worker: str) -> bool:
    return _held_by(worker, DELIVERIES, "count(*)") > 0


def _held_by(worker: str, table: str, what: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {what} FROM {table} JOIN faults_lease ON lease = lease_by WHERE worker = %s", [worker])
        return cursor.fetchone()[0] or 0


def taken_by(worker: str) -> int:
    """How many leases this worker has taken since the site was cleared."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM faults_lease WHERE worker = %s", [worker])
        count: int = cursor.fetchone()[0]
    return count


def backends_of(worker: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [worker])
        return {row[0] for row in cursor.fetchall()}


def is_busy(workers: Collection[str]) -> bool:
    """Is one of them asking the database something at this moment?"""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = ANY(%s) AND state <> 'idle'",
            [list(workers)],
        )
        return bool(cursor.fetchone()[0])


def lapse(backends: Collection[int] = (), *, older_than: float | None = None) -> None:
    """Let leases lapse that nobody can hold any more, for a run cannot wait for minutes each time.

    Those that these backends took, whose clients are dead; or those older than any look that may still go on.
    """
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(
                f"UPDATE {table} SET lease_until = now() - interval '1 second' "
                "WHERE lease_until > now() AND lease_by IN (SELECT lease FROM faults_lease "
                "WHERE backend = ANY(%s) OR at < now() - %s * interval '1 second')",
                [list(backends), older_than if older_than is not None else 1e9],
            )


def forward() -> None:
    """Let every pause between tries be over, also until a cloud that did not answer is asked again."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_outage SET probe_at = now() WHERE probe_at > now()")
        for table in TABLES:
            cursor.execute(f"UPDATE {table} SET next_at = now() WHERE next_at > now()")


def waiting() -> bool:
    """Is there a message on its way?"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM monitoring_delivery WHERE state = 'waiting'")
        return bool(cursor.fetchone()[0])
