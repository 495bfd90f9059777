"""The outgoing heartbeat: it comes while all is well, and each thing that is to wake somebody stops it."""

import secrets
import threading
from datetime import date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from monitoring import heartbeat, schedule, tasks
from monitoring.models import Delivery, Heartbeat, Sweep
from tests.factories import make_registration, make_tenant
from tests.world import make_channel

from .receiver import Receiver

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=timezone.get_fixed_timezone(0))
TODAY = date(2026, 6, 10)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECRET = secrets.token_urlsafe(16)


@pytest.fixture
def noon():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def receiver(settings):
    with Receiver() as receiver:
        settings.HEARTBEAT_URL = f"{receiver.origin}/ping/{SECRET}"
        yield receiver


@pytest.fixture
def site(db, noon, receiver, rung):
    """A site on which something is looked after and the night was checked; nine hours ago."""
    make_registration(created_at=NOW - timedelta(days=400))
    return Sweep.objects.create(kind="nightly", night=TODAY, started_at=NOW - 10 * HOUR, finished_at=NOW - 9 * HOUR)


def wait_for(minutes: int, noon) -> None:
    """The reconciler comes every minute."""
    for _ in range(minutes):
        tasks.reconcile()
        noon.shift(MINUTE)


def make_delivery(*, waits: timedelta, target: str = "email:ops@example.com", **fields) -> Delivery:
    created = timezone.now() - waits
    defaults = {"target": target, "address": "x@example.com", "created_at": created, "next_at": NOW + HOUR}
    return Delivery.objects.create(**{**defaults, **fields})


def test_it_comes_every_five_minutes_by_get_to_the_whole_address(site, noon, receiver):
    wait_for(16, noon)
    assert receiver.asked == [f"/ping/{SECRET}"] * 4
    assert Heartbeat.objects.get().sent_at == NOW + 15 * MINUTE


def test_without_an_address_nobody_is_called(site, noon, receiver, settings):
    settings.HEARTBEAT_URL = ""
    wait_for(6, noon)
    assert receiver.asked == []


def test_it_comes_on_a_fresh_install_too(db, noon, receiver, rung):
    tasks.reconcile()
    assert len(receiver.asked) == 1


def test_it_goes_on_while_the_night_is_being_checked(site, noon, receiver):
    Sweep.objects.create(kind="nightly", night=date(2026, 6, 11), started_at=NOW)
    tasks.reconcile()
    assert len(receiver.asked) == 1


def test_a_check_that_does_not_finish_stops_it(site, noon, receiver):
    Sweep.objects.filter(pk=site.pk).update(finished_at=None)
    wait_for(10, noon)
    assert receiver.asked == []
    Sweep.objects.filter(pk=site.pk).update(finished_at=timezone.now())
    tasks.reconcile()
    assert len(receiver.asked) == 1


def test_a_clock_that_was_switched_off_stops_it(site, noon, receiver):
    schedule.keep()
    PeriodicTask.objects.update(enabled=False)
    wait_for(10, noon)
    assert receiver.asked == []


@pytest.mark.parametrize("target", ["email:ops@example.com", "channel for all"])
def test_a_message_to_operators_that_is_overdue_stops_it_until_it_is_sent(site, noon, receiver, target):
    channel = make_channel(None) if target == "channel for all" else None
    delivery = make_delivery(waits=61 * MINUTE, target=f"channel:{channel.pk}" if channel else target, channel=channel)
    wait_for(10, noon)
    assert receiver.asked == []
    Delivery.objects.filter(pk=delivery.pk).update(state=Delivery.State.SENT)
    tasks.reconcile()
    assert len(receiver.asked) == 1


def test_the_address_of_operators_counts_however_it_is_written(site, receiver, settings):
    settings.ALERT_EMAILS = ["Ops@Example.com"]
    make_delivery(waits=2 * HOUR)
    tasks.reconcile()
    assert receiver.asked == []


def test_a_message_that_waits_for_less_than_an_hour_is_not_overdue(site, receiver):
    make_delivery(waits=59 * MINUTE)
    tasks.reconcile()
    assert len(receiver.asked) == 1


def test_a_digest_is_overdue_an_hour_after_its_time_and_not_while_it_is_gathered(site, noon, receiver):
    make_delivery(waits=20 * HOUR, digest_at=NOW + 10 * MINUTE)
    tasks.reconcile()
    assert len(receiver.asked) == 1
    noon.shift(69 * MINUTE)
    tasks.reconcile()
    assert len(receiver.asked) == 2
    noon.shift(6 * MINUTE)
    tasks.reconcile()
    assert len(receiver.asked) == 2


def test_one_customers_dead_webhook_addresses_or_contacts_wake_nobody(site, receiver):
    tenant = make_tenant()
    channel = make_channel(tenant, kind="webhook")
    make_delivery(waits=50 * HOUR, target=f"channel:{channel.pk}", channel=channel, tenant=tenant)
    make_delivery(waits=50 * HOUR, target="email:it@contoso.example", tenant=tenant)
    make_delivery(waits=50 * HOUR, target="contact:ops@example.com", tenant=tenant)
    make_delivery(waits=99 * HOUR, state=Delivery.State.SET_ASIDE)
    tasks.reconcile()
    assert len(receiver.asked) == 1


@pytest.mark.parametrize(("status", "problem"), [(500, "status 500"), (404, "status 404"), (302, "status 302")])
def test_an_answer_that_is_no_yes_is_shown_and_tried_again_a_minute_later(site, noon, receiver, status, problem):
    receiver.status, receiver.headers = status, {"Location": f"{receiver.origin}/elsewhere"}
    wait_for(2, noon)
    row = Heartbeat.objects.get()
    assert (row.problem, row.sent_at) == (problem, None)
    assert receiver.asked == [f"/ping/{SECRET}"] * 2  # and no redirect is followed
    receiver.status = 200
    tasks.reconcile()
    assert Heartbeat.objects.get().problem == ""


def test_what_goes_wrong_is_logged_by_its_class_and_never_with_the_address(site, receiver, caplog):
    receiver.stop()
    tasks.reconcile()
    (record,) = [record for record in caplog.records if record.message == "heartbeat not sent"]
    assert record.problem == "NewConnectionError"
    assert SECRET not in caplog.text + str([vars(record) for record in caplog.records])
    assert Heartbeat.objects.get().problem == "NewConnectionError"


def test_what_the_rest_of_the_reconciler_cannot_do_stops_it(site, receiver):
    def full(execute, sql, params, many, context):
        if "oauth_requestcount" in sql:
            raise OSError("disk full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(full), pytest.raises(OSError, match="disk full"):
        tasks.reconcile()
    assert receiver.asked == []


@pytest.mark.django_db(transaction=True)
def test_several_at_once_send_one(receiver, noon):
    gate = threading.Barrier(6)

    def one() -> None:
        try:
            gate.wait()
            heartbeat.send(NOW)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.asked) == 1
