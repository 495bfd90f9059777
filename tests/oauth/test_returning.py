"""The way back to the product that sent somebody here."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from django.utils import timezone

from oauth import returning
from oauth.models import Connection, ConsentAttempt, Link
from tenants.models import RedirectURI
from tests.factories import make_link, make_registration
from tests.oauth.consenting import World, come_back, consent, go, text_of
from tests.world import make_attempt

URL = "https://app.example/settings/mail"


def authorize(link: Link, url: str = URL) -> Link:
    """The link names this return URL, and its registration has it."""
    RedirectURI.objects.create(registration=link.registration, uri=url)
    link.return_url = url
    link.save(update_fields=["return_url"])
    return link


def ended(link: Link, outcome: str = "connected", **fields) -> ConsentAttempt:
    return make_attempt(link, outcome=outcome, **fields)


@pytest.fixture
def link(db) -> Link:
    return authorize(make_link()[0])


@pytest.fixture
def returning_world(world) -> World:
    authorize(world.link)
    return world


# Where to


def test_the_address_is_the_return_url_with_a_status(link):
    assert returning.address_for(ended(link, "declined")) == f"{URL}?status=declined"


def test_a_connection_is_named_by_its_public_id_and_nothing_else_is_told(client, returning_world):
    attempt = consent(client, returning_world)

    told = parse_qsl(urlsplit(returning.address_for(attempt)).query)
    assert told == [("status", "connected"), ("connection", str(Connection.objects.get().pk))]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://app.example/x?a=1&b=%20c", "https://app.example/x?a=1&b=%20c&status=declined"),
        ("https://app.example/x?status=old", "https://app.example/x?status=old&status=declined"),
        ("https://app.example", "https://app.example?status=declined"),
        ("https://app.example/x#here", "https://app.example/x?status=declined#here"),
        ("http://localhost:3000/x", "http://localhost:3000/x?status=declined"),
    ],
)
def test_what_the_url_holds_already_is_kept(db, url, address):
    assert returning.address_for(ended(authorize(make_link()[0], url), "declined")) == address


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("connected", "connected"),
        ("connected_with_less", "connected_with_less"),
        ("approved", "approved"),
        ("declined", "declined"),
        ("cancelled", "cancelled"),
        ("refused", "failed"),
        ("rejected", "failed"),
        ("unreachable", "failed"),
    ],
)
def test_every_outcome_has_a_status(link, outcome, status):
    assert returning.address_for(ended(link, outcome)) == f"{URL}?status={status}"


def test_no_outcome_is_left_out():
    assert {*returning.STATUS, "refused", "rejected", "unreachable"} == set(ConsentAttempt.Outcome.values)


# Where not to


def test_nobody_goes_on_before_there_is_an_outcome(link):
    assert returning.address_for(ended(link, "")) == ""


def test_a_link_without_a_return_url_leads_nowhere(db):
    assert returning.address_for(ended(make_link()[0])) == ""


def test_a_return_url_that_was_removed_since_is_not_followed(client, returning_world):
    attempt = consent(client, returning_world)
    RedirectURI.objects.all().delete()

    response = client.get(f"/connect/attempt/{attempt.pk}/")

    assert returning.address_for(attempt) == ""
    assert "Refresh" not in response.headers
    assert "app.example" not in text_of(response)


@pytest.mark.parametrize(
    "named",
    [
        "https://app.example/settings/mail/",
        "https://app.example/settings",
        "https://APP.example/settings/mail",
        "https://app.example/settings/mail?x=1",
        "https://app.example.evil.example/settings/mail",
        "http://app.example/settings/mail",
        "https://app.example:443/settings/mail",
        "//app.example/settings/mail",
        "javascript:alert(1)",
    ],
)
def test_only_the_very_url_counts(link, named):
    Link.objects.update(return_url=named)
    link.refresh_from_db()

    assert not returning.is_authorized(link)
    assert returning.address_for(ended(link)) == ""


def test_another_registrations_url_does_not_count(db):
    link, _ = make_link(return_url=URL)
    RedirectURI.objects.create(registration=make_registration(), uri=URL)

    assert returning.address_for(ended(link)) == ""


# The pages


@pytest.mark.parametrize("is_known", [True, False])
def test_the_request_says_where_one_is_taken_if_it_is_authorized(client, returning_world, is_known):
    RedirectURI.objects.update(uri=URL if is_known else "https://other.example/")

    page = text_of(client.get(f"/c/{returning_world.token}/", follow=True))

    assert ("Once connected, you are taken back to app.example" in page) is is_known


def test_after_a_success_the_page_goes_on_by_itself(client, returning_world):
    attempt = consent(client, returning_world)

    seconds, _, address = client.get(f"/connect/attempt/{attempt.pk}/").headers["Refresh"].partition("; url=")

    assert int(seconds) >= 10  # long enough to see that it went well
    assert address == returning.address_for(attempt)


def test_after_anything_else_it_waits_for_its_reader(client, returning_world):
    response = client.get(f"/connect/attempt/{consent(client, returning_world, 'decline').pk}/")

    assert "Refresh" not in response.headers


def test_less_than_was_asked_waits_for_its_reader(client, returning_world):
    change = {"scope": "User.Read openid"}
    returning_world.microsoft.set_fault("answer", grant_type="authorization_code", change=change)

    attempt = consent(client, returning_world)

    assert attempt.outcome == "connected_with_less"
    assert "Refresh" not in client.get(f"/connect/attempt/{attempt.pk}/").headers


def test_nothing_secret_is_in_the_address(client, returning_world):
    fields = returning_world.sign_in(go(client, returning_world))
    come_back(client, fields)
    attempt = ConsentAttempt.objects.get()
    address = returning.address_for(attempt)

    held = [returning_world.token, returning_world.link.public_id, attempt.pk, fields["state"], fields["code"]]
    held += [returning_world.person["oid"], returning_world.directory["id"], "ada", "contoso"]
    assert [secret for secret in map(str, held) if secret.lower() in address.lower()] == []


def test_a_return_url_is_told_to_nobody_but_the_browser_that_tried(client, returning_world):
    attempt = consent(client, returning_world)
    Link.objects.update(revoked_at=timezone.now())

    response = type(client)().get(f"/connect/attempt/{attempt.pk}/")

    assert response.status_code == 404
    assert "app.example" not in text_of(response) + str(response.headers)
