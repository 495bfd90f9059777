"""A site of its own for the figures: a PostgreSQL database made and dropped, filled with connections of made-up people.

The answering side stands in for the built-in cloud, so that, as in production, its discovery is known and not asked.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
from cryptography.fernet import Fernet
from psycopg import sql

from benchmarks.responder import refresh_token

SERVER = "postgres://postgres@127.0.0.1:5432/postgres"
CONNECTIONS_EACH = 5  # of a registration
REGISTRATIONS_EACH = 5  # of a tenant
SECRET = "not-a-real-secret-of-the-bench"  # noqa: S105
CHUNK = 2000


@contextmanager
def own_database() -> Iterator[str]:
    """The address of an empty database on BENCH_DATABASE_SERVER, dropped afterwards."""
    server = os.environ.get("BENCH_DATABASE_SERVER", SERVER)
    name = f"bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def environment(database: str, in_flight: int, extra_clouds: str = "[]") -> dict[str, str]:
    """A whole site's settings; keys are made for this run."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": uuid.uuid4().hex * 3,
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DEBUG": "False",
        "SITE_URL": "http://localhost:8000",
        "ALLOWED_HOSTS": "localhost",
        "DATABASE_URL": database,
        "REDIS_URL": "",
        "EMAIL_URL": "memorymail://",
        "EXTRA_CLOUDS": extra_clouds,
        "CHECKS_IN_FLIGHT": str(in_flight),
    }


def stand_in(host: str, ca_file: str) -> None:
    """In this process, let the answering side be the built-in cloud."""
    from tenants import clouds

    own = replace(clouds.BUILT_IN[0], login_host=host, graph_host=host, ca_file=ca_file)
    clouds.BUILT_IN = (own, *clouds.BUILT_IN[1:])


def fill(connections: int) -> None:
    """Add so many connections, each five with a registration of its own, each five of these with a tenant."""
    from oauth.models import Connection
    from oauth.models.connection import A_TURN
    from tenants.models import AppRegistration, Credential, ScopeSelection, Tenant

    number = connections // CONNECTIONS_EACH
    start = Tenant.objects.count()
    tenants = Tenant.objects.bulk_create(
        Tenant(name=f"Tenant {start + n}", slug=f"tenant-{start + n}") for n in range(-(-number // REGISTRATIONS_EACH))
    )
    registrations = AppRegistration.objects.bulk_create(
        [
            AppRegistration(
                tenant=tenants[n // REGISTRATIONS_EACH],
                name=f"App {n}",
                directory=str(uuid.uuid4()),
                client_id=str(uuid.uuid4()),
            )
            for n in range(number)
        ],
        batch_size=CHUNK,
    )
    ScopeSelection.objects.bulk_create(
        [ScopeSelection(registration=registration, scope="Mail.ReadOnly") for registration in registrations],
        batch_size=CHUNK,
    )
    _in_chunks(Credential, (_credential(registration) for registration in registrations))
    rows = (
        _connection(registration, turn=(CONNECTIONS_EACH * (n % REGISTRATIONS_EACH) + own) // A_TURN)
        for n, registration in enumerate(registrations)
        for own in range(CONNECTIONS_EACH)
    )
    _in_chunks(Connection, rows)


def _credential(registration):  # type: ignore[no-untyped-def]
    from tenants.models import Credential

    credential = Credential(registration=registration, slot="current", hint=SECRET[:3])
    credential.value = SECRET
    return credential


def _connection(registration, turn):  # type: ignore[no-untyped-def]
    from oauth.models import Connection

    oid = uuid.uuid4()
    connection = Connection(
        tenant_id=registration.tenant_id,
        registration=registration,
        tid=registration.directory,
        oid=oid,
        address=f"{oid}@bench.example",
        client_id=registration.client_id,
        scopes_asked=["Mail.Read", "User.Read"],
        scopes_granted=["Mail.Read", "User.Read"],
        turn=turn,
    )
    connection.refresh_token = refresh_token(str(oid))
    return connection


def _in_chunks(model, rows):  # type: ignore[no-untyped-def]
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            model.objects.bulk_create(chunk)
            chunk = []
    model.objects.bulk_create(chunk)
