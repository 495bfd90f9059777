"""A consent that not all of Microsoft knows yet: its code is redeemed again, for a minute."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oauth.models import Connection, ConsentAttempt
from oauth.tasks import try_again
from tests.oauth.consenting import consent, text_of


@pytest.fixture
def spreading(client, world):
    """An attempt whose consent Microsoft's token endpoint does not know yet."""
    world.microsoft.set_spread(300)
    return consent(client, world)


def look_again(attempt: ConsentAttempt) -> ConsentAttempt:
    """Its time has come; the attempt afterwards."""
    ConsentAttempt.objects.filter(pk=attempt.pk).update(next_at=timezone.now())
    try_again(str(attempt.pk))
    return ConsentAttempt.objects.get(pk=attempt.pk)


def test_a_consent_that_has_not_spread_yet_is_no_failure(client, spreading):
    page = client.get(f"/connect/attempt/{spreading.pk}/")

    assert (spreading.outcome, spreading.fault_kind) == ("", "")
    assert spreading.next_at > timezone.now()
    assert "Almost there" in text_of(page)
    assert page.headers["Refresh"]


def test_it_is_connected_once_microsoft_knows(world, spreading):
    world.microsoft.set_spread(0)

    attempt = look_again(spreading)

    assert (attempt.outcome, attempt.next_at, attempt.flow) == ("connected", None, None)
    assert Connection.objects.get(pk=attempt.connection_id).address == "ada@contoso.example"


def test_it_is_waited_for_more_than_once(spreading):
    attempt = look_again(look_again(spreading))

    assert attempt.outcome == ""
    assert attempt.next_at > timezone.now()


def test_after_a_minute_it_is_waited_for_no_longer(spreading):
    ConsentAttempt.objects.filter(pk=spreading.pk).update(claimed_at=timezone.now() - timedelta(seconds=61))

    attempt = look_again(spreading)

    assert (attempt.outcome, attempt.fault_kind, attempt.flow) == ("refused", "not_spread", None)


def test_two_bells_at_once_redeem_it_once(world, spreading):
    before = len(world.redemptions())
    look_again(spreading)

    try_again(str(spreading.pk))

    assert len(world.redemptions()) == before + 1
