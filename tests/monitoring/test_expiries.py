"""The calendar of coming expiries: at a secret address, what its owner may see, read by icalendar itself."""

import secrets
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse
from icalendar import Calendar

from monitoring import expiries
from staff.models import User
from tenants.models import AppRegistration, Credential, Event
from tests.canary import find
from tests.factories import (
    make_connection,
    make_credential,
    make_operator,
    make_registration,
    make_secret,
    make_superuser,
    make_tenant,
)
from tests.test_visibility import Walker
from tests.world import FOREIGN, PLATFORM, make_world

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
PAGE = "/admin/calendar/"


@pytest.fixture(autouse=True)
def noon():
    with time_machine.travel(NOW, tick=False):
        yield


def feed_of(user: User) -> str:
    return expiries.make_address(user).removeprefix("http://testserver")


def events(client, user: User) -> list:
    response = client.get(feed_of(user))
    assert response.status_code == 200
    return list(Calendar.from_ical(response.content).walk("VEVENT"))


# What is in it


def test_a_client_secrets_end_is_a_day_with_all_that_one_needs(client):
    registration = make_registration(make_tenant("Contoso"), name="Contoso Mail")
    credential = make_credential(registration, value="abc" + make_secret())
    Credential.objects.filter(pk=credential.pk).update(ends_at=datetime(2026, 9, 1, 23, 30, tzinfo=UTC))
    for _ in range(3):
        make_connection(registration)
    make_connection(registration, disconnected_at=NOW)
    (event,) = events(client, make_superuser())
    assert event["dtstart"].dt == date(2026, 9, 1)  # its day in UTC, all day long
    assert str(event["uid"]) == f"credential-{credential.pk}@testserver"
    assert str(event["summary"]) == "Client secret abc… of “Contoso Mail” ends"
    assert "Tenant: Contoso\n" in event["description"]
    assert "3 connected mailboxes stop working" in event["description"]
    assert "create a new client secret in Entra" in event["description"]
    assert str(event["url"]) == f"http://testserver/admin/tenants/appregistration/{registration.pk}/change/"
    (alarm,) = event.walk("VALARM")
    assert alarm["trigger"].dt == -timedelta(days=14)


def test_a_secret_that_does_not_sign_in_here_stops_no_mailbox(client):
    registration = make_registration()
    make_connection(make_credential(registration).registration)
    make_credential(registration)
    by_slot = {
        "previous" in event["description"]: str(event["description"]) for event in events(client, make_superuser())
    }
    assert set(by_slot) == {True, False}
    assert "stop" not in by_slot[True]
    assert "1 connected mailbox stops working" in by_slot[False]


def test_an_event_keeps_its_identity_when_its_date_changes(client):
    credential = make_credential()
    user = make_superuser()
    (before,) = events(client, user)
    Credential.objects.filter(pk=credential.pk).update(ends_at=NOW + timedelta(days=9))
    (after,) = events(client, user)
    assert after["uid"] == before["uid"]
    assert after["dtstart"].dt == date(2026, 6, 19)


def test_what_has_ended_stays_for_a_month_and_what_is_gone_does_not(client):
    make_credential(days_left=-29)
    make_credential(days_left=-31)
    make_credential(make_registration(archived_at=NOW))
    make_credential(make_registration(make_tenant(archived_at=NOW)))
    Credential.objects.filter(pk=make_credential().pk).update(slot="")
    assert [event["dtstart"].dt for event in events(client, make_superuser())] == [date(2026, 5, 12)]


def test_an_operator_gets_what_they_may_see_and_nothing_else(client):
    world = make_world()
    operator = make_operator(tenants=(world.tenant,))
    make_credential(make_registration(world.tenant, name="Our own"))
    content = client.get(feed_of(operator)).content
    assert b"Our own" in content
    assert FOREIGN.encode() not in content
    assert PLATFORM.encode() not in content
    assert PLATFORM.encode() in client.get(feed_of(make_operator(platform=True))).content


def test_of_a_shared_registration_only_mailboxes_that_one_may_see_are_counted(client):
    tenant, other = make_tenant(), make_tenant()
    shared = make_credential(make_registration(shared=True)).registration
    make_connection(shared, tenant=tenant)
    for _ in range(4):
        make_connection(shared, tenant=other)
    (event,) = events(client, make_operator(tenants=(tenant,), platform=True))
    assert "1 connected mailbox stops" in event["description"]


def test_no_secret_stands_in_it_and_odd_names_do_no_harm(client):
    secret, token = make_secret(), f"not-a-real-token-{secrets.token_urlsafe(32)}"
    registration = make_registration(name="A, b; c\\d\r\nSUMMARY:e")
    make_connection(make_credential(registration, value=secret).registration, refresh_token=token)
    user = make_superuser()
    address = feed_of(user)
    content = client.get(address).content
    sought = {"secret": secret, "token": token, "address": address.split("/")[2]}
    assert find(sought, [("feed", content.replace(b"\r\n ", b""))]) == []
    (event,) = Calendar.from_ical(content).walk("VEVENT")
    assert "A, b; c" in event["summary"]
    assert len([line for line in content.splitlines() if line.startswith(b"SUMMARY")]) == 1


def test_many_secrets_cost_as_many_queries_as_few(django_assert_num_queries):
    user = make_superuser()
    for _ in range(5):
        make_connection(make_credential().registration)
    with django_assert_num_queries(2):
        expiries.calendar_of(user, NOW)


def test_of_very_many_those_that_end_first_are_in_it():
    tenant, days = make_tenant(), range(1, expiries.MOST + 3)
    own = {"tenant": tenant, "directory": "contoso.example"}
    rows = [AppRegistration(name=f"App {day}", client_id=str(uuid.uuid4()), **own) for day in days]
    registrations = AppRegistration.objects.bulk_create(rows)
    Credential.objects.bulk_create(
        Credential(registration=registration, slot="current", ends_at=NOW + timedelta(days=2 * day))
        for registration, day in zip(registrations, days, strict=True)
    )
    found = [
        event["dtstart"].dt for event in Calendar.from_ical(expiries.calendar_of(make_superuser(), NOW)).walk("VEVENT")
    ]
    assert len(found) == expiries.MOST
    assert found[-1] == date(2026, 6, 10) + timedelta(days=2 * expiries.MOST)


# Who gets it


def test_a_token_that_nobody_has_opens_nothing(client):
    make_operator()
    assert client.get("/calendar/wrong/expiries.ics").status_code == 404
    assert client.get("/calendar//expiries.ics").status_code == 404


def test_a_new_address_ends_the_one_before_and_revoking_ends_it(client):
    user = make_operator()
    first, second = feed_of(user), feed_of(user)
    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200
    expiries.revoke(User.objects.filter(pk=user.pk))
    assert client.get(second).status_code == 404


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_who_has_left_gets_nothing(client, change):
    user = make_operator()
    address = feed_of(user)
    User.objects.filter(pk=user.pk).update(**change)
    assert client.get(address).status_code == 404


def test_who_may_not_look_at_registrations_gets_nothing(client):
    user = make_operator()
    address = feed_of(user)
    user.groups.clear()
    assert client.get(address).status_code == 404
    client.force_login(user)
    assert client.get(PAGE).status_code == 403
    assert "Calendar</a>" not in client.get("/admin/").content.decode()


def test_only_a_digest_of_the_token_is_kept():
    user = make_operator()
    token = feed_of(user).split("/")[2]
    user.refresh_from_db()
    assert len(user.calendar_digest) == 64
    assert find({"token": token}, [("row", str(User.objects.filter(pk=user.pk).values().get()).encode())]) == []


def test_the_feed_is_kept_by_nobody_and_tells_no_other_page(client):
    response = client.get(feed_of(make_operator()))
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "no-referrer"


def test_one_address_may_ask_only_so_often(client):
    answers = [client.get("/calendar/wrong/expiries.ics").status_code for _ in range(62)]
    assert answers == [404] * 60 + [429] * 2


# The page in the admin


def test_the_page_makes_an_address_that_is_shown_once_and_works(client):
    user = make_operator()
    client.force_login(user)
    assert f'href="{PAGE}"' in client.get("/admin/").content.decode()
    assert "You have no address yet." in client.get(PAGE).content.decode()
    page = client.post(PAGE, {"make": "yes"})
    user.refresh_from_db()
    address = page.context["address"]
    assert address in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert client.get(address).status_code == 200
    assert address not in client.get(PAGE).content.decode()
    assert Event.objects.get().verb == "calendar address made"
    assert address.split("/")[4] not in str(Event.objects.values().get())


def test_the_page_revokes_it(client):
    user = make_operator()
    address = feed_of(user)
    client.force_login(user)
    assert client.post(PAGE, {"revoke": "yes"}).status_code == 302
    assert client.get(address).status_code == 404
    client.post(PAGE, {"revoke": "yes"})  # there is nothing to revoke any more
    assert Event.objects.get().verb == "calendar address revoked"


def test_a_superuser_revokes_a_colleagues(client):
    user = make_operator()
    address = feed_of(user)
    client.force_login(make_superuser())
    page = client.get(reverse("admin:staff_user_change", args=[user.pk])).content.decode()
    assert "Revoke calendar address" in page
    assert user.calendar_digest not in page
    client.post(reverse("admin:staff_user_act", args=[user.pk, "revoke_calendar_address"]))
    assert client.get(address).status_code == 404
    assert Event.objects.get().subject_id == str(user.pk)


def test_the_page_needs_somebody_who_is_signed_in(client):
    assert client.get(PAGE).status_code == 302
    assert client.post(PAGE, {"make": "yes"}).status_code == 302


def test_the_page_keeps_to_the_policy_in_every_state():
    walker = Walker(make_operator(), [])
    walker.get(PAGE)
    for button in ("make", "revoke", "nonsense"):
        walker.post(PAGE, {button: "yes"})
    assert walker.trouble == []
