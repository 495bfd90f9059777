"""The crew at work: who makes the questions, on which core, and what it leaves behind."""

import gc
import os
import threading
from dataclasses import replace

import pytest

from monitoring import sweep as ledger
from monitoring.models import Finding, Sweep
from monitoring.process import set_to_sweep
from oauth.models import Connection
from tenants import clouds
from tests.factories import make_connection

from .conftest import World, check


@pytest.fixture
def built_in(world: World, settings, monkeypatch) -> World:
    """The sandbox in the place of a cloud whose discovery is known: the worker's own thread makes its questions."""
    for name in ("Anna", "Berta", "Carla"):
        world.connect(name)  # on pages of another origin, which no cloud that is built in has
    settings.EXTRA_CLOUDS = []
    monkeypatch.setattr(clouds, "BUILT_IN", (replace(world.cloud, built_in=True, browser_origin=None),))
    return world


def test_connections_of_a_built_in_cloud_are_renewed_and_kept(built_in):
    before = {connection.refresh_token.reveal("test") for connection in Connection.objects.all()}
    sweep = check()
    assert (sweep.planned, sweep.done, sweep.failed) == (4, 4, 0)
    after = Connection.objects.all()
    assert [connection.token_status for connection in after] == ["active"] * 3
    assert len({connection.refresh_token.reveal("test") for connection in after} - before) == 3
    assert not Finding.objects.exists()


def test_one_client_secret_that_is_wrong_is_one_finding_there_too(built_in):
    built_in.credential.value = "not-the-secret"
    built_in.credential.save()
    check()
    assert Finding.objects.open().get().kind == "secret_invalid"


def test_each_of_a_registrations_connections_has_its_own_verdict_there(built_in):
    built_in.microsoft.revoke_sessions(str(Connection.objects.get(address__startswith="berta").oid))
    check()
    states = {c.address.split("@")[0]: c.token_status for c in Connection.objects.all()}
    assert states == {"anna": "active", "berta": "dead", "carla": "active"}


def test_a_429_closes_the_door_for_the_rest_there_too(built_in, settings):
    settings.CHECKS_IN_FLIGHT = 1
    built_in.microsoft.set_fault("throttled", grant_type="refresh_token")
    before = len(built_in.microsoft.token_requests())
    check()
    refreshes = [r for r in built_in.microsoft.token_requests()[before:] if r["grant_type"] == "refresh_token"]
    assert len(refreshes) == 1
    assert not Connection.objects.filter(next_at=None).exists()


def test_what_breaks_one_question_costs_only_itself(built_in, monkeypatch):
    broken = make_connection(built_in.registration, tid=built_in.directory["id"])
    Connection.objects.filter(pk=broken.pk).update(scopes_asked=[1], scopes_granted=[1])  # no text: nothing to ask for
    sweep = check()
    assert Connection.objects.exclude(refreshed_at=None).count() == 3
    assert sweep.done == 4


@pytest.fixture
def cores() -> set[int]:
    own = os.sched_getaffinity(0)
    yield own
    os.sched_setaffinity(0, own)


def test_a_worker_and_its_threads_keep_to_one_core_and_leave_the_others_alone(cores):
    seen = []
    with set_to_sweep():
        (core,) = os.sched_getaffinity(0)
        assert core in cores
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
        assert gc.get_freeze_count() > 0
    assert seen == [{core}]
    assert os.sched_getaffinity(0) == cores
    assert gc.get_freeze_count() == 0


def test_workers_of_different_processes_have_different_cores(cores, monkeypatch):
    chosen = []
    for pid in (30, 31, 32):
        with monkeypatch.context() as patched:
            patched.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7})
            patched.setattr(os, "sched_setaffinity", lambda pid, cpus: chosen.append(cpus))
            patched.setattr(os, "getpid", lambda pid=pid: pid)
            with set_to_sweep():
                pass
    assert chosen[::2] == [{3}, {5}, {7}]
    assert chosen[1::2] == [{3, 5, 7}] * 3


def test_where_no_core_may_be_chosen_it_goes_without(cores, monkeypatch):
    def refuse(pid, cpus):
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "sched_setaffinity", refuse)
        with set_to_sweep():
            assert os.sched_getaffinity(0)


def test_a_worker_that_is_interrupted_gives_its_core_back_and_sends_its_threads_home(world, cores):
    world.connect()
    running = threading.active_count()
    work = ledger.work(Sweep.objects.start_manual().pk)
    next(work)
    assert len(os.sched_getaffinity(0)) == 1
    work.close()
    assert os.sched_getaffinity(0) == cores
    for thread in [thread for thread in threading.enumerate() if thread.name == "look"]:
        thread.join(timeout=5)
    assert threading.active_count() <= running
