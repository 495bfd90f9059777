"""A consent that Microsoft does not know of everywhere yet: it waits as a row, and ends within a minute or so."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from monitoring.models import Finding
from monitoring.tasks import reconcile
from oauth.consent import SPREADS_WITHIN
from oauth.models import Connection, ConsentAttempt, Link, Mail
from oauth.models.attempt import TAKES_AT_MOST
from oauth.tasks import try_again
from tenants.models import Credential
from tests.oauth.consenting import World, come_back, consent, go, make_world, text_of


@pytest.fixture
def spreading(world) -> World:
    """Microsoft knows of no consent the first two times it is asked."""
    world.microsoft.set_fault(65001, grant_type="authorization_code", times=2)
    return world


def attempt() -> ConsentAttempt:
    return ConsentAttempt.objects.select_related("connection").get()


def due() -> None:
    """The pause is over."""
    ConsentAttempt.objects.update(next_at=timezone.now())


def again() -> ConsentAttempt:
    due()
    try_again(str(attempt().pk))
    return attempt()


# It waits


def test_an_attempt_waits_while_its_consent_spreads(client, spreading):
    kept = consent(client, spreading)

    assert (kept.outcome, kept.finished_at, kept.connection) == ("", None, None)
    assert timedelta(0) < kept.next_at - timezone.now() < timedelta(seconds=10)
    assert "waiting until the consent has spread" in kept.status
    assert Link.objects.get().uses == 0
    assert not Finding.objects.exists()
    assert not Mail.objects.exists()


def test_the_code_is_kept_sealed_until_it_is_needed(client, spreading):
    fields = spreading.sign_in(go(client, spreading))
    come_back(client, fields)

    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM oauth_consentattempt")
        row = str(cursor.fetchall())
    assert fields["code"] in attempt().flow.reveal("test")
    assert fields["code"] not in row
    assert fields["state"] not in row


def test_the_page_looks_again_by_itself(client, spreading):
    response = client.get(f"/connect/attempt/{consent(client, spreading).pk}/")

    assert response.status_code == 200
    assert int(response.headers["Refresh"]) <= 5
    assert "Almost there" in text_of(response)


def test_the_page_rings_for_what_is_due_and_for_nothing_else(
    client, spreading, rung, django_capture_on_commit_callbacks
):
    pk = consent(client, spreading).pk
    for expected in ([], [("oauth.tasks.try_again", (str(pk),))]):
        rung.clear()
        with django_capture_on_commit_callbacks(execute=True):
            client.get(f"/connect/attempt/{pk}/")
        assert rung == expected
        due()


def test_the_reconciler_rings_for_what_is_due(client, spreading, rung, django_capture_on_commit_callbacks):
    pk = consent(client, spreading).pk
    for expected in ([], [("oauth.tasks.try_again", (str(pk),))]):
        rung.clear()
        with django_capture_on_commit_callbacks(execute=True):
            reconcile()
        assert [bell for bell in rung if bell[0] == "oauth.tasks.try_again"] == expected
        due()


# It ends


def test_what_has_spread_is_connected(client, spreading):
    consent(client, spreading)

    waiting = again()
    assert waiting.outcome == ""
    assert waiting.next_at > timezone.now()

    ended = again()
    assert ended.outcome == "connected"
    assert Connection.objects.get() == ended.connection
    assert Link.objects.get(purpose="consent").uses == 1
    assert Mail.objects.get().kind == "notice"


def test_nothing_that_was_kept_stays(client, spreading):
    consent(client, spreading)
    again()

    ended = again()

    assert (ended.flow, ended.next_at) == (None, None)
    assert client.get(f"/connect/attempt/{ended.pk}/").headers.get("Refresh") is None


def test_what_does_not_spread_within_a_minute_is_refused(client, world):
    world.microsoft.set_fault(65001, grant_type="authorization_code")
    consent(client, world)
    ConsentAttempt.objects.update(claimed_at=timezone.now() - SPREADS_WITHIN)

    ended = again()

    assert (ended.outcome, ended.fault_kind, ended.codes) == ("refused", "not_spread", [65001])
    assert (ended.flow, ended.next_at) == (None, None)
    assert not Connection.objects.exists()
    assert client.get(f"/connect/attempt/{ended.pk}/").status_code == 200


def test_a_consent_that_only_the_browser_says_is_missing_waits_for_nothing(client, world):
    fields = world.sign_in(go(client, world), "decline")

    come_back(client, fields | {"error_description": "AADSTS65001: The user has not consented."})

    assert (attempt().outcome, attempt().fault_kind) == ("refused", "consent_missing")
    assert attempt().next_at is None


@pytest.mark.parametrize(
    ("fault", "outcome"), [("down", "unreachable"), (7000222, "refused"), (54005, "refused"), (70008, "refused")]
)
def test_another_trouble_meanwhile_ends_it_as_ever(client, world, fault, outcome):
    world.microsoft.set_fault(65001, grant_type="authorization_code", times=1)
    consent(client, world)
    world.microsoft.set_fault(fault, grant_type="authorization_code")

    ended = again()

    assert (ended.outcome, ended.flow, ended.next_at) == (outcome, None, None)


def test_a_link_that_ends_meanwhile_connects_nobody(client, spreading):
    consent(client, spreading)
    again()
    Link.objects.update(revoked_at=timezone.now())

    ended = again()

    assert (ended.outcome, ended.fault_kind) == ("rejected", "link_unusable")
    assert not Connection.objects.exists()


def test_a_secret_that_is_gone_meanwhile_is_told_as_ever(client, spreading):
    consent(client, spreading)
    Credential.objects.update(slot="previous")

    ended = again()

    assert (ended.outcome, ended.fault_kind) == ("rejected", "no_secret")
    assert Finding.objects.open().get().kind == "no_secret"


def test_what_can_no_longer_be_tried_is_wiped(client, spreading):
    consent(client, spreading)
    ConsentAttempt.objects.update(expires_at=timezone.now())

    reconcile()

    assert (attempt().flow, attempt().next_at) == (None, None)


# Tasks that are lost, doubled or killed


def test_a_task_that_comes_too_early_does_nothing(client, spreading):
    consent(client, spreading)

    try_again(str(attempt().pk))

    assert len(spreading.redemptions()) == 1


def test_a_task_that_comes_after_the_end_does_nothing(client, spreading):
    consent(client, spreading)
    again()
    again()

    try_again(str(attempt().pk))

    assert len(spreading.redemptions()) == 3


def test_a_worker_that_was_killed_leaves_it_to_another(client, spreading, time_machine):
    consent(client, spreading)
    due()
    assert ConsentAttempt.objects.claim_again(attempt().pk) is not None
    assert ConsentAttempt.objects.claim_again(attempt().pk) is None

    time_machine.move_to(timezone.now() + TAKES_AT_MOST)

    assert ConsentAttempt.objects.claim_again(attempt().pk) is not None


def test_a_worker_that_was_killed_over_its_work_leaves_an_end(client, spreading):
    consent(client, spreading)
    ConsentAttempt.objects.update(flow=None)  # taken, and nothing came of it

    ended = again()

    assert (ended.outcome, ended.fault_kind) == ("rejected", "no_flow")


@pytest.fixture
def threaded(transactional_db, site_url, microsoft, cloud) -> World:
    return make_world(microsoft, cloud)


def test_two_workers_do_not_redeem_at_once(threaded):
    threaded.microsoft.set_fault(65001, grant_type="authorization_code", times=1)
    pk = str(consent(Client(), threaded).pk)
    due()
    all_ready = Barrier(4, timeout=30)

    def work(_: int) -> None:
        try:
            database.ensure_connection()
            all_ready.wait()
            try_again(pk)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert len(threaded.redemptions()) == 2
    assert attempt().outcome == "connected"
    assert Connection.objects.count() == 1
