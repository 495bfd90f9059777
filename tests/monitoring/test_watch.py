"""Who watches the watcher: a nightly check that does not finish is a finding, a red line, a 503, and no heartbeat."""

from datetime import date, datetime, time, timedelta

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from monitoring import kinds, schedule, tasks, watch
from monitoring.models import Alert, Delivery, Finding, Sweep
from monitoring.views import IN_SHORT
from tests.factories import make_operator, make_registration, make_superuser

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=timezone.get_fixed_timezone(0))
TODAY = date(2026, 6, 10)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def noon():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def night(of: date, *, finished: datetime | None = None) -> Sweep:
    return Sweep.objects.create(
        kind="nightly", night=of, started_at=schedule.start_of(of, time(2, 30)), finished_at=finished
    )


def finished_ago(hours: float) -> Sweep:
    """A nightly check that finished so many hours ago, of the night that it then was."""
    finished = NOW - hours * HOUR
    return night(schedule.night_of(finished, time(2, 30)), finished=finished)


@pytest.fixture
def something(noon):
    """A registration that has been here for long."""
    return make_registration(created_at=NOW - timedelta(days=400))


def is_overdue() -> bool:
    return watch.state(timezone.now()).is_overdue


# What is overdue


def test_no_finished_check_for_longer_than_the_setting_is_overdue(something, settings):
    finished_ago(27)
    assert is_overdue()
    settings.WATCH_HOURS = 28
    assert not is_overdue()


def test_within_the_setting_it_is_not(something):
    finished_ago(25.9)
    assert not is_overdue()


def test_a_check_that_was_started_and_does_not_finish_is_overdue(something):
    finished_ago(30)
    night(TODAY)
    assert is_overdue()


def test_a_check_that_somebody_asked_for_is_no_night(something):
    finished_ago(30)
    Sweep.objects.create(kind="manual", finished_at=NOW - HOUR)
    assert is_overdue()


def test_a_fresh_install_is_not_overdue():
    assert not is_overdue()


def test_what_is_new_is_not_overdue_until_it_has_been_here_for_as_long(noon):
    make_registration(created_at=NOW)
    noon.shift(25 * HOUR)
    assert not is_overdue()
    noon.shift(2 * HOUR)
    assert is_overdue()


def test_where_nothing_is_looked_after_nothing_is_overdue(something):
    something.archived_at = NOW
    something.save()
    assert not is_overdue()


def test_the_gap_that_a_later_time_makes_is_not_overdue_but_what_comes_after_it_is(something, noon):
    """From 2:30 to 14:00: nobody has skipped a night."""
    night(TODAY, finished=NOW - 9 * HOUR)
    schedule.change(time(14, 0))
    noon.move_to(NOW + timedelta(days=1, hours=1, minutes=59))
    assert not is_overdue()
    noon.shift(2 * HOUR)  # two hours beyond the day is what every night is given
    assert not is_overdue()
    noon.shift(timedelta(minutes=2))
    assert is_overdue()


def test_a_dead_clock_stays_overdue_when_the_next_night_comes(something, noon):
    finished_ago(9.5)
    noon.shift(timedelta(days=3))
    for _ in range(48):
        assert is_overdue()
        noon.shift(HOUR)


# (a) a finding


def test_the_finding_opens_once_and_is_resolved_when_a_night_has_finished(something):
    finished_ago(30)
    for _ in range(3):
        watch.tell(NOW)
    finding = Finding.objects.get()
    assert (finding.kind, finding.watch, finding.tenant, finding.severity) == (
        "sweep_overdue",
        "night",
        None,
        "critical",
    )
    assert [delivery.target for delivery in Delivery.objects.all()] == ["email:ops@example.com"]
    night(TODAY, finished=NOW)
    watch.tell(NOW)
    finding.refresh_from_db()
    assert finding.resolved_at == NOW
    assert [alert.step for alert in Alert.objects.order_by("pk")] == [1, Alert.RESOLVED]


def test_the_reconciler_tells_it(something, rung):
    finished_ago(30)
    tasks.reconcile()
    assert Finding.objects.get().kind == "sweep_overdue"


def test_while_all_is_well_nothing_is_written(something, django_assert_max_num_queries):
    finished_ago(9)
    with django_assert_max_num_queries(3) as queries:
        watch.tell(NOW)
    assert not any("UPDATE" in query["sql"] or "INSERT" in query["sql"] for query in queries)


def test_a_clock_that_was_switched_off_in_the_database_is_said(something):
    finished_ago(9)
    schedule.keep()
    PeriodicTask.objects.update(enabled=False)
    watch.tell(NOW)
    assert Finding.objects.get().kind == "clock_switched_off"
    schedule.change(time(2, 30))
    watch.tell(NOW)
    assert Finding.objects.get().resolved_at == NOW


def test_a_night_that_was_switched_off_begins_all_the_same(something, noon, rung, django_capture_on_commit_callbacks):
    finished_ago(9)
    schedule.keep()
    PeriodicTask.objects.update(enabled=False)
    noon.shift(timedelta(days=1))
    with django_capture_on_commit_callbacks(execute=True):
        tasks.reconcile()
    assert ("monitoring.tasks.start_sweep", ()) in rung


# (b) a red line


def test_every_page_of_the_admin_says_so(something, client):
    client.force_login(make_superuser())
    sweep = finished_ago(9)
    assert "has not finished in time" not in client.get("/admin/").content.decode()
    Sweep.objects.filter(pk=sweep.pk).update(finished_at=None)
    for address in ("/admin/", "/admin/tenants/tenant/", "/admin/tenants/tenant/add/", "/admin/calendar/"):
        assert kinds.KINDS["sweep_overdue"].what in client.get(address).content.decode()


def test_operators_of_one_tenant_see_it_too_and_whoever_is_not_signed_in_does_not(something, client):
    finished_ago(30)
    assert "alarm" not in client.get("/admin/login/").content.decode()
    client.force_login(make_operator())
    assert "has not finished in time" in client.get("/admin/").content.decode()


def test_the_line_costs_a_page_two_queries(something, django_assert_num_queries):
    finished_ago(9)
    with django_assert_num_queries(2):
        watch.state(NOW)


# (c) a page for whoever watches from outside


def test_healthz_watch_answers_ok_and_is_never_kept(something, client):
    finished_ago(9)
    response = client.get("/healthz/watch/")
    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]


def test_healthz_watch_says_in_a_few_words_what_is_wrong_and_names_nothing(something, client):
    finished_ago(30)
    schedule.keep()
    PeriodicTask.objects.update(enabled=False)
    response = client.get("/healthz/watch/")
    assert response.status_code == 503
    assert response.content == b"the nightly check is overdue; the clock of the nightly check is switched off"


def test_healthz_watch_says_so_when_the_database_is_gone(client):
    def gone(execute, sql, params, many, context):
        raise DatabaseError("gone")

    with connection.execute_wrapper(gone):
        response = client.get("/healthz/watch/")
    assert (response.status_code, response.content) == (503, b"the database is unreachable")


def test_healthz_watch_needs_no_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz/watch/").status_code == 200
    assert client.post("/healthz/watch/").status_code == 405


def test_every_fault_of_the_watch_has_its_few_words():
    assert set(IN_SHORT) == {kind for kind, row in kinds.KINDS.items() if row.subjects == "the nightly check"}
