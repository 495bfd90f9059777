"""What the person and the operator are told of each end, through Microsoft's pages; docs/consent.md names these."""

from datetime import timedelta
from html import escape
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from monitoring.models import Finding
from oauth.explanations import explanation_of
from oauth.further_links import MOST_A_DAY
from oauth.models import Connection, ConsentAttempt, Link, Mail
from oauth.tasks import try_again
from tests.factories import make_link, make_superuser
from tests.microsoft import Stopped
from tests.oauth.consenting import come_back, consent, go, press, text_of
from tests.oauth.gallery import attempt_of

Outcome = ConsentAttempt.Outcome
NOW = timezone.now()


def latest() -> ConsentAttempt:
    return ConsentAttempt.objects.latest("created_at")


def seen(client: Client, attempt: ConsentAttempt) -> Any:
    return client.get(f"/connect/attempt/{attempt.pk}/")


def read_in_admin(link: Link) -> str:
    """The link's page, as an operator reads it."""
    admin = Client()
    admin.force_login(make_superuser())
    return text_of(admin.get(f"/admin/oauth/link/{link.pk}/change/"))


# What takes a while


def test_a_consent_that_has_not_spread_is_waited_for_and_then_connected(client, world):
    world.microsoft.set_spread(30)
    attempt = consent(client, world)

    waiting = seen(client, attempt)
    assert "<h1>Almost there</h1>" in text_of(waiting)
    assert waiting.headers["Refresh"] == "3"
    assert "waiting until the consent has spread at Microsoft" in read_in_admin(world.link)

    world.microsoft.advance(31)
    ConsentAttempt.objects.update(next_at=timezone.now())
    try_again(str(attempt.pk))

    assert latest().outcome == "connected"
    assert "<h1>Your mailbox is connected</h1>" in text_of(seen(client, attempt))


def test_a_consent_that_has_not_spread_within_a_minute_is_told_to_be_on_its_way(client, world):
    world.microsoft.set_spread(3600)
    attempt = consent(client, world)
    ConsentAttempt.objects.update(next_at=NOW, claimed_at=NOW - timedelta(minutes=1))

    try_again(str(attempt.pk))

    assert (latest().outcome, latest().fault_kind) == ("refused", "not_spread")
    assert explanation_of("not_spread").title in text_of(seen(client, attempt))
    assert not Finding.objects.exists()


def test_who_is_kept_at_microsoft_shows_as_no_answer_with_what_they_say_it_told_them(client, world):
    world.microsoft.require_assignment(world.app["client_id"], world.directory["id"])
    with pytest.raises(Stopped) as stopped:
        world.sign_in(go(client, world))
    assert "waiting for Microsoft" in read_in_admin(world.link)
    ConsentAttempt.objects.update(created_at=timezone.now() - timedelta(minutes=31))

    told = client.post(f"/connect/{world.link.public_id}/told/", {"text": str(stopped.value)})

    assert f"<h1>{explanation_of('user_not_assigned').title}</h1>" in text_of(told)
    assert (latest().told_code, latest().outcome, latest().fault_kind) == (50105, "", "")
    assert "no answer" in read_in_admin(world.link)


def test_what_microsoft_told_somebody_else_is_not_kept_beside_an_attempt(client, world):
    go(client, world)
    stranger = Client()
    stranger.get(f"/c/{world.token}/")

    stranger.post(f"/connect/{world.link.public_id}/told/", {"text": "AADSTS50105"})

    assert latest().told_code is None


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": NOW - timedelta(minutes=31)},
        {"created_at": NOW - timedelta(minutes=61), "expires_at": NOW},
        {"claimed_at": NOW + timedelta(days=1)},
        {"claimed_at": NOW, "next_at": NOW + timedelta(days=1)},
        {"claimed_at": NOW - timedelta(minutes=5)},
        *({"outcome": outcome} for outcome in Outcome.values),
    ],
)
def test_the_operator_reads_in_words_how_an_attempt_stands(client, world, fields):
    attempt = attempt_of(client, world.link, **fields)

    assert escape(attempt.status).lower() in read_in_admin(world.link).lower()


# What the account or the registration lacks


def test_an_account_without_a_mailbox_is_told_so_and_nothing_is_stored(client, world):
    world.microsoft.set_mailbox(world.person["oid"], False)

    attempt = consent(client, world)

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "no_mailbox")
    assert f"<h1>{explanation_of('no_mailbox').title}</h1>" in text_of(seen(client, attempt))
    assert "no mailbox" in read_in_admin(world.link)
    assert (Connection.objects.count(), Mail.objects.count()) == (0, 0)


def test_a_secret_that_cannot_be_read_starts_nothing_and_is_a_finding(client, world):
    with database.cursor() as cursor:
        cursor.execute("UPDATE tenants_credential SET value = %s", ["00000000:gAAAAunreadable"])
    client.get(f"/c/{world.token}/")

    page = press(client, world.link)

    assert page.status_code == 503
    assert explanation_of("unreadable_secret").title in text_of(page)
    assert Finding.objects.open().get().kind == "unreadable_secret"
    assert not ConsentAttempt.objects.exists()


def test_a_cloud_whose_sign_in_is_elsewhere_than_configured_sends_nobody_there(client, world, settings):
    settings.EXTRA_CLOUDS = [{**settings.EXTRA_CLOUDS[0], "browser_origin": "https://elsewhere.example"}]
    client.get(f"/c/{world.token}/")

    page = press(client, world.link)

    assert page.status_code == 503
    assert explanation_of("endpoint").title in text_of(page)
    assert not ConsentAttempt.objects.exists()


# Links that grow


def test_who_granted_less_is_led_to_a_link_for_the_rest_and_keeps_the_connection(client, world):
    world.microsoft.set_fault("partial", grant_type="authorization_code", remove=["Mail.Read"])
    first = consent(client, world)
    world.microsoft.clear_faults()
    assert first.outcome == "connected_with_less"

    landing = client.post(f"/connect/attempt/{first.pk}/rest/", follow=True)
    rest = Link.objects.get(purpose=Link.Purpose.RECONNECT)
    assert f'action="/connect/{rest.public_id}/start/"' in text_of(landing)

    come_back(client, world.sign_in(press(client, rest).headers["Location"]))

    assert (latest().outcome, latest().connection) == ("connected", first.connection)
    assert Connection.objects.get().scopes_missing == []


def test_of_one_link_no_more_others_are_made_than_its_people_need(client, world):
    client.get(f"/c/{world.token}/")
    for _ in range(MOST_A_DAY + world.link.max_uses):
        make_link(world.registration, parent=world.link, purpose=Link.Purpose.APPROVAL)

    page = client.post(f"/connect/{world.link.public_id}/hand-on/")

    assert page.status_code == 429
    assert "<h1>There are enough links already</h1>" in text_of(page)
    assert world.link.children.count() == MOST_A_DAY + world.link.max_uses
