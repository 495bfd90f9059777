"""Alerts on their way: sent once, tried again from the database, set aside in the end; and whether anybody is told."""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from monitoring import alerts
from monitoring.models import Alert, Delivery, Finding
from monitoring.models.alert import LEASE
from tests.factories import make_connection, make_registration, make_tenant

from .smtp_server import SmtpServer
from .test_findings import fault, see

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail_server(settings):
    with SmtpServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        yield server


def make_delivery(*addresses: str) -> Delivery:
    see(make_connection(make_registration(alert_emails=list(addresses or ["ops@example.com"]))), fault())
    return Delivery.objects.latest("created_at")


def no_mail_server(settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens there


# Sent


def test_what_is_due_is_sent_once(mailoutbox):
    make_delivery("one@example.com", "two@example.com")
    alerts.deliver_due()
    alerts.deliver_due()
    assert sorted(mail.to[0] for mail in mailoutbox) == ["one@example.com", "two@example.com"]
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


def test_every_try_is_on_record(mail_server):
    delivery = make_delivery()
    mail_server.refused = {"ops@example.com"}
    with time_machine.travel(timezone.now(), tick=True) as clock:
        alerts.deliver_due()
        mail_server.refused = set()
        clock.shift(timedelta(minutes=1))
        alerts.deliver_due()
    delivery.refresh_from_db()
    assert [entry["problem"] for entry in delivery.tries] == ["SMTPRecipientsRefused 550", ""]
    assert delivery.sent_at
    assert len(mail_server.mails) == 1


def test_one_bad_address_keeps_nobody_else_waiting(mail_server):
    mail_server.refused = {"bad@example.com"}
    make_delivery("bad@example.com", "good@example.com", "also@example.com")
    alerts.deliver_due()
    assert sorted(mail["To"] for mail in mail_server.mails) == ["also@example.com", "good@example.com"]


def test_a_run_uses_one_connection_while_all_goes_well(mail_server):
    make_delivery(*(f"number{number}@example.com" for number in range(5)))
    alerts.deliver_due()
    assert (len(mail_server.mails), mail_server.sessions) == (5, 1)


def test_a_server_that_takes_a_message_and_hangs_up_gets_it_again_under_the_same_id(mail_server):
    mail_server.drops = 1
    make_delivery("one@example.com", "two@example.com")
    with time_machine.travel(timezone.now(), tick=True) as clock:
        alerts.deliver_due()
        assert len(mail_server.mails) == 2  # the next message has a connection of its own
        clock.shift(timedelta(minutes=1))
        alerts.deliver_due()
    assert len(mail_server.mails) == 3
    assert len({mail["Message-ID"] for mail in mail_server.mails}) == 2


def test_a_mail_server_that_is_down_is_tried_again_with_growing_pauses(settings):
    no_mail_server(settings)
    delivery = make_delivery()
    waited = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(7):
            alerts.deliver_due()
            delivery.refresh_from_db()
            waited.append(delivery.next_at - timezone.now())
            clock.move_to(delivery.next_at)
    assert waited == [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 240, 240, 240)]


def test_a_mail_server_that_is_back_after_a_weekend_gets_everything(settings, mail_server):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    delivery = make_delivery()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(15):
            alerts.deliver_due()
            clock.shift(timedelta(hours=4))
        settings.EMAIL_PORT = port
        clock.shift(timedelta(hours=4))
        alerts.deliver_due()
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert len(mail_server.mails) == 1


def test_after_three_days_it_is_set_aside_and_the_log_says_so(settings, caplog):
    no_mail_server(settings)
    delivery = make_delivery()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(20):
            alerts.deliver_due()
            clock.shift(timedelta(hours=4))
    delivery.refresh_from_db()
    assert delivery.state == "set_aside"
    assert not Delivery.objects.due().exists()
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.delivery for record in errors] == [str(delivery.pk)]


# Claimed


def test_nobody_else_claims_what_is_being_sent():
    delivery = make_delivery()
    assert Delivery.objects.claim(delivery.pk)
    assert Delivery.objects.claim(delivery.pk) is None


def test_what_failed_elsewhere_between_reading_and_claiming_is_not_claimed(settings):
    no_mail_server(settings)
    delivery = make_delivery()
    others: list[str] = []

    def another_sender_first(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and not others:
            others.append(sql)
            alerts.deliver_due()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(another_sender_first):
        assert Delivery.objects.claim(delivery.pk) is None
    delivery.refresh_from_db()
    assert len(delivery.tries) == 1


def test_what_was_interrupted_is_sent_when_its_lease_is_over(mailoutbox):
    delivery = make_delivery()
    with time_machine.travel(timezone.now(), tick=True) as clock:
        Delivery.objects.claim(delivery.pk)
        alerts.deliver_due()
        assert mailoutbox == []
        clock.shift(LEASE)
        alerts.deliver_due()
    delivery.refresh_from_db()
    assert len(mailoutbox) == 1
    assert [entry["problem"] for entry in delivery.tries] == ["interrupted", ""]


@pytest.mark.django_db(transaction=True)
def test_several_senders_at_once_try_each_message_once(mail_server):
    addresses = [f"number{number}@example.com" for number in range(10)]
    mail_server.refused = set(addresses[::2])
    make_delivery(*addresses)
    problems = []

    def send() -> None:
        try:
            alerts.deliver_due()
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert problems == []
    assert sorted(mail["To"] for mail in mail_server.mails) == addresses[1::2]
    assert [len(delivery.tries) for delivery in Delivery.objects.all()] == [1] * 10


def test_nobody_hears_that_it_is_over_before_they_hear_that_it_was(settings, mailoutbox):
    backend = settings.EMAIL_BACKEND
    subject = make_connection(make_registration(alert_emails=["ops@example.com"]))
    with time_machine.travel(timezone.now(), tick=True) as clock:
        no_mail_server(settings)
        see(subject, fault())
        alerts.deliver_due()
        see(subject)
        settings.EMAIL_BACKEND = backend
        alerts.deliver_due()
        assert mailoutbox == []  # the first still has its pause to wait
        clock.shift(timedelta(minutes=1))
        alerts.deliver_due()
    assert ["Resolved" in mail.subject for mail in mailoutbox] == [False, True]
    assert "It has been resolved since" in mailoutbox[0].body
    assert "Who must act" not in mailoutbox[0].body


# Is anybody told?


def test_nobody_is_told_where_a_live_registration_has_no_address(settings):
    settings.ALERT_EMAILS = []
    make_registration(alert_emails=["ops@example.com"])
    assert not alerts.nobody_is_told()
    registration = make_registration()
    assert alerts.nobody_is_told()
    settings.ALERT_EMAILS = ["all@example.com"]
    assert not alerts.nobody_is_told()
    settings.ALERT_EMAILS = []
    registration.archived_at = timezone.now()
    registration.save()
    assert not alerts.nobody_is_told()


def test_nobody_needs_to_be_told_of_a_suspended_tenant(settings):
    settings.ALERT_EMAILS = []
    make_registration(make_tenant(suspended_at=timezone.now()))
    assert not alerts.nobody_is_told()


def test_an_alert_of_a_step_is_written_once():
    make_delivery()
    alerts.announce(Finding.objects.get(), 1)
    assert (Alert.objects.count(), Delivery.objects.count()) == (1, 1)
