"""Channels in the admin: entered, shown without their secrets, tested, switched off, and only by whom they concern."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from monitoring import alerts
from monitoring.models import Channel, Delivery
from tenants.admin.display import page_of
from tenants.models import Event
from tests.factories import make_operator, make_tenant
from tests.world import make_channel

from .receiver import Receiver
from .telling import make_chat, make_test, make_webhook

pytestmark = pytest.mark.django_db

ADD = "admin:monitoring_channel_add"
LIST = "admin:monitoring_channel_changelist"
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
HOOK = "https://hooks.example.com/in/not-a-real-token"


@pytest.fixture
def tenant():
    return make_tenant("Contoso")


@pytest.fixture
def operator(tenant):
    return make_operator(tenants=(tenant,))


@pytest.fixture
def client(operator):
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def platform(tenant):
    client = Client()
    client.force_login(make_operator(tenants=(tenant,), platform=True))
    return client


def entered(**fields: Any) -> dict[str, Any]:
    return {"name": "On call", "kind": "webhook", "addresses": "", "least_severity": "warning", **fields}


def errors(response: Any) -> str:
    return str(response.context["adminform"].form.errors)


def press(client: Client, channel: Channel, action: str, **data: Any) -> Any:
    return client.post(reverse("admin:monitoring_channel_act", args=[channel.pk, action]), data)


def test_a_webhook_is_entered_and_its_signing_secret_shown_once(client, tenant):
    response = client.post(reverse(ADD), entered(tenant=tenant.pk, url=HOOK))
    channel = Channel.objects.get()
    secret = channel.signing_secret.reveal("a test")
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert channel.place == "https://hooks.example.com"
    for address in (page_of(channel), reverse(LIST), reverse("admin:monitoring_channel_history", args=[channel.pk])):
        page = client.get(address).content.decode()
        assert secret not in page
        assert "not-a-real-token" not in page
    assert "not-a-real-token" not in str(list(Event.objects.values()))


def test_a_services_own_https_address_is_taken(client, tenant):
    client.post(reverse(ADD), entered(kind="apprise", tenant=tenant.pk, url=SLACK))
    channel = Channel.objects.get()
    assert (channel.place, channel.signing_secret) == ("Slack", None)


def test_addresses_make_a_channel_by_email(client, tenant):
    client.post(reverse(ADD), entered(kind="email", tenant=tenant.pk, addresses="a@example.com\nb@example.com"))
    assert Channel.objects.get().addresses == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "http://hooks.example.com/"}, "must begin with https"),
        ({"url": "https://user@hooks.example.com/"}, "user name"),
        ({"url": ""}, "Paste the address"),
        ({"kind": "apprise", "url": "json://hooks.example.com/"}, "These may"),
        ({"kind": "apprise", "url": "mmosts://chat.example.com/token123"}, "host of its own"),
        ({"kind": "email"}, "at least one address"),
        ({"kind": "email", "addresses": "a@example.com", "url": HOOK}, "Leave it empty"),
        ({"addresses": "a@example.com", "url": HOOK}, "Only a channel by email"),
        ({"kinds": ["no_such_kind"], "url": HOOK}, "no_such_kind"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(client, tenant, fields, words):
    response = client.post(reverse(ADD), entered(tenant=tenant.pk, **fields))
    assert words in errors(response)
    assert not Channel.objects.exists()


def test_a_missing_kind_is_said_once_and_nothing_is_no_kind(client, tenant):
    form = client.post(reverse(ADD), entered(tenant=tenant.pk, kind="")).context["adminform"].form
    assert form.errors["kind"] == ["Choose how its alerts are sent."]
    assert [value for value, _ in form.fields["kind"].choices] == ["email", "apprise", "webhook"]


def test_who_sees_the_platform_may_name_a_host_and_speak_for_all(platform):
    platform.post(reverse(ADD), entered(kind="apprise", url="mmosts://chat.example.com/token123"))
    channel = Channel.objects.get()
    assert (channel.tenant, channel.place) == (None, "Mattermost at chat.example.com")


def test_who_does_not_must_choose_a_tenant(client):
    response = client.post(reverse(ADD), entered(url=HOOK))
    assert "Choose the tenant" in errors(response)


def test_another_tenants_channel_and_one_for_all_cannot_be_opened(client, tenant):
    own = make_channel(tenant)
    for foreign in (make_channel(make_tenant()), make_channel(None)):
        assert client.get(page_of(foreign)).status_code == 302
        assert press(client, foreign, "send_test").status_code == 302
        assert not foreign.deliveries.exists()
    assert client.get(page_of(own)).status_code == 200


def test_what_is_stored_stays_where_nothing_is_entered(client, tenant):
    channel = make_webhook(HOOK, tenant=tenant, place="https://hooks.example.com")
    client.post(page_of(channel), {"name": "New name", "least_severity": "critical", "url": ""})
    channel.refresh_from_db()
    assert (channel.name, channel.least_severity) == ("New name", "critical")
    assert channel.url.reveal("a test") == HOOK
    assert channel.place == "https://hooks.example.com"


def test_kinds_are_chosen_from_the_table(client, tenant):
    client.post(reverse(ADD), entered(tenant=tenant.pk, url=HOOK, kinds=["secret_ending", "token_idle"]))
    assert Channel.objects.get().kinds == ["secret_ending", "token_idle"]


def test_a_test_goes_the_way_of_alerts_and_its_end_stands_on_the_page(client, tenant, settings, rung):
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    with Receiver(status=500) as receiver:
        channel = make_webhook(receiver, tenant=tenant)
        press(client, channel, "send_test")
        assert Delivery.objects.get().is_test
        assert client.get(page_of(channel))["Refresh"] == "2"
        alerts.deliver_due()
    response = client.get(page_of(channel))
    assert "answered 500" in response.content.decode()
    assert "Refresh" not in response
    assert Event.objects.filter(verb="tested", subject_id=str(channel.pk)).exists()


@pytest.mark.django_db(transaction=True)
def test_pressing_it_rings_the_bell(client, tenant, rung):
    press(client, make_channel(tenant), "send_test")
    assert ("monitoring.tasks.deliver_due", ()) in rung


def test_a_test_of_addresses_goes_to_each(client, tenant, mailoutbox):
    channel = make_channel(tenant, addresses=["a@example.com", "b@example.com"])
    press(client, channel, "send_test")
    alerts.deliver_due()
    assert sorted(mail.to[0] for mail in mailoutbox) == ["a@example.com", "b@example.com"]
    assert mailoutbox[0].subject == "[Tenantry] Test of the channel “On call”"


def test_a_new_signing_secret_is_shown_once_and_the_old_one_signs_for_a_day(client, tenant):
    channel = make_webhook(HOOK, tenant=tenant)
    old = channel.signing_secret.reveal("a test")
    response = press(client, channel, "make_secret")
    channel.refresh_from_db()
    new = channel.signing_secret.reveal("a test")
    assert new != old
    assert new in response.content.decode()
    assert old not in response.content.decode()
    assert channel.previous_signing_secret.reveal("a test") == old
    assert channel.previous_signs_until
    event = Event.objects.get(verb="given a new signing secret")
    assert event.changes == {"signing secret": "changed"}


def test_it_is_switched_off_and_on_with_a_history(client, operator, tenant):
    channel = make_chat(SLACK, tenant=tenant)
    press(client, channel, "switch_off", confirmed="yes")
    channel.refresh_from_db()
    assert (bool(channel.switched_off_at), channel.switched_off_why) == (True, f"By {operator}.")
    assert "switched off" in client.get(reverse(LIST)).content.decode()
    press(client, channel, "switch_on")
    channel.refresh_from_db()
    assert channel.switched_off_at is None
    verbs = Event.objects.filter(subject_id=str(channel.pk)).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["switched off", "switched on"]


def test_an_empty_list_says_where_alerts_go_meanwhile(client):
    assert "No channel yet" in client.get(reverse(LIST)).content.decode()


def test_what_was_set_aside_is_sent_again(client, tenant, mailoutbox):
    channel = make_channel(tenant)
    row = make_test(channel)
    row.target, row.address, row.state = "email:a@example.com", "a@example.com", "set_aside"
    row.save()
    client.post(reverse("admin:monitoring_delivery_act", args=[row.pk, "send_again"]))
    alerts.deliver_due()
    assert len(mailoutbox) == 1


def test_a_channel_for_all_is_not_named_to_who_does_not_see_it(client, tenant):
    channel = make_channel(None, name="Secret operations room", addresses=["hidden@example.com"])
    target = f"email:{channel.addresses[0]}"
    row = Delivery.objects.create(target=target, address=channel.addresses[0], channel=channel, tenant=tenant)
    page = client.get(page_of(row)).content.decode()
    assert "a channel for all tenants" in page
    assert "Secret operations room" not in page
    assert "hidden@" not in page
