"""The tasks as a worker runs them: by number, safe to lose or to double, and with nothing secret on their way."""

import json
import logging
import threading

import pytest
from celery.signals import before_task_publish
from django.db import connection as database
from django.utils import timezone

from config.logs import Lines
from monitoring import tasks
from monitoring.models import Delivery, Finding, Sweep
from oauth.models import ConsentAttempt
from tests.canary import find
from tests.factories import make_connection, make_link, make_registration

from .test_findings import fault, see


def test_a_sweep_ends_with_its_alerts_rung_for(world, rung, django_capture_on_commit_callbacks):
    world.registration.directory = "00000000-0000-0000-0000-000000000009"
    world.registration.save()
    sweep = Sweep.objects.start_manual()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.work_on_sweep(sweep.pk)
    sweep.refresh_from_db()
    assert sweep.finished_at
    assert rung == [("monitoring.tasks.deliver_due", ())]


def test_work_that_outlasts_its_turn_rings_for_the_next(world, rung, monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setattr(tasks, "RUN", 0)
    sweep = Sweep.objects.start_manual()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.work_on_sweep(sweep.pk)
    assert rung == [("monitoring.tasks.work_on_sweep", (sweep.pk,))]


def test_a_bell_for_a_sweep_that_is_over_or_unknown_does_nothing(db, rung, django_capture_on_commit_callbacks):
    sweep = Sweep.objects.start_manual()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.work_on_sweep(sweep.pk)  # nothing is live: it closes at once
        tasks.work_on_sweep(sweep.pk)
        tasks.work_on_sweep(sweep.pk + 1)
    sweep.refresh_from_db()
    assert sweep.finished_at
    assert rung == []


@pytest.mark.django_db(transaction=True)
def test_a_doubled_task_refreshes_every_token_once(world):
    people = [str(world.connect(f"Person{number}").oid) for number in range(6)]
    sweep = Sweep.objects.start_manual()
    problems = []

    def task() -> None:
        try:
            tasks.work_on_sweep(sweep.pk)
        except BaseException as problem:
            problems.append(problem)
        finally:
            database.close()

    threads = [threading.Thread(target=task) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    tasks.work_on_sweep(sweep.pk)
    asked = [request["oid"] for request in world.microsoft.token_requests() if request["grant_type"] == "refresh_token"]
    sweep.refresh_from_db()
    assert problems == []
    assert sorted(asked) == sorted(people)
    assert sweep.finished_at


def test_due_deliveries_are_sent_by_their_task(db, mailoutbox):
    see(make_connection(make_registration(alert_emails=["ops@example.com"])), fault())
    tasks.deliver_due()
    assert len(mailoutbox) == 1
    assert Delivery.objects.get().state == "sent"


def test_no_secret_reaches_a_mail_a_log_a_finding_or_a_task(world, mailoutbox, django_capture_on_commit_callbacks):
    """Through a healthy check and every kind of refusal and silence, before the log's own filter takes anything out."""
    lines: list[bytes] = []
    sent: list[bytes] = []

    class Sink(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record).encode())

    def note(body: object, headers: object, **kwargs: object) -> None:
        sent.append(json.dumps([body, headers], default=str).encode())

    sink = Sink(logging.DEBUG)
    sink.setFormatter(Lines())
    logging.getLogger().addHandler(sink)
    before_task_publish.connect(note)
    try:
        connection = world.connect()
        secrets = {"client secret": world.secret["value"], "first token": connection.refresh_token.reveal("test")}
        for trouble in (None, "html", "empty", "garbage", 7000215, 50173):
            world.microsoft.clear_faults()
            if trouble:
                world.microsoft.set_fault(trouble)
            with django_capture_on_commit_callbacks(execute=True):
                tasks.work_on_sweep(Sweep.objects.start_manual().pk)
                tasks.deliver_due()
        connection.refresh_from_db()
        secrets["last token"] = connection.refresh_token.reveal("test")
        leaked = [*lines, f"a line with {secrets['last token']} in it".encode()]
    finally:
        logging.getLogger().removeHandler(sink)
        before_task_publish.disconnect(note)
    mails = [mail.message().as_bytes() for mail in mailoutbox]
    findings = [json.dumps(list(Finding.objects.values()), default=str).encode()]
    sinks = {"log": lines, "mail": mails, "task": sent, "finding": findings}
    assert all(sinks.values())
    assert find(secrets, ((name, content) for name, contents in sinks.items() for content in contents)) == []
    assert find(secrets, (("log", line) for line in leaked))  # the search would have found one


def test_the_reconciler_wipes_what_was_kept_for_answers_that_cannot_come(db):
    attempt = ConsentAttempt(link=make_link()[0], state_digest="s", browser_digest="b", expires_at=timezone.now())
    attempt.flow = "not a real flow"
    attempt.save()
    tasks.reconcile()
    attempt.refresh_from_db()
    assert attempt.flow is None
