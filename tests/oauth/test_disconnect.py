"""The mailbox's owner ends the connection, by the link in the notice that they were sent."""

from datetime import timedelta

import pytest
from django.core import mail as outside
from django.test import Client
from django.utils import timezone

from monitoring.models import Alert, Finding, Sweep
from oauth import mails
from oauth.models import Connection, Link, Mail
from tenants.models import AppRegistration, Event, Tenant
from tests.factories import make_link
from tests.monitoring.conftest import check
from tests.oauth.consenting import World, consent, text_of


@pytest.fixture
def told(world) -> World:
    """The person has consented; the world's link is the one in the mail that told them of it."""
    consent(Client(), world)
    world.link = Link.objects.get(purpose="disconnect")
    world.token = world.link.give_token()
    return world


def stored() -> Connection:
    return Connection.objects.get()


def path(world: World, step: str = "") -> str:
    return f"/connect/{world.link.public_id}/{step}"


def press(client: Client, world: World) -> str:
    """Open the link and press the button; the page that follows."""
    client.get(f"/c/{world.token}/")
    response = client.post(path(world, "disconnect/"))
    assert response.status_code == 200, text_of(response)
    return text_of(response)


# The notice


def test_the_mailbox_is_told_once_for_each_consent(world):
    consent(Client(), world)
    world.link, world.token = make_link(world.registration)
    consent(Client(), world)

    notices = Mail.objects.filter(kind="notice", address="ada@contoso.example")
    assert notices.count() == 2
    assert notices.values("link").distinct().count() == 2
    assert {notice.link.connection for notice in notices} == {stored()}


def test_an_attempt_that_failed_tells_no_mailbox(world):
    consent(Client(), world, answer="decline")

    assert not Mail.objects.exists()


def test_the_notice_holds_an_address_that_opens_the_page(client, told):
    mails.send_due()

    notice = next(each for each in outside.outbox if each.to == ["ada@contoso.example"])
    token = notice.body.partition("/c/")[2].partition("/")[0]
    page = client.get(f"/c/{token}/", follow=True)
    assert page.status_code == 200
    assert "ada@contoso.example" in text_of(page)


def test_an_account_that_is_called_by_no_address_is_told_nothing_and_connected(client, world):
    change = {"preferred_username": "ada", "email": ""}
    world.microsoft.set_fault("id_token", grant_type="authorization_code", change=change)

    assert consent(client, world).outcome == "connected"
    assert not Mail.objects.exists()


# The page and the button


def test_the_page_is_shown_and_changes_nothing(client, told):
    client.get(f"/c/{told.token}/")

    for method, step in (("get", ""), ("get", "disconnect/"), ("head", "disconnect/")):
        assert getattr(client, method)(path(told, step)).status_code in (200, 303)

    assert stored().disconnected_at is None
    assert stored().refresh_token is not None


def test_fifty_scanners_disconnect_nothing(told):
    for _ in range(50):
        Client().get(f"/c/{told.token}/", follow=True)

    assert stored().disconnected_at is None


def test_the_button_needs_the_forms_token(told):
    strict = Client(enforce_csrf_checks=True)
    strict.get(f"/c/{told.token}/")

    assert strict.post(path(told, "disconnect/")).status_code == 403
    assert stored().disconnected_at is None


def test_the_button_shreds_the_token_and_is_in_the_history(client, told):
    page = press(client, told)

    assert stored().refresh_token is None
    assert timezone.now() - stored().disconnected_at < timedelta(minutes=1)
    event = Event.objects.get(verb="disconnected")
    assert (event.subject_id, event.tenant) == (str(stored().pk), stored().tenant)
    assert "Your mailbox is disconnected" in page


def test_the_page_says_how_to_withdraw_at_microsoft_too(client, told):
    AppRegistration.objects.update(cloud="global")

    assert "myapps.microsoft.com" in press(client, told)


def test_twice_is_once(client, told):
    press(client, told)
    first = stored().disconnected_at

    press(client, told)

    assert stored().disconnected_at == first
    assert Event.objects.filter(verb="disconnected").count() == 1


def test_what_is_disconnected_is_never_looked_at_again(client, told):
    press(client, told)

    assert check(Sweep.ALL).planned == 1  # the registration
    assert not [each for each in told.microsoft.token_requests() if each["grant_type"] == "refresh_token"]


def test_its_findings_are_closed_and_nobody_is_alerted(client, told):
    told.microsoft.revoke_sessions(told.person["oid"])
    check(Sweep.ALL)
    alerts = Alert.objects.count()
    assert Finding.objects.open().get().connection == stored()

    press(client, told)

    assert not Finding.objects.open().exists()
    assert Alert.objects.count() == alerts


# Who may, and until when


@pytest.mark.parametrize(
    "ended",
    [
        lambda: Tenant.objects.update(suspended_at=timezone.now()),
        lambda: Tenant.objects.update(archived_at=timezone.now()),
        lambda: AppRegistration.objects.update(archived_at=timezone.now()),
    ],
)
def test_whatever_is_put_away_its_people_may_disconnect(client, told, ended):
    ended()

    press(client, told)

    assert stored().refresh_token is None


@pytest.mark.parametrize("ended", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_a_link_that_ended_disconnects_nothing(client, told, ended):
    client.get(f"/c/{told.token}/")
    Link.objects.filter(pk=told.link.pk).update(**ended)

    assert client.post(path(told, "disconnect/")).status_code == 404
    assert stored().disconnected_at is None


def test_only_the_browser_that_opened_the_link_may(told):
    response = Client().post(path(told, "disconnect/"))

    assert response.status_code == 404
    assert "contoso" not in text_of(response).lower()
    assert stored().disconnected_at is None


@pytest.mark.parametrize("purpose", ["consent", "reconnect", "approval"])
def test_no_other_link_disconnects(client, told, purpose):
    told.link, told.token = make_link(told.registration, purpose=purpose, connection=stored())
    client.get(f"/c/{told.token}/")

    assert client.post(path(told, "disconnect/")).status_code == 404
    assert stored().disconnected_at is None


@pytest.mark.parametrize("step", ["start/", "approve/", "hand-on/", "told/"])
def test_the_link_is_good_for_nothing_else(client, told, step):
    client.get(f"/c/{told.token}/")

    assert client.post(path(told, step)).status_code == 404


def test_it_ends_this_connection_and_no_other(client, told):
    grace = told.microsoft.add_person(told.directory["id"], "Grace", "grace@contoso.example")
    notice, token = told.link, told.token
    told.link, told.token = make_link(told.registration)
    consent(Client(), told, oid=grace["oid"])
    told.link, told.token = notice, token

    press(client, told)

    assert Connection.objects.get(address="ada@contoso.example").refresh_token is None
    assert Connection.objects.get(address="grace@contoso.example").disconnected_at is None


def test_the_link_of_an_earlier_notice_ends_with_the_consent_it_was_for(client, told):
    notice, token = told.link, told.token
    told.link, told.token = make_link(told.registration, purpose="reconnect", connection=stored())
    consent(Client(), told)

    assert client.get(f"/c/{token}/").status_code == 404
    assert Link.objects.get(pk=notice.pk).status == "revoked"
    assert Link.objects.usable().filter(purpose="disconnect").count() == 1


def test_a_link_that_was_pressed_disconnects_nothing_that_is_connected_later(client, told):
    press(client, told)
    Connection.objects.update(disconnected_at=None)

    assert client.post(path(told, "disconnect/")).status_code == 404
    assert Client().get(f"/c/{told.token}/").status_code == 404
    assert stored().disconnected_at is None
    assert Link.objects.get(pk=told.link.pk).status == "used"


def test_a_consent_meanwhile_is_not_ended_by_the_link_of_the_one_before(client, told):
    client.get(f"/c/{told.token}/")
    told.link, told.token = make_link(told.registration, purpose="reconnect", connection=stored())
    earlier = Link.objects.filter(purpose="disconnect").latest("pk")
    consent(Client(), told)

    assert client.post(f"/connect/{earlier.public_id}/disconnect/").status_code == 404
    assert stored().refresh_token is not None


def test_the_end_is_confirmed_by_a_mail_that_holds_no_link(client, told, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        press(client, told)
        press_again = client.post(path(told, "disconnect/"))

    assert press_again.status_code == 200
    mail = Mail.objects.get(kind="disconnected")
    assert (mail.address, mail.link) == ("ada@contoso.example", told.link)
    assert "may keep its access until you withdraw the consent there" in mail.text
    assert "{link}" not in mail.text
    assert ("oauth.tasks.send_mails", ()) in rung
