"""Which answers count: from which browser, how often, and for whose account."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from oauth.id_token import PERSONAL
from oauth.models import Connection, ConsentAttempt, Link
from tenants import clouds
from tenants.models import Event
from tests.factories import make_connection, make_link, make_tenant
from tests.oauth.consenting import World, at_once, come_back, consent, go, make_world, press


def latest() -> ConsentAttempt:
    return ConsentAttempt.objects.select_related("connection").latest("created_at")


# Who may come back, and how often


def test_an_answer_in_another_browser_is_refused_and_burns_nothing(world):
    starter, other = Client(), Client()
    fields = world.sign_in(go(starter, world))

    refused = come_back(other, fields)
    assert refused.status_code == 400
    assert refused.content == come_back(other, {"state": "unknown", "code": "x"}).content
    assert world.redemptions() == []
    assert latest().claimed_at is None

    assert come_back(starter, fields).status_code == 303
    assert latest().outcome == "connected"


def test_an_answer_is_refused_in_a_browser_that_waits_for_another(world):
    attacker, victim = Client(), Client()
    fields = world.sign_in(go(attacker, world))
    own = world.sign_in(go(victim, world))

    assert come_back(victim, fields).status_code == 400
    assert Connection.objects.count() == 0

    assert come_back(victim, own).status_code == 303


def test_an_answer_works_once(client, world):
    fields = world.sign_in(go(client, world))
    come_back(client, fields)
    token = Connection.objects.get().refresh_token

    again = come_back(client, fields)

    assert again.status_code == 400
    assert len(world.redemptions()) == 1
    assert Connection.objects.get().refresh_token == token


def test_an_answer_is_refused_after_an_hour(client, world):
    fields = world.sign_in(go(client, world))
    ConsentAttempt.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert come_back(client, fields).status_code == 400
    assert (latest().claimed_at, world.redemptions()) == (None, [])


@pytest.mark.parametrize("cloud_key", ["global", "china", "nowhere"])
def test_an_answer_is_refused_at_another_clouds_address(client, world, cloud_key):
    fields = world.sign_in(go(client, world))

    assert come_back(client, fields, cloud=cloud_key).status_code == 400
    assert latest().claimed_at is None


def test_an_answer_of_another_issuer_is_rejected_before_the_code_is_sent(client, world):
    fields = world.sign_in(go(client, world)) | {"iss": "https://login.evil.example/v2.0"}
    come_back(client, fields)

    assert (latest().outcome, latest().fault_kind) == ("rejected", "iss")
    assert world.redemptions() == []


def test_two_tabs_of_one_browser_both_come_through(client, world):
    Link.objects.update(max_uses=2)
    first, second = go(client, world), go(client, world)

    assert come_back(client, world.sign_in(first)).status_code == 303
    assert come_back(client, world.sign_in(second)).status_code == 303
    assert ConsentAttempt.objects.filter(outcome="connected").count() == 2


def test_of_fifty_answers_at_once_one_is_redeemed(threaded_world):
    client = Client()
    fields = threaded_world.sign_in(go(client, threaded_world))

    def answer():
        browser = Client()
        browser.cookies = client.cookies.copy()
        return come_back(browser, fields).status_code

    statuses = at_once(*[answer] * 50)

    assert sorted(statuses) == [303] + [400] * 49
    assert len(threaded_world.redemptions()) == 1


def test_of_two_people_with_one_use_left_one_is_connected(threaded_world):
    world = threaded_world
    second = world.microsoft.add_person(world.directory["id"], "Grace", "grace@contoso.example")
    browsers = [Client(), Client()]
    answers = [
        (browser, world.sign_in(go(browser, world), oid=oid))
        for browser, oid in zip(browsers, [world.person["oid"], second["oid"]], strict=True)
    ]

    statuses = at_once(*[lambda each=each: come_back(*each).status_code for each in answers])

    outcomes = sorted(ConsentAttempt.objects.values_list("outcome", "fault_kind"))
    assert statuses == [303, 303]
    assert outcomes == [("connected", ""), ("rejected", "link_unusable")]
    assert Connection.objects.count() == 1
    assert Link.objects.get(purpose="consent").uses == 1


def test_one_account_through_two_links_at_once_is_one_connection(threaded_world):
    world = threaded_world
    link, token = make_link(world.registration)
    browsers = [Client(), Client()]
    first = world.sign_in(go(browsers[0], world))
    browsers[1].get(f"/c/{token}/")
    second = world.sign_in(press(browsers[1], link).headers["Location"])

    at_once(lambda: come_back(browsers[0], first), lambda: come_back(browsers[1], second))

    assert list(ConsentAttempt.objects.values_list("outcome", flat=True)) == ["connected"] * 2
    assert Connection.objects.count() == 1


# What must not be stored


@pytest.mark.parametrize("change", ["expired", "revoked", "used", "suspended", "archived"])
def test_a_link_that_ends_meanwhile_connects_nobody(client, world, change):
    fields = world.sign_in(go(client, world))
    now = timezone.now()
    match change:
        case "expired":
            Link.objects.update(expires_at=now)
        case "revoked":
            Link.objects.update(revoked_at=now)
        case "used":
            Link.objects.update(uses=1)
        case "suspended":
            type(world.link.tenant).objects.update(suspended_at=now)
        case "archived":
            type(world.registration).objects.update(archived_at=now)

    come_back(client, fields)

    assert (latest().outcome, latest().fault_kind) == ("rejected", "link_unusable")
    assert Connection.objects.count() == 0
    assert Link.objects.get().uses == (1 if change == "used" else 0)


def test_an_account_of_another_tenant_stays_as_it_is(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience="AzureADMultipleOrgs", shared=True, directory="")
    theirs = make_connection(
        world.registration,
        tenant=make_tenant(),
        tid=world.directory["id"],
        oid=world.person["oid"],
        token_status="dead",
    )

    attempt = consent(client, world)

    kept = Connection.objects.get()
    assert (attempt.outcome, attempt.fault_kind, attempt.connection) == ("rejected", "other_tenant", None)
    assert (kept.refresh_token, kept.token_status, kept.tenant) == (theirs.refresh_token, "dead", theirs.tenant)
    assert Link.objects.get().uses == 0
    assert not Event.objects.exists()


def test_an_account_of_another_directory_is_rejected(client, world):
    world.microsoft.set_fault(
        "id_token",
        grant_type="authorization_code",
        change={"tid": "11111111-2222-4333-8444-555555555555"},
    )

    attempt = consent(client, world)

    assert attempt.outcome == "rejected"
    assert Connection.objects.count() == 0


def of_another_kind(world: World, cloud, tid: str) -> None:
    """Microsoft would not let such an account come this far: what is tested is that we do not rest on that."""
    change = {"tid": tid, "iss": cloud.issuer(tid)}
    world.microsoft.set_fault("id_token", grant_type="authorization_code", change=change)


@pytest.mark.parametrize("pin", ["id", "domain"])
def test_a_personal_account_is_rejected_where_an_organization_is_asked(client, world, cloud, pin):
    world.registration.directory = world.directory[pin]
    world.registration.save()
    of_another_kind(world, cloud, PERSONAL)

    attempt = consent(client, world)

    assert attempt.outcome == "rejected"
    assert Connection.objects.count() == 0


def test_a_personal_account_is_rejected_where_several_organizations_are(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience="AzureADMultipleOrgs", shared=True, directory="")
    of_another_kind(world, cloud, PERSONAL)

    attempt = consent(client, world)

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "personal_account")
    assert Connection.objects.count() == 0


def test_a_personal_account_is_rejected_where_only_a_domain_says_which_organization(
    client, world, cloud, settings, monkeypatch
):
    # Of a built-in cloud no discovery is asked, so nothing says which directory a domain stands for.
    built_in = replace(cloud, built_in=True, browser_origin=None)
    monkeypatch.setattr(clouds, "BUILT_IN", (built_in,))
    settings.EXTRA_CLOUDS = []
    type(world.registration).objects.update(directory="contoso.example")
    of_another_kind(world, cloud, PERSONAL)
    page = go(client, world).replace(built_in.sign_in_origin, world.microsoft.pages_origin)

    come_back(client, world.sign_in(page))

    assert (latest().outcome, latest().fault_kind) == ("rejected", "personal_account")
    assert Connection.objects.count() == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"what": "id_token", "missing": True}, "missing"),
        ({"what": "id_token", "change": {"aud": "11111111-2222-4333-8444-555555555555"}}, "aud"),
        ({"what": "id_token", "change": {"nonce": "another"}}, "nonce"),
        ({"what": "answer", "remove": ["refresh_token"]}, "refresh_token"),
    ],
)
def test_an_answer_that_lacks_what_it_must_hold_is_rejected(client, world, fault, reason):
    world.microsoft.set_fault(grant_type="authorization_code", **fault)

    attempt = consent(client, world)

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", reason)
    assert Connection.objects.count() == 0
    assert Link.objects.get().uses == 0


def test_a_flow_moved_here_from_another_attempt_is_not_used(client, world):
    Link.objects.update(max_uses=2)
    go(client, world)
    fields = world.sign_in(go(client, world))
    second, first = ConsentAttempt.objects.values_list("pk", flat=True)
    with database.cursor() as cursor:
        of_first = "SELECT flow FROM oauth_consentattempt WHERE state_digest = %s"
        digests = [ConsentAttempt.objects.get(pk=each).state_digest for each in (first, second)]
        cursor.execute(f"UPDATE oauth_consentattempt SET flow = ({of_first}) WHERE state_digest = %s", digests)

    come_back(client, fields)

    attempt = ConsentAttempt.objects.get(pk=second)
    assert (attempt.outcome, attempt.fault_kind, attempt.flow) == ("rejected", "unreadable_flow", None)
    assert world.redemptions() == []


@pytest.mark.parametrize(
    "change", [{"client_id": "11111111-2222-4333-8444-555555555555"}, {"directory": "contoso.com"}]
)
def test_a_registration_that_was_changed_meanwhile_connects_nobody(client, world, change):
    fields = world.sign_in(go(client, world))
    type(world.registration).objects.update(**change)

    come_back(client, fields)

    assert (latest().outcome, latest().fault_kind) == ("rejected", "registration_changed")
    assert world.redemptions() == []
