"""What became of an attempt, as the person reads it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oauth.models import ConsentAttempt, Link
from tests.oauth.consenting import come_back, consent, go, text_of


def show(client, attempt: ConsentAttempt) -> str:
    response = client.get(f"/connect/attempt/{attempt.pk}/")
    assert response.status_code == 200
    return text_of(response)


def test_the_outcome_names_the_account_and_stays_when_reloaded(client, world):
    attempt = consent(client, world)

    page = show(client, attempt)

    assert "Your mailbox is connected" in page
    assert "ada@contoso.example" in page
    assert show(client, attempt) == page


def test_the_outcome_is_for_the_browser_that_tried(client, world):
    attempt = consent(client, world)

    response = Client().get(f"/connect/attempt/{attempt.pk}/")

    assert response.status_code == 404
    assert "contoso" not in text_of(response).lower()


def test_the_outcome_says_what_was_not_granted(client, world):
    world.microsoft.set_fault("answer", grant_type="authorization_code", change={"scope": "User.Read openid"})

    page = show(client, consent(client, world))

    assert "with less than was asked" in page
    assert "Read your mail" in page


def test_a_declined_attempt_offers_another(client, world):
    page = show(client, consent(client, world, answer="decline"))

    assert "You did not accept" in page
    assert f'href="/connect/{world.link.pk}/"' in page


def test_nothing_is_offered_that_would_not_work(client, world):
    attempt = consent(client, world, answer="decline")
    Link.objects.update(revoked_at=timezone.now())

    assert f'href="/connect/{world.link.pk}/"' not in show(client, attempt)


def test_a_bare_cancel_shows_what_an_administrator_needs(client, world):
    world.microsoft.users_may_consent(world.directory["id"], False)

    page = show(client, consent(client, world, answer="cancel"))

    assert "administrator’s approval" in page
    assert world.registration.client_id in page


def test_an_expired_secret_is_told_as_our_fault(client, world):
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])

    page = show(client, consent(client, world))

    assert "not your fault" in page
    assert "have been told" in page
    assert "AADSTS7000222" in page


def test_what_only_the_browser_says_was_told_to_nobody(client, world):
    state = go(client, world).partition("&state=")[2].partition("&")[0]
    come_back(client, {"state": state, "error": "invalid_client", "error_description": "AADSTS7000222: expired"})

    assert "have been told" not in show(client, ConsentAttempt.objects.get())


def test_nothing_of_microsofts_description_is_shown(client, world):
    state = go(client, world).partition("&state=")[2].partition("&")[0]
    description = "AADSTS65004: <script>alert(1)</script> canary-2718"
    come_back(client, {"state": state, "error": "access_denied", "error_description": description})

    page = show(client, ConsentAttempt.objects.get())

    assert "canary-2718" not in page
    assert "alert(1)" not in page
    assert "AADSTS65004" in page


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({}, "Not finished yet"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "This took too long"),
        ({"claimed_at": timezone.now() + timedelta(minutes=1)}, "One moment"),
        ({"claimed_at": timezone.now() - timedelta(minutes=5)}, "This was interrupted"),
        ({"outcome": "cancelled", "fault_kind": "cancelled"}, "You came back without an answer"),
        ({"outcome": "refused", "fault_kind": "conditional_access"}, "Show this page to your IT administrator"),
        ({"outcome": "refused", "fault_kind": "mfa_required"}, "a second proof that it is you"),
        ({"outcome": "refused", "fault_kind": "unknown_refusal"}, "not your fault"),
        ({"outcome": "rejected", "fault_kind": "directory"}, "not one of the organization"),
        ({"outcome": "rejected", "fault_kind": "other_tenant"}, "connected already"),
        ({"outcome": "rejected", "fault_kind": "link_unusable"}, "somebody else used it"),
        ({"outcome": "rejected", "fault_kind": "refresh_token"}, "no lasting access"),
        ({"outcome": "rejected", "fault_kind": "no_secret"}, "not your fault"),
        ({"outcome": "rejected", "fault_kind": "registration_changed"}, "not your fault"),
        ({"outcome": "rejected", "fault_kind": "nonce"}, "could not be trusted"),
        ({"outcome": "unreachable"}, "Microsoft did not answer"),
    ],
)
def test_every_end_has_its_words(client, world, fields, title):
    go(client, world)
    ConsentAttempt.objects.update(**fields)

    assert title in show(client, ConsentAttempt.objects.get())


def test_there_is_a_page_for_every_outcome(client, world):
    go(client, world)
    for outcome in ConsentAttempt.Outcome.values:
        ConsentAttempt.objects.update(outcome=outcome)
        assert show(client, ConsentAttempt.objects.get())
