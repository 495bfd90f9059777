"""Verify: killed anywhere, doubled, late, or overtaken by an edit, it ends once and with what is true."""

import os
import signal
import time
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connections
from django.utils import timezone

from monitoring import sweep as night
from monitoring.models import Finding, Sweep
from monitoring.tasks import reconcile
from oauth import verify as verifying
from oauth.models import Verification
from oauth.tasks import verify
from oauth.verify import MOST_TRIES
from tenants import fault_points
from tenants.models import AppRegistration, Credential, Event
from tests.factories import make_credential
from tests.leases import lapse
from tests.oauth.consenting import at_once
from tests.oauth.verifying import ask, report, set_up, states, step, turn

POINTS = ["verify.directory", "verify.signing_in", "verify.signed_in", "verify.read", "verify.ending", "verify.ended"]


def kill_at(point: str, verification: Verification) -> None:
    """Have another process work on it, which ends there as if by kill -9."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        fault_points._AT = point
        try:
            verify(verification.pk)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it did not get there"
    assert os.WTERMSIG(status) == signal.SIGKILL
    lapse(Verification)


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_is_finished_by_another_once(threaded_world, point):
    world = threaded_world
    set_up(world)
    new = world.microsoft.add_secret(world.app["client_id"])
    proposed = Credential.objects.propose(world.registration, new["value"], timezone.now() + timedelta(days=9))
    made = ask(world.registration, credential=proposed)

    kill_at(point, made)
    assert Credential.objects.current().count() == 1
    made = turn(made)

    assert made.outcome == "ok"
    current = Credential.objects.current().get()
    assert (current, str(current.key_id), current.ends_at_typed) == (proposed, new["key_id"], False)
    assert Event.objects.filter(verb="new secret in use").count() == 1
    assert [row["key"] for row in made.steps].count("sign_in") == 1


def test_what_always_dies_is_given_up(world):
    made = ask(world.registration)
    for _ in range(MOST_TRIES):
        assert Verification.objects.claim(made.pk) is not None
        lapse(Verification)
    made = turn(made)
    assert made.outcome == "unanswered"
    assert "stopped 5 times" in step(made, "configuration")["seen"]
    assert not world.microsoft.token_requests()


def test_of_two_workers_one_asks(threaded_world):
    made = ask(threaded_world.registration)
    at_once(lambda: verify(made.pk), lambda: verify(made.pk))
    assert len(threaded_world.microsoft.token_requests()) == 1
    assert Verification.objects.get().outcome == "ok"


def test_who_comes_too_late_saves_nothing(world):
    make_credential(world.registration, value="not-a-real-secret-0000")
    Credential.objects.update(created_at=timezone.now() - timedelta(hours=1))
    made = ask(world.registration)
    late = Verification.objects.claim(made.pk)
    lapse(Verification)
    assert Verification.objects.claim(made.pk) is not None
    verifying.run(late)
    made.refresh_from_db()
    assert (made.steps, made.outcome) == ([], "")
    assert not Finding.objects.exists()


def test_the_reconciler_rings_for_what_is_due(world, rung, django_capture_on_commit_callbacks):
    made, other = ask(world.registration), ask(world.registration, kind=Verification.Kind.SYNC)
    Verification.objects.filter(pk=other.pk).update(next_at=timezone.now() + timedelta(hours=1))
    with django_capture_on_commit_callbacks(execute=True):
        reconcile()
    assert [bell for bell in rung if bell[0] == "oauth.tasks.verify"] == [("oauth.tasks.verify", (made.pk,))]


def test_what_has_finished_rings_no_more(world, rung, django_capture_on_commit_callbacks):
    set_up(world)
    made = ask(world.registration, kind=Verification.Kind.SYNC)
    Verification.objects.filter(pk=made.pk).update(next_at=timezone.now() - timedelta(minutes=5))
    with django_capture_on_commit_callbacks(execute=True):
        verify(made.pk)
    assert Verification.objects.get(pk=made.pk).outcome == "ok"
    assert [name for name, _ in rung if name == "oauth.tasks.verify"] == []


def test_of_more_than_one_turn_takes_who_waits_longest_comes_first(world):
    asked = [ask(world.registration, kind=kind) for kind in Verification.Kind]
    assert list(Verification.objects.due()) == asked


def test_what_waits_a_few_seconds_is_rung_for_by_itself(world, rung, django_capture_on_commit_callbacks):
    world.microsoft.set_fault(7000215)
    made = ask(world.registration)
    with django_capture_on_commit_callbacks(execute=True):
        verify(made.pk)
    assert ("oauth.tasks.verify", (made.pk,)) in rung


# Edits meanwhile


@pytest.mark.parametrize(
    "change", [{"client_id": "00000000-1111-2222-3333-444444444444"}, {"directory": "nobody.example"}]
)
def test_what_was_asked_of_the_old_values_is_not_said_of_the_new_ones(world, change):
    made = Verification.objects.claim(ask(world.registration).pk)
    AppRegistration.objects.update(**change)
    verifying.run(made)
    made.refresh_from_db()
    assert (made.outcome, made.steps) == ("", [])
    assert Credential.objects.get().worked_at is None
    assert turn(made).outcome == "failed"


def test_one_that_is_archived_meanwhile_is_left_alone(world):
    made = Verification.objects.claim(ask(world.registration).pk)
    AppRegistration.objects.update(archived_at=timezone.now())
    verifying.run(made)
    assert "archived" in step(turn(made), "configuration")["seen"]
    assert Credential.objects.get().worked_at is None


def test_a_secret_that_is_replaced_meanwhile_gets_nothing_of_the_old_ones(threaded_world):
    world = threaded_world
    set_up(world)
    world.microsoft.set_fault("slow", grant_type="graph", seconds=2, times=1)
    new = world.microsoft.add_secret(world.app["client_id"])
    made = ask(world.registration)

    def replace() -> None:
        while not _has_signed_in(made):
            time.sleep(0.05)
        make_credential(world.registration, value=new["value"])

    at_once(lambda: verify(made.pk), replace)
    made.refresh_from_db()
    assert (made.outcome, made.in_entra) == ("", {})
    assert not Credential.objects.filter(key_id__isnull=False).exists()
    assert turn(made).outcome == "ok"
    assert str(Credential.objects.current().get().key_id) == new["key_id"]


def _has_signed_in(verification: Verification) -> bool:
    return Verification.objects.get(pk=verification.pk).has_signed_in


# With the night's check


def test_after_a_check_whose_sign_in_worked_what_could_be_read_is_read_again(world):
    set_up(world)
    report(world.registration)
    Verification.objects.update(sync_after=timezone.now())
    list(night.work(Sweep.objects.start_manual(world.registration).pk))
    again = Verification.objects.get(kind="sync")
    assert (again.asked_by, again.finished_at) == (None, None)
    assert timezone.now() <= again.next_at <= timezone.now() + timedelta(hours=1)
    assert turn(again).sync_after is not None
    assert Verification.objects.filter(sync_after__isnull=False).count() == 1


def test_after_one_that_was_refused_it_is_not(world):
    set_up(world)
    report(world.registration)
    Verification.objects.update(sync_after=timezone.now())
    world.microsoft.set_fault(7000215)
    list(night.work(Sweep.objects.start_manual(world.registration).pk))
    assert not Verification.objects.filter(kind="sync").exists()


def test_one_that_is_being_verified_anyhow_is_not_read_twice(world):
    set_up(world)
    report(world.registration)
    Verification.objects.update(sync_after=timezone.now())
    ask(world.registration)
    Verification.objects.sync_again([world.registration])
    assert not Verification.objects.filter(kind="sync").exists()


def test_what_may_not_be_read_any_more_is_not_asked_for_every_night(world):
    set_up(world)
    report(world.registration)
    world.microsoft.owns_itself(world.app["client_id"], False)
    report(world.registration)
    assert not Verification.objects.filter(sync_after__isnull=False).exists()


def test_what_gave_no_answer_tonight_is_read_tomorrow(world):
    set_up(world)
    world.microsoft.set_fault("down", grant_type="graph")
    made = report(world.registration, kind=Verification.Kind.SYNC)
    for _ in range(MOST_TRIES - 1):
        made = turn(made)
    assert (made.outcome, made.sync_after is not None) == ("unanswered", True)


def test_what_was_changed_every_time_it_was_asked_about_is_read_tomorrow(world):
    set_up(world)
    made = ask(world.registration, kind=Verification.Kind.SYNC)
    for number in range(MOST_TRIES):
        claimed = Verification.objects.claim(made.pk)
        AppRegistration.objects.update(directory=f"nobody{number}.example")
        verifying.run(claimed)
    made.refresh_from_db()
    assert (made.outcome, made.sync_after is not None) == ("unanswered", True)
    assert states(made) == {"directory": "unanswered", "sign_in": "skipped", "application": "skipped"}


def test_old_nights_are_forgotten_and_the_last_word_is_kept(world):
    long_ago = timezone.now() - timedelta(days=31)
    rows = [Verification(registration=world.registration, kind=kind, finished_at=long_ago) for kind in ("sync",) * 2]
    rows.append(Verification(registration=world.registration, finished_at=long_ago))
    rows.append(Verification(registration=world.registration, kind="sync", finished_at=long_ago))
    made = Verification.objects.bulk_create(rows)
    Verification.objects.forget_old()
    assert list(Verification.objects.order_by("pk")) == made[2:]


# Secrets


def test_no_secret_stands_in_a_report_in_history_or_in_the_log(world, caplog):
    caplog.set_level("DEBUG")
    set_up(world)
    values = [world.secret["value"], "not-a-real-secret-0000"]
    world.microsoft.add_secret(world.app["client_id"], name="another")
    report(world.registration)
    make_credential(world.registration, value=values[1])
    report(world.registration)
    Credential.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert states(report(world.registration))["sign_in"] == "failed"
    for model in apps.get_models():
        for row in model._default_manager.values_list():
            assert not any(value in str(column) for value in values for column in row), model
    assert not any(value in caplog.text for value in values)
