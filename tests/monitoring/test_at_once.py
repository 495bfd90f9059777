"""A check that saves while somebody archives: neither waits for what the other holds."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from monitoring import claims, saves
from monitoring.models import Sweep
from oauth.models import Connection
from tenants.admin.archiving import archive_registrations
from tenants.holding import hold
from tenants.models import AppRegistration
from tests.leases import look
from tests.waiting import until_waiting

from .conftest import World


def deadlocks() -> int:
    """That PostgreSQL has ended in this database; whoever is ended tries again and says nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


@pytest.mark.row_locks
@pytest.mark.django_db(transaction=True)
def test_connections_that_doubt_a_registration_are_saved_beside_its_archiving(world: World) -> None:
    world.connect()
    world.microsoft.set_fault(7000215, grant_type="refresh_token")  # so the registration is asked once more
    sweep = Sweep.objects.start_manual()
    while isinstance((batch := claims.claim(sweep)).rows[0], AppRegistration):
        saves.save(sweep, look(batch))
    looked, own = look(batch), AppRegistration.objects.filter(pk=world.registration.pk)
    before = deadlocks()
    with ThreadPoolExecutor(2) as pool:

        def begin(act: Callable[[], None]) -> Future[None]:
            def alone() -> None:
                try:
                    act()
                finally:
                    connection.close()

            return pool.submit(alone)

        with transaction.atomic():
            hold(own)
            archiving = begin(lambda: archive_registrations(own))
            until_waiting(1)
            saving = begin(lambda: saves.save(sweep, looked))
            until_waiting(2)
        archiving.result(timeout=20)
        saving.result(timeout=20)
    assert deadlocks() == before
    assert own.get().archived_at is not None
    assert Connection.objects.get().disconnected_at is not None
