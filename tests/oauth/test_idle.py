"""Sign-ins that nobody renews, against the ninety days after which Microsoft lets them lapse."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from oauth.idle import Waiting, look_at_idle, standing_for, waiting_for
from oauth.models import Connection
from oauth.signals import Seen
from tests.factories import make_connection, make_registration, make_tenant

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
BLOCKED = Seen("account_disabled", "tenant_admin", "The account is switched off.", "Ask to have it switched on.")
BROKEN = Seen("secret_invalid", "operator", "Microsoft does not know this client secret.", "Mend it.", inhibits=True)


def idle_for(days: float) -> Connection:
    return Connection(connected_at=NOW - timedelta(days=400), refreshed_at=NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("days", "step"),
    [(0, 0), (59, 0), (60, 970), (76, 986), (83, 993), (87, 997), (89, 999), (90, 1000), (300, 1000)],
)
def test_it_is_told_in_steps_towards_the_limit(days, step):
    seen = look_at_idle(idle_for(days), BLOCKED, NOW)
    assert (seen.step if seen else 0) == step


def test_it_says_when_why_and_who_must_act():
    seen = look_at_idle(idle_for(76), BLOCKED, NOW)
    assert seen
    assert seen.what == (
        "The stored sign-in was last renewed on 17 December 2025 (UTC); Microsoft lets it lapse after 90 days, on "
        "17 March 2026 (UTC), in 14 days. It cannot be renewed: The account is switched off."
    )
    assert (seen.actor, seen.severity, seen.is_coming) == ("tenant_admin", "warning", True)
    assert seen.remedy.startswith("Ask to have it switched on. If it is not renewed by then, only the mailbox owner")


def test_once_it_has_lapsed_only_the_mailbox_owner_can_act():
    seen = look_at_idle(idle_for(91), BLOCKED, NOW)
    assert seen
    assert (seen.actor, seen.severity, seen.is_coming) == ("mailbox_owner", "critical", False)
    assert seen.what.endswith("which passed on 2 March 2026 (UTC).")


def test_one_that_was_never_renewed_counts_from_its_consent():
    connection = Connection(connected_at=NOW - timedelta(days=80))
    seen = look_at_idle(connection, BLOCKED, NOW)
    assert seen
    assert seen.step == 986


# Whom a broken registration keeps waiting


@pytest.mark.parametrize(
    ("days_left", "step", "severity"),
    [(60, 1, "warning"), (30, 71, "warning"), (3, 98, "critical"), (-5, 101, "critical")],
)
def test_the_registrations_fault_gets_worse_as_the_first_sign_in_comes_to_lapse(days_left, step, severity):
    fault = Seen("no_secret", "operator", "It has none.", "Enter one.", severity="warning", inhibits=True)
    told = standing_for(fault, Waiting(5000, NOW + timedelta(days=days_left)), NOW)
    assert (told.step, told.severity) == (step, severity)


def test_it_says_how_many_wait_and_until_when():
    told = standing_for(BROKEN, Waiting(5000, NOW + timedelta(days=14)), NOW)
    assert told.what == (
        "Microsoft does not know this client secret. Meanwhile 5,000 connections are not renewed. "
        "The first of their sign-ins lapses on 17 March 2026 (UTC)."
    )
    alone = standing_for(BROKEN, Waiting(1, NOW - timedelta(days=1)), NOW)
    assert alone.what.endswith("Meanwhile one connection is not renewed. Its sign-in lapsed on 2 March 2026 (UTC).")
    assert standing_for(BROKEN, None, NOW) == BROKEN


@pytest.mark.django_db
def test_those_count_that_could_still_be_renewed(django_assert_num_queries):
    now = timezone.now()
    broken, other, none = make_registration(), make_registration(), make_registration()
    make_connection(broken, refreshed_at=now - timedelta(days=80))
    make_connection(broken, connected_at=now - timedelta(days=20))
    make_connection(broken, token_status="dead", refreshed_at=now - timedelta(days=85))
    make_connection(broken, disconnected_at=now, refreshed_at=now - timedelta(days=85))
    make_connection(broken, tenant=make_tenant(suspended_at=now), refreshed_at=now - timedelta(days=85))
    make_connection(other, refreshed_at=now - timedelta(days=1))
    with django_assert_num_queries(1):
        found = waiting_for([broken, other, none])
    assert {pk: waiting.number for pk, waiting in found.items()} == {broken.pk: 2, other.pk: 1}
    assert found[broken.pk].first == now + timedelta(days=10)
