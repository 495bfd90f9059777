"""Who is told of what: addresses, channels and contacts, each target once."""

import pytest
from django.utils import timezone

from monitoring import alerts
from monitoring.models import Delivery, Finding
from oauth.signals import WatchSeen
from tests.factories import make_connection, make_registration, make_tenant
from tests.world import make_channel

from .telling import break_something, make_chat, send, targets
from .test_findings import fault, see

pytestmark = pytest.mark.django_db

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def test_a_registrations_own_addresses_come_first():
    registration = make_registration(alert_emails=["own@example.com"])
    make_channel(registration.tenant)
    break_something(make_connection(registration))
    assert targets() == ["email:own@example.com"]


def test_then_the_tenants_channels():
    tenant = make_tenant()
    make_channel(tenant, addresses=["a@example.com", "b@example.com"])
    make_channel(make_tenant(), addresses=["stranger@example.com"])
    break_something(make_connection(make_registration(tenant)))
    assert targets() == ["email:a@example.com", "email:b@example.com"]


def test_then_alert_emails():
    break_something()
    assert targets() == ["email:ops@example.com"]


def test_channels_for_all_hear_of_everything_too():
    channel = make_chat(SLACK)
    break_something(make_connection(make_registration(alert_emails=["own@example.com"])))
    assert targets() == sorted([f"channel:{channel.pk}", "email:own@example.com"])


def test_nobody_is_told_twice_whoever_names_them():
    tenant = make_tenant()
    make_channel(None, addresses=["Ops@Example.com"])
    make_channel(tenant, addresses=["ops@example.com"], name="Theirs")
    registration = make_registration(tenant, alert_emails=["OPS@example.com", "ops@example.com"])
    break_something(make_connection(registration))
    assert targets() == ["email:ops@example.com"]


@pytest.mark.parametrize(
    ("channel", "hears"),
    [
        ({"least_severity": "critical"}, False),
        ({"kinds": ["secret_ending"]}, False),
        ({"kinds": ["grant_revoked"]}, True),
        ({"switched_off_at": timezone.now()}, False),
        ({}, True),
    ],
)
def test_a_channel_hears_what_it_asked_for(channel, hears):
    tenant = make_tenant()
    make_channel(tenant, **channel)
    break_something(make_connection(make_registration(tenant)), severity="warning")
    assert targets() == ["email:a@example.com" if hears else "email:ops@example.com"]


def test_what_is_wrong_with_our_own_working_goes_to_us():
    make_channel(make_tenant(), addresses=["tenant@example.com"])
    channel = make_chat(SLACK)
    see(WatchSeen("night"), fault("sweep_overdue"))
    assert targets() == sorted([f"channel:{channel.pk}", "email:ops@example.com"])


def test_a_channels_own_trouble_is_never_told_to_it():
    tenant = make_tenant()
    failing = make_chat(SLACK, tenant=tenant)
    other = make_channel(tenant, name="Other", addresses=["other@example.com"])
    see(failing, fault("channel_failing"))
    assert targets() == ["email:ops@example.com", "email:other@example.com"]
    assert other.tenant == tenant


def test_that_it_is_over_goes_to_those_who_were_told_and_to_nobody_else():
    subject = make_connection()
    break_something(subject)
    make_chat(SLACK)  # came later
    see(subject)
    assert targets() == ["email:ops@example.com"] * 2


def test_who_never_got_it_does_not_hear_that_it_is_over():
    subject = make_connection()
    break_something(subject)
    Delivery.objects.update(state="set_aside")
    see(subject)
    assert targets() == ["email:ops@example.com"]


# The red line


def test_a_channel_for_all_hears_for_everybody(settings):
    settings.ALERT_EMAILS = []
    make_registration()
    channel = make_chat(SLACK)
    assert not alerts.nobody_is_told()
    channel.switched_off_at = timezone.now()
    channel.save()
    assert alerts.nobody_is_told()


def test_a_tenants_channel_hears_for_its_own(settings):
    settings.ALERT_EMAILS = []
    registration = make_registration()
    make_channel(registration.tenant)
    assert not alerts.nobody_is_told()
    make_registration()
    assert alerts.nobody_is_told()


def test_a_channel_that_leaves_something_out_does_not_count(settings):
    settings.ALERT_EMAILS = []
    registration = make_registration()
    make_channel(registration.tenant, least_severity="critical")
    assert alerts.nobody_is_told()


# Contacts


@pytest.fixture
def contoso():
    return make_tenant("Contoso", contact_emails=["it@contoso.example"], tells_contacts=True)


def test_contacts_are_not_told_unless_somebody_wants_it(contoso):
    contoso.tells_contacts = False
    contoso.save()
    break_something(make_connection(make_registration(contoso)))
    assert targets() == ["email:ops@example.com"]


def test_contacts_are_told_in_words_meant_for_them(contoso, mailoutbox):
    registration = make_registration(contoso, name="Contoso Mail")
    subject = make_connection(registration, address="anna@contoso.example")
    break_something(subject, evidence={"codes": [50173], "trace_id": "0f1e"}, remedy="Send a link to reconnect.")
    send()
    mail = next(mail for mail in mailoutbox if mail.to == ["it@contoso.example"])
    assert mail.subject == "Example Mail: anna@contoso.example needs your help"
    for part in (str(mail.body), str(mail.alternatives[0][0])):
        assert "Example Mail" in part
        assert "has to sign in once more" in part
        assert "help@example.com" in part
        for word in ("AADSTS", "50173", "0f1e", "/admin/", "Send a link", "Tenantry"):
            assert word not in part


def test_contacts_hear_when_it_opens_and_when_it_is_over_but_not_that_it_got_worse(contoso):
    subject = make_connection(make_registration(contoso))
    break_something(subject)
    break_something(subject, step=2)
    alerts.announce(Finding.objects.get(), 2, reminder=1)
    assert targets().count("contact:it@contoso.example") == 1
    see(subject)
    assert targets().count("contact:it@contoso.example") == 2


@pytest.mark.parametrize("actor", ["operator", "nobody"])
def test_contacts_do_not_hear_what_they_can_do_nothing_about(contoso, actor):
    break_something(make_connection(make_registration(contoso)), actor=actor)
    assert targets() == ["email:ops@example.com"]


def test_an_administrator_is_told_what_to_do(contoso, mailoutbox):
    break_something(make_connection(make_registration(contoso)), kind="user_not_assigned", actor="tenant_admin")
    send()
    mail = next(mail for mail in mailoutbox if mail.to == ["it@contoso.example"])
    assert "Add the account to the app’s users under Enterprise applications in Entra." in str(mail.body)
