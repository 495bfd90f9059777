"""The page of one finding: what happened when, who was told, and the ways out of it."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from monitoring import lifecycle
from monitoring.models import Delivery, Finding
from oauth.models import Connection
from staff.models import User
from tenants.models import AppRegistration, Tenant
from tests.factories import (
    make_connection,
    make_credential,
    make_operator,
    make_registration,
    make_superuser,
    make_tenant,
)
from tests.world import make_channel, make_finding

from .test_findings import fault, see

pytestmark = pytest.mark.django_db

FINDINGS = reverse("admin:monitoring_finding_changelist")


@pytest.fixture
def operator(client) -> User:
    operator = make_operator(tenants=(make_tenant("Contoso"),))
    client.force_login(operator)
    return operator


@pytest.fixture
def registration(operator) -> AppRegistration:
    return make_registration(Tenant.objects.get(), name="Contoso Mail")


@pytest.fixture
def connection(registration) -> Connection:
    return make_connection(registration, address="ana@contoso.example")


def address_of(finding: Finding) -> str:
    return reverse("admin:monitoring_finding_change", args=[finding.pk])


def page_of(client: Any, finding: Finding) -> str:
    return str(client.get(address_of(finding)).content.decode())


def buttons_on(page: str) -> list[str]:
    tools = page[page.index('class="object-tools"') : page.index("</ul>", page.index('class="object-tools"'))]
    return [unescape(words.strip()) for words in re.findall(r"<(?:button|a)[^>]*>([^<]*)</(?:button|a)>", tools)]


def told_in(client: Any, finding: Finding) -> list[list[str]]:
    """The timeline without its times: what happened, and the rest."""
    (panel,) = [each for each in client.get(address_of(finding)).context["page"].panels if "when" in each.title]
    return [[re.sub(r"<[^>]*>", " ", str(cell)).strip() for cell in row[1:]] for row in panel.rows]


def act(client: Any, finding: Finding, action: str, **data: Any) -> Any:
    return client.post(reverse("admin:monitoring_finding_act", args=[finding.pk, action]), data, follow=True)


# What happened when


def test_the_life_of_a_finding_in_the_order_of_time(client, operator, connection) -> None:
    start = timezone.now() - timedelta(days=60)
    days: list[Any] = [
        lambda: see(connection, fault(severity="warning")),
        lambda: lifecycle.acknowledge(Finding.objects.all(), by=operator, why="I call them."),
        lambda: see(connection, fault(step=2)),
        lambda: lifecycle.snooze(
            Finding.objects.all(), timezone.now() + timedelta(hours=20), by=operator, why="On holiday."
        ),
        lambda: lifecycle.end_snoozes(timezone.now()),
        lambda: see(connection),
        lambda: see(connection, fault()),
    ]
    for day, happens in enumerate(days):
        with time_machine.travel(start + timedelta(days=day), tick=False):
            happens()
    told = told_in(client, Finding.objects.get())
    assert [what for what, _ in told] == [
        "Opened",
        "Acknowledged",
        "Acknowledgement ended: it got worse",
        "Got worse",
        "Snoozed",
        "Snooze ended",
        "Said again",
        "Resolved",
        "Came back",
    ]
    assert told[1][1] == f"{operator}: I call them."
    assert re.fullmatch(rf"{operator}, until \S+ \S+ UTC: On holiday\.", dict(told)["Snoozed"])
    assert dict(told)["Snooze ended"] == "Tenantry itself"


def test_it_says_to_whom_it_went_and_whether_it_arrived(client, operator, registration) -> None:
    finding, _, _, delivery = make_finding(tenant=registration.tenant, registration=registration)
    tries = [{"at": "2026-01-01T10:00:00+00:00", "problem": "SMTPServerDisconnected"}]
    Delivery.objects.filter(pk=delivery.pk).update(tries=tries, state=Delivery.State.SET_ASIDE)
    ((what, rest),) = told_in(client, finding)
    assert what == "Opened"
    assert "ops@example.com" in rest
    assert "set aside" in rest
    assert "2026-01-01 10:00: SMTPServerDisconnected" in rest


def test_what_was_kept_quiet_tells_when_it_opened_and_when_it_was_announced(client, registration, connection) -> None:
    opened = timezone.now() - timedelta(days=3)
    see(registration, fault("secret_invalid", inhibits=True))
    with time_machine.travel(opened):
        see(connection, fault())
    finding = Finding.objects.get(connection=connection)
    assert told_in(client, finding) == [["Opened", "Nobody was told yet."]]
    see(registration)
    assert [what for what, _ in told_in(client, finding)] == ["Opened", "Announced"]


def test_what_ended_without_a_word_says_so(client, registration, connection) -> None:
    finding, *_ = make_finding(tenant=registration.tenant, connection=connection)
    Finding.objects.update(resolved_at=timezone.now())
    assert told_in(client, finding)[-1] == ["Resolved", "Nobody was told."]


def test_a_message_about_several_tenants_is_not_opened_to_one(client, registration) -> None:
    finding, _, _, delivery = make_finding(tenant=registration.tenant, registration=registration)
    Delivery.objects.filter(pk=delivery.pk).update(tenant=None)
    page = page_of(client, finding)
    assert "in a message about several tenants" in page
    assert str(delivery.pk) not in page
    client.force_login(make_superuser())
    assert str(delivery.pk) in page_of(client, finding)


def test_a_channel_for_all_tenants_is_not_named_to_one(client, registration) -> None:
    finding, _, _, delivery = make_finding(tenant=registration.tenant, registration=registration)
    Delivery.objects.filter(pk=delivery.pk).update(channel=make_channel(name="Night desk"))
    assert "a channel for all tenants" in page_of(client, finding)
    assert "Night desk" not in page_of(client, finding)
    Delivery.objects.filter(pk=delivery.pk).update(channel=make_channel(registration.tenant, name="Contoso's own"))
    assert "Contoso&#x27;s own" in page_of(client, finding)


def test_a_page_costs_the_same_after_a_long_life(client, operator, connection, django_assert_max_num_queries) -> None:
    for step in range(1, 40):
        see(connection, fault(step=step))
        lifecycle.acknowledge(Finding.objects.all(), by=operator, why="Again.")
    finding = Finding.objects.get()
    assert len(told_in(client, finding)) == 39 * 3 - 1
    with django_assert_max_num_queries(40):
        page_of(client, finding)


# Its state


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"acknowledged_at": timezone.now(), "acknowledged_why": "I <call> them."}, "I &lt;call&gt; them."),
        ({"snoozed_until": timezone.now() + timedelta(days=3), "snoozed_why": "On holiday."}, "On holiday."),
        ({"resolved_at": timezone.now()}, "since <time"),
    ],
)
def test_the_page_says_why_it_is_as_it_is(client, registration, columns, words) -> None:
    by = {"acknowledged_by": User.objects.get(), "snoozed_by": User.objects.get()}
    finding, *_ = make_finding(tenant=registration.tenant, registration=registration, **columns, **by)
    assert words in page_of(client, finding)


# The ways out


@pytest.mark.parametrize(
    ("columns", "buttons"),
    [
        ({}, ["Check now", "Acknowledge", "Snooze"]),
        ({"acknowledged_at": timezone.now()}, ["Check now", "Withdraw acknowledgement", "Snooze"]),
        ({"snoozed_until": timezone.now() + timedelta(days=3)}, ["Check now", "Wake"]),
    ],
)
def test_the_buttons_are_those_that_its_state_allows(client, registration, columns, buttons) -> None:
    finding, *_ = make_finding(tenant=registration.tenant, registration=registration, kind="app_disabled", **columns)
    assert buttons_on(page_of(client, finding)) == ["Registration in Entra", *buttons, "History"]


def test_what_is_over_can_only_be_checked_again(client, registration) -> None:
    finding, *_ = make_finding(
        tenant=registration.tenant, credential=make_credential(registration), resolved_at=timezone.now()
    )
    assert buttons_on(page_of(client, finding)) == ["Check now", "History"]


def test_a_wrong_secret_leads_to_entra_and_to_where_the_new_one_is_entered(client, registration) -> None:
    finding, *_ = make_finding(tenant=registration.tenant, credential=make_credential(registration))
    page = page_of(client, finding)
    entry = reverse("admin:tenants_appregistration_change", args=[registration.pk])
    assert f'<a href="{entry}#id_secret">Enter the new secret</a>' in page
    assert 'id="id_secret"' in client.get(entry).content.decode()
    (link,) = re.findall(r'<a href="(https://entra[^"]*)" target="_blank" rel="noopener noreferrer">', page)
    assert link.endswith(f"/~/Credentials/appId/{registration.client_id}")


def test_a_dead_connection_leads_to_a_reconnect_link(client, registration, connection) -> None:
    make_credential(registration)
    finding, *_ = make_finding(tenant=registration.tenant, connection=connection, kind="grant_revoked")
    assert buttons_on(page_of(client, finding))[0] == "Create reconnect link"
    (link,) = re.findall(r'<a href="([^"]*)">Create reconnect link</a>', page_of(client, finding))
    assert client.get(link).status_code == 200


def test_who_may_not_make_links_or_enter_secrets_is_not_led_there(client, operator, registration, connection) -> None:
    make_credential(registration)
    group = operator.groups.get()
    group.permissions.remove(*Permission.objects.filter(codename__in=["add_link", "change_appregistration"]))
    for subject in ({"connection": connection}, {"credential": registration.credentials.get()}):
        finding, *_ = make_finding(tenant=registration.tenant, **subject)
        assert {"Create reconnect link", "Enter the new secret"} & set(buttons_on(page_of(client, finding))) == set()


def test_a_shared_registration_is_shown_to_those_who_see_the_platform(client, operator, registration) -> None:
    shared = make_registration(shared=True, name="Everybody's app")
    theirs = make_connection(shared, tenant=registration.tenant)
    finding, *_ = make_finding(tenant=registration.tenant, connection=theirs)
    assert shared.client_id not in page_of(client, finding)
    client.force_login(make_superuser())
    assert shared.client_id in page_of(client, finding)


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ({"cloud": "china"}, "the cloud “China, operated by 21Vianet”"),
        ({"cloud": "gone"}, "the cloud “gone”"),
        ({"watch": Finding.NIGHT}, "the nightly check"),
    ],
)
def test_what_is_ours_is_told_in_words(client, subject, words) -> None:
    client.force_login(make_superuser())
    finding, *_ = make_finding(**subject)
    page = page_of(client, finding)
    assert words in page
    assert buttons_on(page) == ["Acknowledge", "Snooze", "History"]


def test_a_channels_finding_names_the_channel(client, registration) -> None:
    finding, *_ = make_finding(tenant=registration.tenant, channel=make_channel(registration.tenant, name="Night desk"))
    assert "Night desk" in page_of(client, finding)
    assert "Check now" not in buttons_on(page_of(client, finding))


# The buttons


def test_a_button_asks_why_and_then_does_it(client, operator, registration) -> None:
    finding, *_ = make_finding(tenant=registration.tenant, registration=registration)
    page = act(client, finding, "acknowledge").content.decode()
    assert 'name="why"' in page
    answer = {"confirmed": "yes", "seen": f"{finding.pk}:1:1", "why": "I call them."}
    response = act(client, finding, "acknowledge", **answer)
    assert response.redirect_chain == [(address_of(finding), 302)]
    finding.refresh_from_db()
    assert (finding.acknowledged_by, finding.acknowledged_why) == (operator, "I call them.")


def test_the_way_back_to_the_list_keeps_its_filters(client, registration) -> None:
    finding, *_ = make_finding(tenant=registration.tenant, registration=registration)
    came_from = "_changelist_filters=severity__exact%3Dcritical"
    page = client.get(f"{address_of(finding)}?{came_from}").content.decode()
    (button,) = re.findall(r'action="([^"]*/do/withdraw/[^"]*|[^"]*/do/acknowledge/[^"]*)"', page)
    assert button.endswith(f"?{came_from}")
    answer = {"confirmed": "yes", "seen": f"{finding.pk}:1:1", "why": "I call them."}
    response = client.post(unescape(button), answer, follow=True)
    assert response.redirect_chain == [(f"{address_of(finding)}?{came_from}", 302)]
    assert f'href="{FINDINGS}?severity__exact=critical"' in response.content.decode()


def test_who_may_only_look_decides_nothing(client, operator, registration) -> None:
    operator.groups.get().permissions.remove(Permission.objects.get(codename="change_finding"))
    finding, *_ = make_finding(tenant=registration.tenant, registration=registration)
    answer = {"confirmed": "yes", "seen": f"{finding.pk}:1:1", "why": "Quiet."}
    for action in ("acknowledge", "snooze", "withdraw", "wake"):
        assert act(client, finding, action, **answer).status_code == 403
    finding.refresh_from_db()
    assert finding.state == Finding.State.OPEN
