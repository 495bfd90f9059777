"""Links that grow out of a link: to ask an administrator, and to grant what was left out."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oauth.further_links import MOST_A_DAY, EnoughHandedOut, approval_link, link_for_the_rest
from oauth.models import Connection, ConsentAttempt, Link
from tenants.models import ScopeSelection
from tests.factories import make_connection, make_link, make_registration
from tests.oauth.consenting import World, another_address, at_once, come_back, consent, press, text_of

TOKEN = re.compile(r"/c/([A-Za-z0-9_-]{40,})/")


@pytest.fixture
def opened(client, world) -> World:
    """The person has opened the link."""
    client.get(f"/c/{world.token}/")
    return world


def hand_on(client: Client, link: Link):
    return client.post(f"/connect/{link.public_id}/hand-on/")


def open_again(client: Client, link: Link) -> int:
    return int(client.get(f"/connect/{link.public_id}/").status_code)


# Handing on


def test_handing_on_makes_a_link_for_an_administrator(client, opened):
    page = hand_on(client, opened.link)

    made = Link.objects.get(purpose="approval")
    assert page.status_code == 200
    assert (made.parent, made.tenant, made.registration) == (opened.link, opened.link.tenant, opened.registration)
    assert (made.expires_at, made.max_uses, made.uses) == (opened.link.expires_at, 1, 0)
    assert made.expected_directory == opened.directory["id"]


def test_its_address_is_shown_this_once(client, opened):
    page = text_of(hand_on(client, opened.link))

    (token,) = set(TOKEN.findall(page))
    assert Link.objects.for_token(token).purpose == "approval"
    assert token not in text_of(client.get(f"/connect/{opened.link.public_id}/"))
    assert token not in str(Link.objects.values())


def test_whoever_receives_it_may_approve_and_nothing_else(client, opened):
    (token,) = set(TOKEN.findall(text_of(hand_on(client, opened.link))))
    administrator = Client()
    administrator.get(f"/c/{token}/")
    made = Link.objects.get(purpose="approval")

    assert administrator.get(f"/connect/{made.public_id}/").status_code == 200
    assert administrator.post(f"/connect/{made.public_id}/start/").status_code == 404
    assert administrator.post(f"/connect/{made.public_id}/approve/").status_code == 303


def test_looking_at_the_address_makes_no_link(client, opened):
    response = client.get(f"/connect/{opened.link.public_id}/hand-on/")

    assert (response.status_code, Link.objects.count()) == (303, 1)


def test_nobody_hands_on_what_they_did_not_open(opened):
    assert hand_on(Client(), opened.link).status_code == 404
    assert Link.objects.count() == 1


def test_the_form_needs_its_token(client, opened):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies.copy()

    assert hand_on(strict, opened.link).status_code == 403


def test_an_administrator_may_hand_on_to_another_and_it_stays_one_family(client, opened):
    made, token = approval_link(opened.link)
    client.get(f"/c/{token}/")

    assert hand_on(client, made).status_code == 200

    assert set(Link.objects.filter(purpose="approval").values_list("parent", flat=True)) == {opened.link.pk}


def test_personal_accounts_have_no_administrator(db, client):
    link, token = make_link(make_registration(audience="PersonalMicrosoftAccount"))
    client.get(f"/c/{token}/")

    assert hand_on(client, link).status_code == 303
    assert Link.objects.count() == 1


# How many, and until when


def test_no_more_are_made_in_a_day_than_its_people_need(client, opened):
    most = MOST_A_DAY + opened.link.max_uses
    statuses = [
        client.post(f"/connect/{opened.link.public_id}/hand-on/", **another_address(number)).status_code
        for number in range(most + 1)
    ]

    assert statuses == [200] * most + [429]
    assert Link.objects.filter(purpose="approval").count() == most


def test_two_at_once_make_no_more_either(threaded_world):
    link = threaded_world.link
    for _ in range(MOST_A_DAY + link.max_uses - 1):
        approval_link(link)

    def one_more() -> str:
        try:
            return approval_link(link)[0].purpose
        except EnoughHandedOut:
            return "enough"

    assert sorted(at_once(*[one_more] * 8)) == ["approval", *["enough"] * 7]


def test_the_next_day_there_is_room_again(world):
    for _ in range(MOST_A_DAY + world.link.max_uses):
        approval_link(world.link)
    with pytest.raises(EnoughHandedOut):
        approval_link(world.link)

    Link.objects.filter(purpose="approval").update(created_at=timezone.now() - timedelta(days=1))

    assert approval_link(world.link)


def test_a_link_that_ended_hands_out_no_more(client, opened):
    Link.objects.update(revoked_at=timezone.now())

    assert hand_on(client, opened.link).status_code == 404
    assert Link.objects.count() == 1


@pytest.mark.parametrize("ended", ["revoked_at", "expires_at"])
def test_it_ends_with_the_link_it_grew_from(client, world, ended):
    made, token = approval_link(world.link)
    client.get(f"/c/{token}/")
    assert open_again(client, made) == 200

    target = world.link.pk if ended == "revoked_at" else made.pk
    Link.objects.filter(pk=target).update(**{ended: timezone.now()})

    assert open_again(client, made) == 404
    assert Client().get(f"/c/{token}/").status_code == 404


def test_it_outlasts_the_consents_of_its_parent(client, world):
    made, token = approval_link(world.link)
    Link.objects.filter(pk=world.link.pk).update(uses=1)
    client.get(f"/c/{token}/")

    assert open_again(client, made) == 200


# A clean address that was copied


def test_a_copied_address_offers_to_approve_and_names_nobody(opened):
    page = text_of(Client().get(f"/connect/{opened.link.public_id}/"))

    for name in ("Tenant", "Example Sync", "Ada", "contoso"):
        assert name not in page


def test_from_a_copied_address_an_administrator_comes_to_a_link_of_their_own(opened):
    administrator = Client()

    response = administrator.post(f"/connect/{opened.link.public_id}/administrator/")

    made = Link.objects.get(purpose="approval")
    assert (response.status_code, response.headers["Location"]) == (303, f"/connect/{made.public_id}/")
    assert open_again(administrator, made) == 200
    assert open_again(administrator, opened.link) == 404
    assert made.parent == opened.link


def test_whoever_copies_keeps_nobody_who_holds_the_link_from_asking(client, opened):
    statuses = [
        Client().post(f"/connect/{opened.link.public_id}/administrator/", **another_address(number)).status_code
        for number in range(MOST_A_DAY + 1)
    ]

    assert statuses == [303] * MOST_A_DAY + [429]
    assert client.post(f"/connect/{opened.link.public_id}/hand-on/").status_code == 200


@pytest.mark.parametrize("purpose", ["approval", "disconnect"])
def test_no_other_address_is_offered_so(db, purpose):
    registration = make_registration()
    link, _ = make_link(registration, purpose=purpose, connection=make_connection(registration))

    assert Client().post(f"/connect/{link.public_id}/administrator/").status_code == 404
    assert Link.objects.count() == 1


def test_a_copied_address_of_a_link_that_ended_offers_nothing(opened):
    Link.objects.update(revoked_at=timezone.now())

    assert Client().post(f"/connect/{opened.link.public_id}/administrator/").status_code == 404
    assert Link.objects.count() == 1


# The rest


@pytest.fixture
def with_less(client, world) -> ConsentAttempt:
    """Connected with fewer scopes than asked."""
    ScopeSelection.objects.create(registration=world.registration, scope="Mail.Send")
    change = {"scope": "openid Mail.Read MailboxSettings.Read User.Read"}
    world.microsoft.set_fault("answer", grant_type="authorization_code", change=change, times=1)
    attempt = consent(client, world)
    assert (attempt.outcome, attempt.connection.scopes_missing) == ("connected_with_less", ["Mail.Send"])
    return attempt


def rest(client: Client, attempt: ConsentAttempt):
    return client.post(f"/connect/attempt/{attempt.pk}/rest/")


def test_the_rest_is_granted_by_a_reconnect_of_the_same_record(client, world, with_less):
    response = rest(client, with_less)

    made = Link.objects.get(purpose="reconnect")
    assert (response.status_code, response.headers["Location"]) == (303, f"/connect/{made.public_id}/")
    assert (made.parent, made.connection) == (world.link, with_less.connection)
    assert made.expires_at - timezone.now() < timedelta(days=1, minutes=1)
    assert "Send mail as you" in text_of(client.get(f"/connect/{made.public_id}/"))

    come_back(client, world.sign_in(press(client, made).headers["Location"]))
    connection = Connection.objects.get()
    assert connection == with_less.connection
    assert connection.scopes_missing == []


def test_only_the_browser_that_tried_may_ask_for_the_rest(with_less):
    assert rest(Client(), with_less).status_code == 404
    assert not Link.objects.filter(purpose="reconnect").exists()


def test_looking_at_the_address_of_the_rest_makes_no_link(client, with_less):
    assert client.get(f"/connect/attempt/{with_less.pk}/rest/").status_code == 303
    assert not Link.objects.filter(purpose="reconnect").exists()


@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_there_is_no_rest_of_anything_else(client, world, answer):
    attempt = consent(client, world, answer)

    response = rest(client, attempt)

    assert (response.status_code, response.headers["Location"]) == (303, f"/connect/attempt/{attempt.pk}/")
    assert not Link.objects.filter(purpose="reconnect").exists()


def test_the_rest_of_a_revoked_link_is_not_granted(client, world, with_less):
    Link.objects.filter(pk=world.link.pk).update(revoked_at=timezone.now())

    response = rest(client, with_less)

    assert client.get(response.headers["Location"]).status_code == 404


@pytest.mark.parametrize("is_revoked", [False, True])
def test_links_for_the_rest_are_limited_too(world, with_less, is_revoked):
    Link.objects.filter(pk=world.link.pk).update(revoked_at=timezone.now() if is_revoked else None)
    for _ in range(MOST_A_DAY + 1):  # one more for the consent that used the link
        link_for_the_rest(with_less)

    with pytest.raises(EnoughHandedOut):
        link_for_the_rest(with_less)
