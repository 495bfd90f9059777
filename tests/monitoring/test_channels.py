"""How channels do: what fails shows, is a finding, mends itself, and holds nobody else up."""

import time
from datetime import timedelta

import pytest
import time_machine
from django.db.models.functions import Now
from django.utils import timezone

from monitoring import channels, transports
from monitoring.models import Channel, Delivery, Finding
from monitoring.models.delivery import PACE
from tenants import outbox
from tenants.models.outgoing import LEASE
from tests.factories import make_connection, make_registration, make_tenant
from tests.tenants.smtp_server import no_mail_server
from tests.world import make_channel

from .receiver import Receiver
from .telling import again, break_something, make_test, make_webhook, send

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def receivers_here(settings):
    settings.WEBHOOK_ALLOW_LOOPBACK = True


def fail(channel: Channel, times: int) -> Channel:
    """Try the same message there so often."""
    for _ in range(times):
        again()
        send()
    channel.refresh_from_db()
    return channel


def open_kinds() -> list[str]:
    return sorted(Finding.objects.open().values_list("kind", flat=True))


def test_what_was_sent_shows():
    with Receiver() as receiver:
        channel = make_webhook(receiver)
        make_test(channel)
        send()
    channel.refresh_from_db()
    assert channel.last_sent_at
    assert (channel.failing_since, channel.last_problem) == (None, "")


def test_a_channel_that_fails_shows_it_at_once_and_is_a_finding_after_three_tries():
    with Receiver(status=500) as receiver:
        channel = make_webhook(receiver)
        make_test(channel)
        fail(channel, 2)
        assert channel.failing_since
        assert channel.last_problem == "answered 500"
        assert open_kinds() == []
        fail(channel, 1)
    finding = Finding.objects.get()
    assert (finding.kind, finding.channel) == ("channel_failing", channel)
    assert finding.what == "The channel “Hook” does not take the alerts that are sent to it: answered 500."


def test_one_that_fails_for_an_hour_is_a_finding_too():
    with Receiver(status=500) as receiver, time_machine.travel(timezone.now(), tick=True) as clock:
        channel = make_webhook(receiver)
        make_test(channel)
        fail(channel, 1)
        clock.shift(timedelta(hours=1))
        fail(channel, 1)
    assert open_kinds() == ["channel_failing"]


def test_its_next_success_ends_it_and_those_who_were_told_hear_of_it(mailoutbox):
    with Receiver(status=500) as receiver:
        channel = make_webhook(receiver)
        make_test(channel)
        fail(channel, 3)
        receiver.status = 200
        fail(channel, 1)
    assert open_kinds() == []
    assert channel.failing_since is None
    again()
    send()
    assert ["Resolved" in mail.subject for mail in mailoutbox] == [False, True]


def test_after_three_days_it_is_set_aside_and_told_elsewhere(mailoutbox):
    with Receiver(status=500) as receiver, time_machine.travel(timezone.now(), tick=True) as clock:
        channel = make_webhook(receiver)
        row = make_test(channel)
        send()
        clock.shift(timedelta(days=3))
        fail(channel, 1)
        row.refresh_from_db()
        assert row.state == "set_aside"
        assert "delivery_set_aside" in open_kinds()
        send()
    assert any("set aside" in mail.subject for mail in mailoutbox)
    assert not Delivery.objects.filter(channel=channel, is_test=False).exists()


def test_mail_to_an_address_that_fails_for_three_days_is_told_to_the_channels_for_all(settings, mailoutbox):
    backend = settings.EMAIL_BACKEND
    with Receiver() as receiver, time_machine.travel(timezone.now(), tick=True) as clock:
        channel = make_webhook(receiver, kinds=["delivery_set_aside"])
        break_something(make_connection(make_registration(alert_emails=["own@example.com"])))
        no_mail_server(settings)
        send()
        clock.shift(timedelta(days=3))
        again()
        send()
        again()
        send()
        finding = Finding.objects.get(kind="delivery_set_aside")
        assert "own@example.com" in finding.what
        assert Delivery.objects.get(channel=channel).state == "sent"
        settings.EMAIL_BACKEND = backend
        rows = Delivery.objects.filter(target="email:own@example.com").send_again()
        assert len(rows) == 1
        send()
    assert "own@example.com" in [mail.to[0] for mail in mailoutbox]
    finding.refresh_from_db()
    assert finding.resolved_at


def test_what_is_sent_again_by_hand_has_three_days_of_its_own():
    with Receiver(status=500) as receiver, time_machine.travel(timezone.now(), tick=True) as clock:
        channel = make_webhook(receiver)
        row = make_test(channel)
        send()
        clock.shift(timedelta(days=3))
        fail(channel, 1)
        Delivery.objects.filter(pk=row.pk).send_again()
        fail(channel, 1)
    row.refresh_from_db()
    assert row.state == "waiting"
    assert [entry["problem"] for entry in row.tries] == [
        "answered 500",
        "answered 500",
        "to be sent again",
        "answered 500",
    ]


def test_switching_off_closes_its_findings_and_stops_what_waits():
    with Receiver(status=500) as receiver:
        channel = make_webhook(receiver)
        row = make_test(channel)
        fail(channel, 3)
        channels.switch_off(channel, "By a test.")
        number = len(receiver.got)
        fail(channel, 1)
        assert len(receiver.got) == number
    row.refresh_from_db()
    assert row.state == "set_aside"
    assert open_kinds() == []
    channels.switch_on(channel)
    channel.refresh_from_db()
    assert (channel.switched_off_at, channel.failing_since) == (None, None)


def test_a_channel_by_email_shows_how_it_does(mailoutbox):
    tenant = make_tenant()
    channel = make_channel(tenant)
    break_something(make_connection(make_registration(tenant)))
    send()
    channel.refresh_from_db()
    assert channel.last_sent_at
    assert [mail.to for mail in mailoutbox] == [["a@example.com"]]


# Pace and fairness


def test_one_channel_gets_one_message_a_second():
    with Receiver() as receiver:
        channel = make_webhook(receiver)
        for _ in range(3):
            make_test(channel)
        began = time.time()
        send()
        times = sorted(got.at for got in receiver.got)
    assert len(times) == 3
    # Counted from the beginning: a message that is held up on its way comes later, and none comes too early.
    assert all(at - began >= number * PACE.total_seconds() for number, at in enumerate(times))


def test_two_senders_do_not_send_to_one_channel_within_a_second():
    with Receiver() as receiver:
        channel = make_webhook(receiver)
        first, second = make_test(channel), make_test(channel)
    assert Delivery.objects.claim(first.pk)
    assert Delivery.objects.claim(second.pk) is None


def test_while_a_channel_may_still_say_wait_nothing_more_goes_there():
    channel, other = make_channel(), make_channel(name="The other")
    first, second, third = make_test(channel), make_test(channel), make_test(other)
    claimed = Delivery.objects.claim(first.pk)
    Channel.objects.update(next_at=None)  # a second has passed
    assert Delivery.objects.claim(second.pk) is None
    assert Delivery.objects.claim(third.pk)
    outbox.Try(claimed).save()
    Channel.objects.update(next_at=None)
    assert Delivery.objects.claim(second.pk)


def test_whoever_died_of_a_message_holds_its_channel_up_for_a_minute_only():
    channel = make_channel()
    first, second = make_test(channel), make_test(channel)
    assert Delivery.objects.claim(first.pk)
    Channel.objects.update(next_at=None)
    mine = Delivery.objects.filter(pk=first.pk)
    mine.update(lease_until=Now() + LEASE - timedelta(seconds=55))
    assert Delivery.objects.claim(second.pk) is None
    mine.update(lease_until=Now() + LEASE - timedelta(seconds=65))
    assert Delivery.objects.claim(second.pk)


def test_a_slow_receiver_holds_up_nobody_else(mailoutbox):
    with Receiver(hangs=8) as slow, Receiver() as quick, Receiver(drops=True) as dropping:
        for number, receiver in enumerate((slow, dropping, quick)):
            channel = make_webhook(receiver, name=f"Hook {number}")
            for _ in range(2):
                make_test(channel)
        break_something(make_connection(make_registration(make_tenant("Contoso\r\nBcc: x@example.com", slug="crlf"))))
        Delivery.objects.filter(channel__name="Hook 0", is_test=True).order_by("-created_at")[0].delete()
        outbox.deliver_due(Delivery.objects.all(), transports.prepare, channels.note_try, run=timedelta(seconds=4))
        assert quick.got[1].at - slow.got[0].at < slow.hangs - 1
    assert "Contoso Bcc: x@example.com" in mailoutbox[0].subject
    assert Channel.objects.get(name="Hook 2").last_sent_at


def test_many_messages_of_one_channel_leave_room_for_the_others():
    with Receiver(hangs=2) as slow, Receiver() as quick:
        busy = make_webhook(slow, name="Busy")
        for _ in range(150):
            make_test(busy)
        make_test(make_webhook(quick, name="Quick"))
        outbox.deliver_due(Delivery.objects.all(), transports.prepare, channels.note_try, run=timedelta(seconds=3))
        assert len(quick.got) == 1
