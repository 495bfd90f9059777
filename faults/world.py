"""Whom a round looks after: tenants, registrations and connections in bulk, some of them with faults to be found."""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from faults.ledger import token_of
from faults.site import CLOUD
from oauth.models import Connection
from tenants.models import AppRegistration, Credential, ScopeSelection, Tenant
from tenants.scopes import permissions_for

SCOPES = ("Mail.ReadOnly",)
BATCH = 2000


@dataclass(frozen=True)
class World:
    """What is there, and what a sweep must find: secrets that are refused, grants that are gone."""

    connections: int
    refused: frozenset[int] = frozenset()
    gone: frozenset[uuid.UUID] = frozenset()
    inhibited: frozenset[uuid.UUID] = frozenset()


@dataclass
class _Rows:
    refused: set[int] = field(default_factory=set)
    gone: set[uuid.UUID] = field(default_factory=set)
    inhibited: set[uuid.UUID] = field(default_factory=set)


def clear() -> None:
    """An empty site, but for what migrations and the start put there."""
    kept = {"django_migrations", "django_content_type", "auth_permission", "tenants_keycanary"}
    tables = set(connection.introspection.table_names()) - kept
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE {} CASCADE".format(", ".join(sorted(tables))))


def populate(
    connections: int, *, per_registration: int = 10, refused: float = 0.0, gone: float = 0.0, name: str = ""
) -> World:
    """An empty site gets so many connections. `refused`: share of registrations whose secret is; `gone`: of grants."""
    clear()
    count = max(1, connections // per_registration)
    tenants = Tenant.objects.bulk_create(
        Tenant(name=name or f"Tenant {number}", slug=f"tenant-{number}") for number in range(max(1, count // 4))
    )
    registrations = AppRegistration.objects.bulk_create(
        AppRegistration(
            tenant=tenants[number % len(tenants)],
            name=f"App {number}",
            cloud=CLOUD,
            directory=str(uuid.uuid5(uuid.NAMESPACE_OID, f"directory-{number % len(tenants)}")),
            client_id=str(uuid.uuid4()),
        )
        for number in range(count)
    )
    ScopeSelection.objects.bulk_create(
        ScopeSelection(registration=registration, scope=scope) for registration in registrations for scope in SCOPES
    )
    rows = _Rows(refused={registrations[number].pk for number in _spread(count, refused)})
    Credential.objects.bulk_create(_credential(each, each.pk in rows.refused) for each in registrations)
    gone_ones = {number + 1 for number in _spread(connections, gone)}  # not only of refused registrations
    made = (
        _connection(number, registrations[number % count], number in gone_ones, rows) for number in range(connections)
    )
    Connection.objects.bulk_create(made, batch_size=BATCH)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return World(connections, frozenset(rows.refused), frozenset(rows.gone), frozenset(rows.inhibited))


def _spread(count: int, share: float) -> list[int]:
    """So many of them, evenly over all."""
    chosen = round(count * share)
    return [number * count // chosen for number in range(chosen)]


def _credential(registration: AppRegistration, is_refused: bool) -> Credential:
    credential = Credential(
        registration=registration,
        slot=Credential.Slot.CURRENT,
        hint="not",
        ends_at=timezone.now() + timedelta(days=300),
    )
    credential.value = "not-a-real-secret-refused" if is_refused else "not-a-real-secret-taken"
    return credential


def _connection(number: int, registration: AppRegistration, is_gone: bool, rows: _Rows) -> Connection:
    made = Connection(
        tenant=registration.tenant,
        registration=registration,
        tid=registration.directory,
        oid=uuid.uuid4(),
        address=f"person{number}@example.com",
        client_id=registration.client_id,
        scopes_asked=list(permissions_for(SCOPES)),
        scopes_granted=list(permissions_for(SCOPES)),
        refreshed_at=timezone.now() - timedelta(days=1),
    )
    made.refresh_token = token_of(f"{'dead' if is_gone else 'live'}-{made.pk.hex}", 0)
    if registration.pk in rows.refused:
        rows.inhibited.add(made.pk)
    elif is_gone:
        rows.gone.add(made.pk)
    return made
