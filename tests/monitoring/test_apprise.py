"""Chat and on-call services: which may be used, that only their hosts are asked, and that no name calls anybody."""

import json
import re
import ssl
from typing import Any

import pytest
import trustme

from monitoring.models import Delivery
from monitoring.transports import apprise, catalogue, guard
from monitoring.transports.catalogue import Unusable, place_of, service_of
from tenants.outbox import NotTaken
from tests.factories import make_connection, make_registration, make_tenant

from .receiver import Receiver
from .telling import again, break_something, make_chat, make_test, send
from .test_guard import answering

SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
FLOW = (
    "https://prod-1.westus.logic.azure.com:443/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=not-a-real-signature"
)
ADDRESSES = {
    "Slack": SLACK,
    "Microsoft Teams": FLOW,
    "Discord": "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "Telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "PagerDuty": "pagerduty://" + "I" * 32 + "@" + "A" * 20 + "/source/component",
    "Pushover": "pover://" + "u" * 30 + "@" + "a" * 30,
    "Google Chat": "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=abcd&token=efgh",
}
HOSTS = [
    "hooks.slack.com",
    "prod-1.westus.logic.azure.com",
    "discord.com",
    "api.telegram.org",
    "events.pagerduty.com",
    "api.pushover.net",
    "chat.googleapis.com",
]
HOSTILE = "<!channel> <@U123> @everyone <b>bold</b> [click](https://evil.example) <https://evil.example|here>"


@pytest.fixture
def chat(tmp_path):
    """Every service at once, on loopback, and a guard that finds it there."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Receiver(context=context, says=b"ok") as receiver:
        resolve = answering("127.0.0.1", port=receiver.port)
        receiver.guard = guard.Guard(resolve=resolve, allow_loopback=True, ca_certs=str(tmp_path / "ca.pem"))
        yield receiver


def say(chat: Any, url: str, text: str = "Hello.", title: str = "Title") -> None:
    apprise.send(*service_of(url), title, text, sender=chat.guard)


@pytest.mark.parametrize(("name", "url"), ADDRESSES.items())
def test_a_service_gets_the_message_over_connections_of_ours(chat, name, url):
    chat.says = b"{}" if name in ("Telegram", "Discord") else b"ok"
    service, plugin = service_of(url)
    assert (service.name, place_of(service, plugin)) == (name, name)
    say(chat, url, "Something is broken.")
    (got,) = chat.got
    assert got.host in HOSTS
    assert b"broken" in got.body


@pytest.mark.parametrize("name", ["Slack", "Discord", "Telegram", "Microsoft Teams"])
def test_a_tenants_name_calls_nobody_and_leads_nowhere(chat, name):
    chat.says = b"{}" if name in ("Telegram", "Discord") else b"ok"
    say(chat, ADDRESSES[name], apprise.uncalling(HOSTILE), apprise.uncalling(HOSTILE))
    body = json.dumps(json.loads(chat.got[0].body), ensure_ascii=False)
    for call in ("<!channel", "<@U123", "@everyone", "<b>bold", "](https://evil", "<https://evil", "](http"):
        assert call not in body
        assert call.replace("<", "&lt;") not in body


def test_teams_gets_a_link_that_can_be_followed(chat):
    say(chat, FLOW, "It is broken.\nhttp://testserver/admin/monitoring/finding/1/change/")
    text = json.loads(chat.got[0].body)["attachments"][0]["content"]["body"][1]["text"]
    assert "[Open in Tenantry](http://testserver/admin/monitoring/finding/1/change/)" in text


@pytest.mark.parametrize(
    "url",
    [
        "json://hooks.example.com/",
        "jsons://hooks.example.com/",
        "xml://hooks.example.com/",
        "form://hooks.example.com/",
        "syslog://",
        "rsyslog://10.0.0.1",
        "mailto://user:pass@example.com",
        "dbus://",
        "apprise://example.com/token",
        "https://hooks.example.com/",
        "https://hooks.slack.com.evil.example/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "workflows://evil.example/workflow/signature",
        "workflows://127.0.0.1/workflow/signature",
        "nonsense",
        "slack://",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?template=/etc/passwd",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?Template=x",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?verify=no",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?redirect=yes",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ\n",
    ],
)
def test_what_is_not_on_the_list_is_refused(url):
    with pytest.raises(Unusable) as refusal:
        service_of(url)
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in str(refusal.value)


def test_only_the_services_own_hosts_are_asked(chat):
    _, plugin = service_of(ADDRESSES["PagerDuty"])
    slack, _ = service_of(SLACK)
    with pytest.raises(NotTaken, match="not one of the service's hosts"):
        apprise.send(slack, plugin, "Title", "Text", sender=chat.guard)
    assert chat.got == []


def test_a_service_whose_name_leads_inside_is_not_asked():
    with pytest.raises(NotTaken, match="not on the internet"):
        apprise.send(*service_of(SLACK), "Title", "Text", sender=guard.Guard(resolve=answering("10.0.0.1")))


@pytest.mark.parametrize("status", [302, 400, 404, 410, 500])
def test_a_refusal_is_told_by_its_code(chat, status):
    chat.status, chat.headers = status, {"Location": "https://hooks.slack.com/other"}
    with pytest.raises(NotTaken) as refusal:
        say(chat, SLACK)
    assert refusal.value.words == f"answered {status}"
    assert (len(chat.got), refusal.value.is_gone) == (1, False)


def test_a_service_that_asks_to_wait_is_obeyed(chat):
    chat.status, chat.headers = 429, {"Retry-After": "77"}
    with pytest.raises(NotTaken) as refusal:
        say(chat, SLACK)
    assert refusal.value.retry_after == 77
    assert len(chat.got) == 1


def test_nobody_listening_is_no_answer(chat):
    sender = guard.Guard(resolve=answering("127.0.0.1", port=1), allow_loopback=True)
    with pytest.raises(NotTaken, match="not reached"):
        apprise.send(*service_of(SLACK), "Title", "Text", sender=sender)


def test_no_log_holds_an_address_or_a_message(chat, caplog, capfd):
    chat.status = 500
    with pytest.raises(NotTaken):
        say(chat, SLACK, "A text that must not be logged.")
    logged = caplog.text + "".join(capfd.readouterr())
    assert not re.search("TIiajkdnlazkcOXrIdevi7FQ|must not be logged", logged)


@pytest.mark.django_db
def test_a_service_on_a_host_of_its_own_is_reached_where_it_is():
    with Receiver() as receiver:
        channel = make_chat(f"mmost://127.0.0.1:{receiver.port}/not-a-real-token")
        subject = make_connection(make_registration(make_tenant("Contoso")), address="anna@contoso.example")
        break_something(subject)
        send()
    told = json.loads(receiver.got[0].body)["text"]
    delivery = Delivery.objects.get(channel=channel)
    assert delivery.state == "sent"
    for words in ("Critical: Contoso: anna@contoso.example: It is broken", "You: Mend it.", str(delivery.pk)):
        assert words in told


@pytest.mark.django_db
def test_every_try_names_the_same_message():
    with Receiver(status=500) as receiver:
        channel = make_chat(f"mmost://127.0.0.1:{receiver.port}/not-a-real-token")
        break_something()
        send()
        receiver.status = 200
        again()
        send()
    first, second = receiver.got
    assert first.body == second.body
    assert [entry["problem"] for entry in Delivery.objects.get(channel=channel).tries] == ["answered 500", ""]


@pytest.mark.django_db
def test_a_test_says_that_nothing_is_wrong():
    with Receiver() as receiver:
        make_test(make_chat(f"mmost://127.0.0.1:{receiver.port}/not-a-real-token"))
        send()
    assert "Nothing is wrong." in json.loads(receiver.got[0].body)["text"]


def test_what_may_be_shown_names_service_and_host():
    assert place_of(*service_of("mmosts://chat.example.com/not-a-real-token")) == "Mattermost at chat.example.com"
    assert catalogue.ON_OWN_HOST[0].is_at("anywhere.example")
