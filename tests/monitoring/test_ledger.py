"""The sweep's bookkeeping: leases, fences, tries, batches; what a worker that dies or comes too late leaves behind."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from monitoring import claims, saves
from monitoring import sweep as ledger
from monitoring.models import Finding, Sweep
from oauth.models import Connection
from oauth.signals import Observation, observed
from tenants.models import AppRegistration
from tests.factories import make_connection
from tests.leases import lapse, look

from .conftest import World, check, work


def claim_and_die(sweep: Sweep) -> claims.Batch:
    """What a worker leaves behind that was killed while it looked."""
    batch = claims.claim(sweep)
    assert batch
    return batch


def look_at(batch: claims.Batch) -> None:
    """What a worker does with a batch in the end, in time or not."""
    saves.save(batch.sweep, look(batch))


def refreshes(world: World) -> Counter[str]:
    """How often each account's token was refreshed."""
    asked = world.microsoft.token_requests()
    return Counter(request["oid"] for request in asked if request["grant_type"] == "refresh_token")


def make_many(registration: AppRegistration, number: int) -> None:
    """Connections that were looked at before anything else can ask for them: of no use but to be counted."""
    for _ in range(number):
        make_connection(registration)


# Leases


def test_what_one_worker_holds_nobody_else_claims_nor_what_depends_on_it(world):
    world.connect()
    sweep = Sweep.objects.start_manual()
    batch = claim_and_die(sweep)
    assert [row.pk for row in batch.rows] == [world.registration.pk]
    assert claims.claim(sweep) is None
    assert ledger.is_held(sweep)


def test_what_a_dead_worker_held_is_looked_at_by_the_next_when_its_lease_is_over(world):
    sweep = Sweep.objects.start_manual()
    claim_and_die(sweep)
    lapse(AppRegistration)
    assert not ledger.is_held(sweep)
    assert work(sweep).done == 1
    assert sweep.finished_at


def test_a_lease_lasts_its_time_by_the_databases_clock(world):
    claim_and_die(Sweep.objects.start_manual())
    left = AppRegistration.objects.annotate(left=F("lease_until") - Now()).get().left
    assert claims.LEASE - timedelta(seconds=30) < left <= claims.LEASE


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_worker_whose_clock_is_wrong_takes_nothing_out_of_anothers_hands(world, minutes):
    sweep = Sweep.objects.start_manual()
    claim_and_die(sweep)
    with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=True):
        assert ledger.is_held(sweep)
        assert claims.claim(sweep) is None


@pytest.mark.parametrize("minutes", [-10, 10])
def test_what_a_worker_holds_whose_clock_is_wrong_nobody_takes(world, minutes):
    sweep = Sweep.objects.start_manual()
    with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=True):
        claim_and_die(sweep)
    assert ledger.is_held(sweep)
    assert claims.claim(sweep) is None
    lapse(AppRegistration)
    assert claims.claim(sweep)


def test_what_kills_three_workers_is_set_aside_without_a_fourth_look(world):
    sweep = Sweep.objects.start_manual()
    for _ in range(3):
        claim_and_die(sweep)
        lapse(AppRegistration)
    assert work(sweep).set_aside == 1
    assert sweep.finished_at
    assert world.microsoft.token_requests() == []
    finding = Finding.objects.open().get()
    assert (finding.kind, finding.actor) == ("unverified", "operator")


def test_the_tries_of_one_sweep_do_not_count_in_the_next(world):
    first = Sweep.objects.start_nightly(timezone.localdate())
    for _ in range(3):
        claim_and_die(first)
        lapse(AppRegistration)
    work(first)
    assert check().done == 1
    assert not Finding.objects.open().exists()


def steal(batch: claims.Batch) -> None:
    """Another worker has claimed these rows since, and is looking at them."""
    type(batch.rows[0]).objects.filter(pk__in=[row.pk for row in batch.rows]).update(lease_by=uuid.uuid4())


def test_whoever_lost_the_lease_saves_nothing(world):
    connection = world.connect()
    kept = connection.refresh_token
    sweep = Sweep.objects.start_manual(connection)
    look_at(claim_and_die(sweep))  # the registration
    late = claim_and_die(sweep)
    steal(late)
    look_at(late)
    connection.refresh_from_db()
    sweep.refresh_from_db()
    assert (connection.refresh_token, connection.checked_at, connection.last_sweep) == (kept, None, 0)
    assert connection.lease_by
    assert sweep.done == 1


def test_whoever_lost_the_lease_says_nothing(world):
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    sweep = Sweep.objects.start_manual()
    late = claim_and_die(sweep)
    steal(late)
    look_at(late)
    sweep.refresh_from_db()
    assert sweep.seen == 0
    assert not Finding.objects.exists()


def test_a_worker_that_slept_through_its_lease_asks_nobody(world):
    connection = world.connect()
    sweep = Sweep.objects.start_manual(connection)
    look_at(claim_and_die(sweep))
    with time_machine.travel(timezone.now(), tick=True) as clock:
        late = claim_and_die(sweep)
        clock.shift(claims.LEASE)
        lapse(Connection)
        assert work(sweep).done == 2
        asked = len(world.microsoft.token_requests())
        look_at(late)
    assert len(world.microsoft.token_requests()) == asked
    sweep.refresh_from_db()
    assert sweep.done == 2


def test_a_person_who_reconnects_during_the_look_keeps_their_new_token(world):
    connection = world.connect()
    sweep = Sweep.objects.start_manual(connection)
    look_at(claim_and_die(sweep))
    batch = claim_and_die(sweep)
    reconnected = Connection.objects.get(pk=connection.pk)
    reconnected.refresh_token = "not-a-real-token-of-the-second-consent"
    reconnected.save(update_fields=["refresh_token"])
    look_at(batch)
    connection.refresh_from_db()
    assert connection.refresh_token == reconnected.refresh_token
    assert (connection.last_sweep, connection.lease_by, connection.tries) == (0, None, 0)


def test_what_nobody_got_round_to_goes_back_uncounted(world):
    sweep = Sweep.objects.start_manual()
    batch = claim_and_die(sweep)
    with time_machine.travel(timezone.now() + 2 * claims.BEGIN_WITHIN, tick=True):
        look_at(batch)
        world.registration.refresh_from_db()
        assert (world.registration.lease_by, world.registration.tries) == (None, 0)
        assert world.microsoft.token_requests() == []
        assert work(sweep).done == 1


def test_an_operators_edit_during_the_look_is_kept(world):
    batch = claim_and_die(Sweep.objects.start_manual())
    AppRegistration.objects.filter(pk=world.registration.pk).update(name="Renamed")
    look_at(batch)
    world.registration.refresh_from_db()
    assert world.registration.name == "Renamed"
    assert world.registration.checked_at


# Several workers


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_look_at_everything_once(world, monkeypatch):
    monkeypatch.setattr(claims, "BATCH", 2)
    connections = [world.connect(f"Person{number}") for number in range(12)]
    sweep = Sweep.objects.start_manual()
    problems: list[BaseException] = []

    def one_worker() -> None:
        try:
            work(Sweep.objects.get(pk=sweep.pk))
        except BaseException as problem:
            problems.append(problem)
        finally:
            database.close()

    workers = [threading.Thread(target=one_worker) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    work(sweep)
    assert problems == []
    assert refreshes(world) == {str(connection.oid): 1 for connection in connections}
    assert (sweep.planned, sweep.done, sweep.failed) == (13, 13, 0)
    assert sweep.finished_at


@pytest.mark.django_db(transaction=True)
def test_two_presses_at_the_same_moment_start_one_check(world):
    barrier, started = threading.Barrier(4), []

    def press() -> None:
        barrier.wait(timeout=10)
        started.append(Sweep.objects.start_manual(world.registration).pk)
        database.close()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(started) == 4
    assert len(set(started)) == 1


# One that is bad costs only itself


def test_a_secret_that_cannot_be_read_costs_only_itself_and_stays_as_it_is(world):
    good, bad = world.connect("Anna"), world.connect("Bert")
    with database.cursor() as cursor:
        table = Connection._meta.db_table
        key = Connection._meta.pk.get_db_prep_value(bad.pk, database)
        cursor.execute(f"UPDATE {table} SET refresh_token = %s WHERE id = %s", ["00000000:gAAAAunreadable", key])
    sweep = check()
    good.refresh_from_db()
    stored = Connection.objects.get(pk=bad.pk)
    finding = Finding.objects.open().get()
    assert good.checked_at
    assert (sweep.done, sweep.failed) == (2, 1)
    assert (finding.connection, finding.kind, finding.actor) == (bad, "unreadable_secret", "operator")
    assert "FIELD_ENCRYPTION_KEYS" in finding.remedy
    with database.cursor() as cursor:
        cursor.execute(f"SELECT refresh_token FROM {table} WHERE id = %s", [key])
        assert cursor.fetchone()[0] == "00000000:gAAAAunreadable"
    assert stored.token_status == "active"


def test_a_row_that_breaks_the_look_itself_costs_only_itself(world, caplog):
    good, bad = world.connect("Anna"), world.connect("Bert")
    Connection.objects.filter(pk=bad.pk).update(scopes_granted=17)  # no list: nothing can be asked for
    sweep = Sweep.objects.start_manual()
    with time_machine.travel(timezone.now(), tick=True) as clock:
        for _ in range(3):
            work(sweep)
            clock.shift(timedelta(minutes=5))
    good.refresh_from_db()
    finding = Finding.objects.open().get()
    assert good.checked_at
    assert (finding.connection, finding.kind, finding.actor) == (bad, "unverified", "operator")
    assert str(bad.pk) in {record.subject for record in caplog.records if record.message == "look failed"}


def test_a_client_secret_that_cannot_be_read_is_one_finding(world):
    world.connect("Anna")
    world.connect("Bert")
    with database.cursor() as cursor:
        cursor.execute("UPDATE tenants_credential SET value = %s", ["00000000:gAAAAunreadable"])
    sweep = check()
    assert Finding.objects.open().get().registration == world.registration
    assert sweep.failed == 3


def test_a_connection_to_another_client_id_must_reconnect(world):
    connection = world.connect(client_id="00000000-0000-0000-0000-000000000001")
    check()
    connection.refresh_from_db()
    assert connection.token_status == "invalid"
    assert Finding.objects.open().get().kind == "other_client"


def test_a_connection_without_a_token_must_reconnect(world):
    connection = world.connect()
    Connection.objects.filter(pk=connection.pk).update(refresh_token=None)
    check()
    assert Finding.objects.open().get().kind == "no_token"


@pytest.fixture
def refuses() -> Iterator[set[Any]]:
    """Subjects of which nothing can be saved: what is said of them breaks the transaction."""
    pks: set[Any] = set()

    def break_it(observation: Observation, **kwargs: Any) -> None:
        if observation.subject.pk in pks:
            Finding.objects.create(kind="of nobody")

    observed.connect(break_it)
    yield pks
    observed.disconnect(break_it)


def test_what_cannot_be_saved_costs_only_itself_and_ends_in_the_log(world, refuses, caplog):
    good, bad = world.connect("Anna"), world.connect("Bert")
    world.microsoft.disable_person(str(bad.oid))
    refuses.add(bad.pk)
    sweep = Sweep.objects.start_manual()
    with time_machine.travel(timezone.now(), tick=True) as clock:
        work(sweep)
        good.refresh_from_db()
        bad.refresh_from_db()
        assert (good.last_sweep, bad.last_sweep, bad.tries) == (sweep.pk, 0, 1)
        for _ in range(3):
            clock.shift(timedelta(minutes=5))
            lapse(Connection)
            work(sweep)
    bad.refresh_from_db()
    assert sweep.finished_at
    assert (sweep.done, sweep.set_aside) == (2, 1)
    assert bad.token_status == "active"
    assert str(bad.pk) in {record.subject for record in caplog.records if record.message == "result not saved"}


# Cost


def test_a_healthy_batch_takes_few_queries(world):
    for number in range(12):
        world.connect(f"Person{number}")
    sweep = Sweep.objects.start_manual()
    look_at(claim_and_die(sweep))
    with CaptureQueriesContext(database) as queries:
        batch = claim_and_die(sweep)
        looked = look(batch)
        saves.save(sweep, looked)
    real = [
        query["sql"] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))
    ]
    assert len(batch.rows) == 12
    assert len(real) <= 12, "\n".join(sql[:200] for sql in real)


def test_what_a_worker_died_with_comes_last_a_few_at_a_time_and_alone(world, monkeypatch):
    monkeypatch.setattr(claims, "BATCH", 4)
    monkeypatch.setattr(claims, "SUSPECTS", 2)
    make_many(world.registration, 6)
    sweep = Sweep.objects.start_manual()
    look_at(claim_and_die(sweep))
    died_with = {row.pk for row in claim_and_die(sweep).rows}
    lapse(Connection)
    look_at(claim_and_die(sweep))
    assert claims.claim(sweep, has_others=True) is None
    seen = [{row.pk for row in claim_and_die(sweep).rows} for _ in range(2)]
    assert [len(rows) for rows in seen] == [2, 2]
    assert seen[0] | seen[1] == died_with


def test_batches_are_bounded_and_in_order(world, monkeypatch):
    monkeypatch.setattr(claims, "BATCH", 4)
    make_many(world.registration, 6)
    sweep = Sweep.objects.start_manual()
    look_at(claim_and_die(sweep))
    first, second = (claim_and_die(sweep).rows for _ in range(2))
    assert [row.pk for row in first] == sorted(row.pk for row in first)
    assert (len(first), len(second)) == (4, 2)
    assert max(row.pk for row in first) < min(row.pk for row in second)


def test_a_turn_ends_when_its_time_is_up(world):
    sweep = Sweep.objects.start_manual()
    assert list(ledger.work(sweep.pk, seconds=0)) == []
    assert ledger.has_work(sweep)


def test_a_worker_that_is_stopped_saves_what_it_has_and_gives_back_the_rest(world, settings, monkeypatch):
    settings.CHECKS_IN_FLIGHT = 1
    monkeypatch.setattr(ledger, "SAVE", 1)
    people = [world.connect(f"Person{number}") for number in range(8)]
    world.microsoft.set_fault("slow", seconds=0.2, grant_type="refresh_token")
    sweep = Sweep.objects.start_manual()
    working = ledger.work(sweep.pk)
    assert [next(working), next(working)] == [1, 1]
    with pytest.raises(SystemExit):
        working.throw(SystemExit())
    rows = Connection.objects.all()
    asked = refreshes(world)
    assert len(asked) < len(people)
    assert {str(row.oid) for row in rows if row.last_sweep == sweep.pk} == set(asked)
    assert {(row.lease_by, row.tries) for row in rows} == {(None, 0)}
