"""Mails on their way, with deliveries as the rows: sent once, tried again from the database, set aside in the end."""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.utils import timezone

from monitoring.models import Delivery
from tenants import outbox
from tests.factories import make_registration
from tests.leases import lapse
from tests.world import make_finding

from .smtp_server import SmtpServer, no_mail_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail_server(settings):
    with SmtpServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        yield server


def make_row(address: str = "anna@example.com") -> Delivery:
    *_, row = make_finding(registration=make_registration())
    row.address = address
    row.save()
    return row


def hello(row: Delivery) -> EmailMultiAlternatives:
    return EmailMultiAlternatives("Hello", "Hello.", to=[row.address])


def send(message_of=hello) -> None:
    outbox.deliver_due(Delivery.objects.all(), outbox.by_mail(message_of))


# Sent


def test_what_is_due_is_sent_once(mailoutbox):
    make_row("one@example.com")
    make_row("two@example.com")
    send()
    send()
    assert sorted(mail.to[0] for mail in mailoutbox) == ["one@example.com", "two@example.com"]
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


def test_every_try_is_on_record(mail_server):
    row = make_row()
    mail_server.refused = {row.address}
    with time_machine.travel(timezone.now(), tick=True) as clock:
        send()
        mail_server.refused = set()
        clock.shift(timedelta(minutes=1))
        send()
    row.refresh_from_db()
    assert [entry["problem"] for entry in row.tries] == ["SMTPRecipientsRefused 550", ""]
    assert row.sent_at
    assert len(mail_server.mails) == 1


def test_one_bad_address_keeps_nobody_else_waiting(mail_server):
    mail_server.refused = {"bad@example.com"}
    for address in ("bad@example.com", "good@example.com", "also@example.com"):
        make_row(address)
    send()
    assert sorted(mail["To"] for mail in mail_server.mails) == ["also@example.com", "good@example.com"]


def test_a_run_uses_one_connection_while_all_goes_well(mail_server):
    for _ in range(5):
        make_row()
    send()
    assert (len(mail_server.mails), mail_server.sessions) == (5, 1)


def test_a_server_that_takes_a_message_and_hangs_up_gets_it_again(mail_server):
    mail_server.drops = 1
    make_row("one@example.com")
    make_row("two@example.com")
    with time_machine.travel(timezone.now(), tick=True) as clock:
        send()
        assert len(mail_server.mails) == 2  # the next message has a connection of its own
        clock.shift(timedelta(minutes=1))
        send()
    assert [mail["To"] for mail in mail_server.mails] == ["one@example.com", "two@example.com", "one@example.com"]


def test_a_mail_server_that_is_down_is_tried_again_with_growing_pauses(settings):
    no_mail_server(settings)
    row = make_row()
    waited = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(7):
            send()
            row.refresh_from_db()
            waited.append(row.next_at - timezone.now())
            clock.move_to(row.next_at)
    schedule = [timedelta(seconds=5), *(timedelta(minutes=minutes) for minutes in (5, 30, 120, 240, 240, 240))]
    assert all(least <= pause <= least * 1.1 for pause, least in zip(waited, schedule, strict=True))
    assert waited != schedule  # what failed at once does not come back at once


def test_a_mail_server_that_is_back_after_a_weekend_gets_everything(settings, mail_server):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    row = make_row()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(13):
            send()
            clock.shift(timedelta(hours=4.5))
        settings.EMAIL_PORT = port
        clock.shift(timedelta(hours=4.5))
        send()
    row.refresh_from_db()
    assert row.state == "sent"
    assert len(mail_server.mails) == 1


def test_after_three_days_it_is_set_aside_and_the_log_says_so(settings, caplog):
    no_mail_server(settings)
    row = make_row()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(20):
            send()
            clock.shift(timedelta(hours=5))
    row.refresh_from_db()
    assert row.state == "set_aside"
    assert not Delivery.objects.due().exists()
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.row for record in errors] == [f"delivery:{row.pk}"]


# Built


@pytest.mark.django_db(transaction=True)
def test_a_message_is_built_outside_any_transaction_for_a_row_nobody_else_can_claim(mailoutbox):
    seen = []

    def look(row: Delivery) -> EmailMultiAlternatives:
        seen.append((connection.in_atomic_block, Delivery.objects.claim(row.pk)))
        return hello(row)

    make_row()
    send(look)
    assert seen == [(False, None)]
    assert len(mailoutbox) == 1


def test_a_message_that_cannot_be_built_waits_and_what_went_wrong_is_named_but_not_quoted(mailoutbox, caplog):
    row, other = make_row("one@example.com"), make_row("two@example.com")

    def fail(asked: Delivery) -> EmailMultiAlternatives:
        if asked.pk == row.pk:
            raise ValueError("a token, and anna@example.com")
        return hello(asked)

    send(fail)
    row.refresh_from_db()
    assert (row.state, [entry["problem"] for entry in row.tries]) == ("waiting", ["ValueError"])
    assert [mail.to for mail in mailoutbox] == [[other.address]]
    assert [(record.levelname, record.problem) for record in caplog.records] == [("WARNING", "ValueError")]
    assert not any("token" in str(vars(record)) or "@" in str(vars(record)) for record in caplog.records)


def test_what_is_not_wanted_any_more_is_set_aside_at_once_with_the_reason(mailoutbox, caplog):
    def refuse(row: Delivery) -> EmailMultiAlternatives:
        raise outbox.NotWanted("The link was revoked.")

    row = make_row()
    send(refuse)
    row.refresh_from_db()
    assert (row.state, row.tries[-1]["problem"], row.lease_by) == ("set_aside", "The link was revoked.", None)
    assert mailoutbox == []
    assert caplog.records == []


# Claimed


def test_nobody_else_claims_what_is_being_sent():
    row = make_row()
    assert Delivery.objects.claim(row.pk)
    assert Delivery.objects.claim(row.pk) is None


def test_what_failed_elsewhere_between_reading_and_claiming_is_not_claimed(settings):
    no_mail_server(settings)
    row = make_row()
    others: list[str] = []

    def another_sender_first(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and not others:
            others.append(sql)
            send()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(another_sender_first):
        assert Delivery.objects.claim(row.pk) is None
    row.refresh_from_db()
    assert len(row.tries) == 1


def test_what_was_interrupted_is_sent_when_its_lease_is_over(mailoutbox):
    row = make_row()
    Delivery.objects.claim(row.pk)
    send()
    assert mailoutbox == []
    lapse(Delivery)
    send()
    row.refresh_from_db()
    assert len(mailoutbox) == 1
    assert [entry["problem"] for entry in row.tries] == ["interrupted", ""]


def test_a_sender_whose_lease_is_over_leaves_the_row_to_whoever_holds_it_now():
    def take_too_long(row: Delivery) -> EmailMultiAlternatives:
        lapse(Delivery)
        Delivery.objects.claim(row.pk)
        row.refresh_from_db()
        return hello(row)

    row = make_row()
    send(take_too_long)
    row.refresh_from_db()
    assert row.state == "waiting"
    assert [entry["problem"] for entry in row.tries] == ["interrupted", "interrupted"]


@pytest.mark.parametrize("minutes", [-15, 15])
def test_a_sender_whose_clock_is_wrong_takes_nothing_out_of_anothers_hands(minutes):
    row = make_row()
    Delivery.objects.update(next_at=timezone.now() - timedelta(hours=1))
    assert Delivery.objects.claim(row.pk)
    with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=True):
        assert Delivery.objects.claim(row.pk) is None


@pytest.mark.django_db(transaction=True)
def test_several_senders_at_once_try_each_message_once(mail_server):
    addresses = [f"number{number}@example.com" for number in range(10)]
    mail_server.refused = set(addresses[::2])
    for address in addresses:
        make_row(address)
    problems = []

    def send_too() -> None:
        try:
            send()
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=send_too) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert problems == []
    assert sorted(mail["To"] for mail in mail_server.mails) == addresses[1::2]
    assert [len(row.tries) for row in Delivery.objects.all()] == [1] * 10
