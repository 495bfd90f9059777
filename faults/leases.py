"""Which worker holds what: triggers of this database alone write down which backend took each lease."""

from collections.abc import Collection

from django.db import connection

CONNECTIONS, REGISTRATIONS, DELIVERIES = "oauth_connection", "tenants_appregistration", "monitoring_delivery"
TABLES = (CONNECTIONS, REGISTRATIONS, DELIVERIES)

_MADE = """
CREATE TABLE faults_lease (lease uuid PRIMARY KEY, worker text NOT NULL, backend int NOT NULL);
CREATE FUNCTION faults_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO faults_lease SELECT DISTINCT lease_by, current_setting('application_name'), pg_backend_pid()
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


def held_by(worker: str, table: str) -> tuple[int, int]:
    """How many rows of a table this worker holds at this moment, and the most tries that one of them has behind it."""
    tries = "jsonb_array_length(tries)" if table == DELIVERIES else "tries"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), coalesce(max({tries}), 0) FROM {table} "
            "JOIN faults_lease ON lease = lease_by WHERE worker = %s",
            [worker],
        )
        held, most = cursor.fetchone()
    return held, most


def backends_of(worker: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [worker])
        return {row[0] for row in cursor.fetchall()}


def lapse(backends: Collection[int]) -> None:
    """Let the leases lapse that these backends took: their clients are dead, and nobody wants to wait for minutes."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(
                f"UPDATE {table} SET lease_until = now() - interval '1 second' WHERE lease_until > now() AND "
                "lease_by IN (SELECT lease FROM faults_lease WHERE backend = ANY(%s))",
                [list(backends)],
            )


def lapse_all() -> None:
    """The same for every lease there is, when nobody is left who could hold one."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"UPDATE {table} SET lease_until = now() - interval '1 second' WHERE lease_until > now()")


def forward() -> None:
    """Let every pause between tries be over."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"UPDATE {table} SET next_at = now() WHERE next_at > now()")


def waiting() -> bool:
    """Is there a message on its way?"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM monitoring_delivery WHERE state = 'waiting'")
        return bool(cursor.fetchone()[0])
