"""Webhooks: what is sent, how it is signed, and what becomes of each answer."""

import base64
import json
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from monitoring.models import Channel, Delivery, Finding
from monitoring.transports.webhook import new_secret
from tests.factories import make_connection, make_registration, make_tenant

from .receiver import Receiver
from .telling import again, break_something, make_test, make_webhook, send
from .test_findings import see

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def receivers_here(settings):
    settings.WEBHOOK_ALLOW_LOOPBACK = True


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


def tried(channel: Channel) -> list[str]:
    return [entry["problem"] for row in channel.deliveries.order_by("created_at") for entry in row.tries]


def test_a_receiver_can_check_it_with_the_official_library(receiver):
    channel = make_webhook(receiver)
    break_something()
    send()
    (got,) = receiver.got
    secret = channel.signing_secret.reveal("a test")
    Webhook(secret).verify(got.body, {name.lower(): value for name, value in got.headers.items()})
    assert got.headers["webhook-id"] == str(Delivery.objects.get(channel=channel).pk)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(got.body + b" ", {name.lower(): value for name, value in got.headers.items()})


def test_while_a_secret_is_changed_both_sign(receiver):
    channel = make_webhook(receiver)
    old, new = channel.signing_secret.reveal("a test"), new_secret()
    channel.previous_signing_secret, channel.signing_secret = old, new
    channel.previous_signs_until = timezone.now() + timedelta(hours=1)
    channel.save()
    make_test(channel)
    send()
    (got,) = receiver.got
    for secret in (old, new):
        Webhook(secret).verify(got.body, {name.lower(): value for name, value in got.headers.items()})


def test_after_a_day_the_old_secret_signs_no_more(receiver):
    channel = make_webhook(receiver)
    channel.previous_signing_secret = old = new_secret()
    channel.previous_signs_until = timezone.now() - timedelta(seconds=1)
    channel.save()
    make_test(channel)
    send()
    (got,) = receiver.got
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(got.body, {name.lower(): value for name, value in got.headers.items()})


def test_the_secret_is_of_the_length_the_standard_wants():
    assert new_secret().startswith("whsec_")
    assert 24 <= len(base64.b64decode(new_secret().removeprefix("whsec_"))) <= 64


def test_it_says_what_is_wrong_where_and_what_to_do(receiver):
    make_webhook(receiver)
    registration = make_registration(make_tenant("Contoso"))
    subject = make_connection(registration, address="anna@contoso.example")
    break_something(subject)
    send()
    told = json.loads(receiver.got[0].body)
    finding = Finding.objects.get()
    assert told["type"] == "finding.opened"
    assert told["data"]["findings"] == [
        {
            "id": finding.pk,
            "state": "opened",
            "kind": "grant_revoked",
            "severity": "critical",
            "tenant": "Contoso",
            "subject": "anna@contoso.example",
            "what": "It is broken.",
            "remedy": "Mend it.",
            "since": finding.opened_at.isoformat(),
            "url": f"http://testserver/admin/monitoring/finding/{finding.pk}/change/",
        }
    ]


def test_that_it_is_over_has_a_type_of_its_own(receiver):
    channel = make_webhook(receiver)
    subject = make_connection()
    break_something(subject)
    send()
    see(subject)
    again()
    send()
    assert [json.loads(got.body)["type"] for got in receiver.got] == ["finding.opened", "finding.resolved"]
    assert channel.deliveries.count() == 2


def test_a_test_says_that_it_is_one(receiver):
    make_test(make_webhook(receiver))
    send()
    told = json.loads(receiver.got[0].body)
    assert (told["type"], told["data"]) == ("test", {"findings": []})


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 503])
def test_whatever_is_no_2xx_is_tried_again_with_the_same_id(receiver, status):
    receiver.status, receiver.headers = status, {"Location": receiver.url}
    channel = make_webhook(receiver)
    make_test(channel)
    send()
    again()
    receiver.status = 204
    send()
    assert tried(channel) == [f"answered {status}", ""]
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_what_a_receiver_says_stands_nowhere(receiver, caplog):
    receiver.status, receiver.says = 500, b"internal-page-of-somebody"
    channel = make_webhook(receiver)
    make_test(channel)
    send()
    channel.refresh_from_db()
    stored = str([row.tries for row in channel.deliveries.all()]) + channel.last_problem + caplog.text
    assert "internal-page" not in stored
    assert "not-a-real-token" not in stored


def test_one_that_asks_to_wait_is_left_alone_until_then(receiver):
    receiver.status, receiver.headers = 429, {"Retry-After": "1800"}
    channel = make_webhook(receiver)
    first = make_test(channel)
    make_test(channel)
    send()
    first.refresh_from_db()
    channel.refresh_from_db()
    left = timedelta(minutes=29)
    assert first.next_at - timezone.now() > left
    assert channel.next_at - timezone.now() > left  # the other message waits too
    assert len(receiver.got) == 1


def test_one_that_is_gone_is_switched_off_and_that_is_told_elsewhere(receiver, mailoutbox):
    receiver.status = 410
    channel = make_webhook(receiver)
    first = make_test(channel)
    waiting = make_test(channel)
    send()
    channel.refresh_from_db()
    first.refresh_from_db()
    assert channel.switched_off_at
    assert first.state == "set_aside"
    assert len(receiver.got) == 1
    assert Finding.objects.get().kind == "channel_switched_off"
    again()
    send()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.tries[-1]["problem"]) == ("set_aside", "The channel is switched off.")
    assert [mail.to for mail in mailoutbox] == [["ops@example.com"]]
    assert "gone for good" in mailoutbox[0].subject


def test_one_that_takes_the_message_and_drops_the_line_gets_it_again(receiver):
    receiver.drops = True
    channel = make_webhook(receiver)
    make_test(channel)
    send()
    assert tried(channel)[0].startswith("no answer: ")
    receiver.drops = False
    again()
    send()
    assert channel.deliveries.get().state == "sent"
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1


def test_an_address_that_has_become_forbidden_is_not_sent_to(receiver, settings):
    channel = make_webhook(receiver)
    make_test(channel)
    settings.WEBHOOK_ALLOW_LOOPBACK = False
    send()
    assert tried(channel) == ["its address is refused: It must begin with https://."]
    assert receiver.got == []
