"""What became of an attempt, as the person reads it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oauth.explanations import explanation_of
from oauth.models import ConsentAttempt, Link
from tenants.models import RedirectURI
from tests.factories import make_link, make_registration
from tests.oauth.consenting import come_back, consent, go, text_of
from tests.oauth.gallery import RETURN_URL, attempt_of, connection_of, grant_of, opened

Purpose, Way, Outcome = Link.Purpose, ConsentAttempt.Way, ConsentAttempt.Outcome
CONNECT = "Go back and connect it</a>"
TRY_AGAIN, ASK, APPROVE = "Try again</a>", "Ask my IT administrator", "Go back and approve</a>"


def show(client, attempt: ConsentAttempt) -> str:
    response = client.get(f"/connect/attempt/{attempt.pk}/")
    assert response.status_code == 200
    return text_of(response)


@pytest.fixture
def link(client, world) -> Link:
    """The world's link, opened."""
    client.get(f"/c/{world.token}/")
    return world.link


def test_the_outcome_names_the_account_and_stays_when_reloaded(client, world):
    attempt = consent(client, world)

    page = show(client, attempt)

    for words in ("Your mailbox is connected", "ada@contoso.example", world.link.tenant.name, "A mail is on its way"):
        assert words in page
    assert show(client, attempt) == page


def test_the_outcome_is_for_the_browser_that_tried(client, world):
    attempt = consent(client, world)

    response = Client().get(f"/connect/attempt/{attempt.pk}/")

    assert response.status_code == 404
    assert "contoso" not in text_of(response).lower()


def test_the_outcome_says_what_was_not_granted_and_offers_the_rest(client, world):
    world.microsoft.set_fault("answer", grant_type="authorization_code", change={"scope": "User.Read openid"})

    attempt = consent(client, world)
    page = show(client, attempt)

    assert "with less than was asked" in page
    assert "Read your mail" in page
    assert f'action="/connect/attempt/{attempt.pk}/rest/"' in page


def test_a_declined_attempt_offers_another(client, world):
    page = show(client, consent(client, world, answer="decline"))

    assert "You did not accept" in page
    assert f'href="/connect/{world.link.public_id}/#ways"' in page


def test_nothing_is_offered_that_would_not_work(client, world, link):
    attempts = [
        attempt_of(client, link, outcome=Outcome.DECLINED),
        attempt_of(client, link, outcome=Outcome.CANCELLED),
        attempt_of(client, link, outcome=Outcome.REFUSED, fault_kind="admin_consent_required"),
        attempt_of(client, link),
    ]
    Link.objects.update(revoked_at=timezone.now())

    for attempt in attempts:
        page = show(client, attempt)
        assert f'"/connect/{link.public_id}/' not in page
        assert "open the link you were sent" in page


def test_a_bare_cancel_shows_what_an_administrator_needs_and_the_way_to_ask_one(client, world):
    world.microsoft.users_may_consent(world.directory["id"], False)

    page = show(client, consent(client, world, answer="cancel"))

    for words in ("Need admin approval", ASK, APPROVE, TRY_AGAIN, world.registration.client_id):
        assert words in page


def test_who_may_not_approve_is_offered_to_connect_to_ask_and_to_approve_as_somebody_else(client, world):
    link = opened(client, world, registration=make_registration(cloud="sandbox", scopes=("SMTP.Send",)))

    page = show(client, attempt_of(client, link, way=Way.APPROVAL, outcome=Outcome.CANCELLED, fault_kind="cancelled"))

    assert [words for words in (CONNECT, ASK, APPROVE) if words in page] == [CONNECT, ASK, APPROVE]
    assert "must probably approve" not in page
    assert f'class="button" href="/connect/{link.public_id}/#ways">{CONNECT}' in page
    assert f'class="quiet">{ASK}' in page


def test_an_administrators_link_offers_nobody_to_connect(client, world):
    approval = opened(client, world, purpose=Purpose.APPROVAL, parent=world.link)

    page = show(client, attempt_of(client, approval, way=Way.APPROVAL, outcome=Outcome.CANCELLED))

    assert CONNECT not in page
    assert '<button type="submit">Hand it on</button>' in page


def test_no_page_but_the_request_has_the_requests_label_for_approving(client, world, link):
    for fields in ({}, {"outcome": "cancelled"}, {"outcome": "cancelled", "way": Way.APPROVAL}):
        assert "Approve for my organization" not in show(client, attempt_of(client, link, **fields))


@pytest.mark.parametrize("fields", [{"scopes": ("SMTP.Send",)}, {"audience": "PersonalMicrosoftAccount"}])
def test_a_bare_cancel_is_no_more_than_that_where_nobody_has_to_approve(client, world, fields):
    link = opened(client, world, registration=make_registration(cloud="sandbox", **fields))

    page = show(client, attempt_of(client, link, outcome=Outcome.CANCELLED, fault_kind="cancelled"))

    assert "You came back without an answer" in page
    assert "Need admin approval" not in page
    assert ASK not in page


def test_an_expired_secret_is_told_as_our_fault(client, world):
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])

    page = show(client, consent(client, world))

    assert explanation_of("secret_expired").what in page
    assert "have been told" in page
    assert f'<p class="after"><a href="/connect/{world.link.public_id}/#ways">Try again</a>' in page
    assert "AADSTS7000222" in page


def test_what_only_the_browser_says_was_told_to_nobody(client, world):
    state = go(client, world).partition("&state=")[2].partition("&")[0]
    come_back(client, {"state": state, "error": "invalid_client", "error_description": "AADSTS7000222: expired"})

    assert "have been told" not in show(client, ConsentAttempt.objects.get())


def test_nothing_of_microsofts_description_is_shown(client, world):
    state = go(client, world).partition("&state=")[2].partition("&")[0]
    description = "AADSTS50105: <script>alert(1)</script> canary-2718"
    come_back(client, {"state": state, "error": "access_denied", "error_description": description})

    page = show(client, ConsentAttempt.objects.get())

    assert "canary-2718" not in page
    assert "alert(1)" not in page
    assert "AADSTS50105" in page


NOW = timezone.now()
APPROVAL = {"way": Way.APPROVAL}


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({}, "Not finished yet"),
        ({"expires_at": NOW - timedelta(days=1)}, "This took too long"),
        ({"claimed_at": NOW + timedelta(days=1)}, "One moment"),
        ({"claimed_at": NOW, "next_at": NOW + timedelta(days=1)}, "Almost there"),
        ({"claimed_at": NOW - timedelta(minutes=5)}, "This was interrupted"),
        ({"outcome": "connected"}, "Your mailbox is connected"),
        ({"outcome": "connected_with_less"}, "Connected, with less than was asked"),
        ({"outcome": "approved", **APPROVAL}, "Approved for your organization"),
        ({"outcome": "declined", "fault_kind": "user_declined"}, "You did not accept"),
        ({"outcome": "declined", "fault_kind": "user_declined", **APPROVAL}, "You did not approve"),
        ({"outcome": "cancelled", "fault_kind": "cancelled"}, "An administrator must probably approve first"),
        ({"outcome": "cancelled", "fault_kind": "cancelled", **APPROVAL}, "the account you used may not approve"),
    ],
)
def test_every_end_has_its_words(client, world, link, fields, title):
    assert title in show(client, attempt_of(client, link, **fields))


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.REFUSED, "conditional_access"),
        (Outcome.REFUSED, "mfa_required"),
        (Outcome.REFUSED, "unknown_refusal"),
        (Outcome.REFUSED, "a kind without words"),
        (Outcome.REJECTED, "wrong_account"),
        (Outcome.REJECTED, "other_tenant"),
        (Outcome.REJECTED, "registration_changed"),
        (Outcome.UNREACHABLE, "unreachable"),
    ],
)
def test_a_failure_is_told_in_the_words_for_its_kind(client, world, link, outcome, kind):
    said = explanation_of(kind)

    page = show(client, attempt_of(client, link, outcome=outcome, fault_kind=kind))

    for words in (f"<h1>{said.title}</h1>", said.what, *said.todo, TRY_AGAIN):
        assert words in page


@pytest.mark.parametrize(
    ("fields", "is_prominent"),
    [
        ({"outcome": Outcome.REJECTED, "fault_kind": "wrong_account"}, True),
        ({"outcome": Outcome.UNREACHABLE, "fault_kind": "unreachable"}, True),
        ({"outcome": Outcome.REFUSED, "fault_kind": "conditional_access"}, False),
        ({"outcome": Outcome.REFUSED, "fault_kind": "secret_expired"}, False),
        ({"outcome": Outcome.DECLINED, "fault_kind": "user_declined"}, False),
    ],
)
def test_another_try_is_prominent_where_it_is_for_the_person_to_try(client, world, link, fields, is_prominent):
    page = show(client, attempt_of(client, link, **fields))

    assert (f'<a class="button" href="/connect/{link.public_id}/#ways">' in page) == is_prominent
    assert (f'<a class="button quiet" href="/connect/{link.public_id}/#ways">' in page) != is_prominent


def test_who_asked_on_microsofts_page_is_told_to_wait(client, world, link):
    cancelled = {"outcome": Outcome.CANCELLED, "fault_kind": "cancelled"}

    assert "a request for approval on Microsoft’s page" in show(client, attempt_of(client, link, **cancelled))


def test_who_took_another_account_reads_which_one_the_link_is_for(client, world, link):
    pinned = opened(client, world, expected_address="ada@contoso.example")
    again = opened(client, world, purpose=Purpose.RECONNECT, connection=connection_of(world))
    failed = {"outcome": Outcome.REJECTED, "fault_kind": "wrong_account"}

    for one in (pinned, again):
        assert "The link is for <strong>ada@contoso.example</strong>." in show(
            client, attempt_of(client, one, **failed)
        )
    assert "The link is for <strong>" not in show(client, attempt_of(client, link, **failed))
    failed["fault_kind"] = "guest"
    assert "ada@contoso.example" not in show(client, attempt_of(client, pinned, **failed))


def test_a_link_that_ended_names_no_account(client, world):
    pinned = opened(client, world, expected_address="ada@contoso.example")
    wrong = attempt_of(client, pinned, outcome=Outcome.REJECTED, fault_kind="wrong_account")
    Link.objects.filter(pk=pinned.pk).update(revoked_at=timezone.now())

    assert "ada@contoso.example" not in show(client, wrong)


def test_there_is_a_page_for_every_outcome(client, world, link):
    for outcome in Outcome.values:
        assert show(client, attempt_of(client, link, outcome=outcome))


@pytest.mark.parametrize(
    ("kind", "is_offered"),
    [
        ("admin_consent_required", True),
        ("consent_missing", True),
        ("account_disabled", False),
        ("wrong_account", False),
    ],
)
def test_an_approval_is_offered_where_it_would_mend_the_fault(client, world, link, kind, is_offered):
    page = show(client, attempt_of(client, link, outcome=Outcome.REFUSED, fault_kind=kind))

    assert (ASK in page, APPROVE in page) == (is_offered, is_offered)


@pytest.mark.parametrize("fields", [{}, {"expires_at": NOW - timedelta(minutes=1)}])
def test_who_has_no_answer_is_told_the_likely_causes_and_may_say_what_microsoft_told_them(client, world, link, fields):
    page = show(client, attempt_of(client, link, **fields))

    for words in ("Microsoft said that an administrator must approve", ASK, "What did Microsoft tell you?", "/told/"):
        assert words in page


# An administrator's approval


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "reported", "look_at": NOW + timedelta(days=1)}, "This page looks again by itself"),
        ({"status": "reported"}, "confirmed when the next person signs in"),
        ({"status": "seen"}, "A sign-in has confirmed it"),
        ({"status": "verified"}, "Microsoft’s directory confirms it"),
    ],
)
def test_an_approval_says_how_far_it_can_be_trusted(client, world, link, fields, words):
    attempt = attempt_of(client, link, way=Way.APPROVAL, outcome=Outcome.APPROVED, grant=grant_of(world, **fields))

    response = client.get(f"/connect/attempt/{attempt.pk}/")

    assert words in text_of(response)
    assert ("Refresh" in response.headers) is ("look_at" in fields)


def test_who_approved_with_the_persons_own_link_is_led_on_to_connect(client, world, link):
    page = show(client, attempt_of(client, link, outcome=Outcome.APPROVED))

    assert f'href="/connect/{link.public_id}/#ways"' in page
    assert "that is all" not in page


def test_an_administrator_who_was_asked_is_done(client, world):
    approval = opened(client, world, purpose=Purpose.APPROVAL, parent=world.link)

    page = show(client, attempt_of(client, approval, outcome=Outcome.APPROVED))

    assert "Thank you, that is all." in page
    assert "/#ways" not in page


# Pages that look again, and the way back


@pytest.mark.parametrize(
    ("fields", "looks_again"),
    [
        ({"claimed_at": NOW + timedelta(days=1)}, True),
        ({"claimed_at": NOW, "next_at": NOW + timedelta(days=1)}, True),
        ({}, False),
        ({"outcome": "connected"}, False),
        ({"claimed_at": NOW - timedelta(minutes=5)}, False),
    ],
)
def test_a_page_looks_again_by_itself_only_while_there_is_something_to_come(client, world, link, fields, looks_again):
    attempt = attempt_of(client, link, **fields)

    response = client.get(f"/connect/attempt/{attempt.pk}/")

    assert response.headers.get("Refresh") == ("3" if looks_again else None)
    assert ("by itself" in text_of(response)) is looks_again


@pytest.fixture
def returning(client, world) -> Link:
    """A link that names a return URL."""
    RedirectURI.objects.create(registration=world.registration, use=RedirectURI.Use.RETURN, uri=RETURN_URL)
    return opened(client, world, return_url=RETURN_URL)


def test_who_is_connected_is_taken_back_and_told_so(client, world, returning):
    connection = connection_of(world)
    attempt = attempt_of(client, returning, outcome=Outcome.CONNECTED, connection=connection)

    response = client.get(f"/connect/attempt/{attempt.pk}/")

    address = f"{RETURN_URL}?status=connected&connection={connection.pk}"
    assert response.headers["Refresh"] == f"10; url={address}"
    assert "You are taken back to app.example in 10 seconds." in text_of(response)
    assert f'href="{address.replace("&", "&amp;")}"' in text_of(response)


def test_who_is_not_connected_may_go_back_and_is_not_taken(client, world, returning):
    attempt = attempt_of(client, returning, outcome=Outcome.DECLINED)

    response = client.get(f"/connect/attempt/{attempt.pk}/")

    assert "Refresh" not in response.headers
    address = f"{RETURN_URL}?status=declined"
    assert f'class="button quiet" href="{address}" rel="noreferrer">Go back to app.example' in text_of(response)


def test_who_was_granted_less_may_go_on_or_grant_the_rest(client, world, returning):
    connection = connection_of(world, scopes_asked=["Mail.Read", "Mail.Send"])
    attempt = attempt_of(client, returning, outcome=Outcome.CONNECTED_WITH_LESS, connection=connection)

    response = client.get(f"/connect/attempt/{attempt.pk}/")

    address = f"{RETURN_URL}?status=connected_with_less&amp;connection={connection.pk}"
    assert text_of(response).count(f'class="button" href="{address}" rel="noreferrer">Go on to app.example') == 1
    assert "Grant the rest" in text_of(response)
    assert "Refresh" not in response.headers


def test_without_a_return_url_nobody_is_led_anywhere(client, world):
    link, token = make_link(world.registration, return_url="https://other.example/")
    client.get(f"/c/{token}/")

    assert "other.example" not in show(client, attempt_of(client, link, outcome=Outcome.DECLINED))
