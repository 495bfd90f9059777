"""The main flow once more at a provider that is not Microsoft's, known by EXTRA_CLOUDS alone.

It names itself in every answer (RFC 9207), rotates refresh tokens strictly, numbers no errors, has no `client_info`,
and nobody consents there for a whole organization.
"""

import re
from uuid import UUID

import pytest
from django.test import Client

from monitoring.models import Finding, Sweep
from oauth import health
from oauth.look import look_at
from oauth.models import Connection, ConsentAttempt
from tenants import clouds
from tenants.clouds import Cloud
from tests.factories import make_link
from tests.monitoring.conftest import check
from tests.oauth.consenting import World, come_back, consent, go, make_world, text_of


@pytest.fixture
def plain_cloud(plain_sandbox, settings) -> Cloud:
    settings.EXTRA_CLOUDS = [plain_sandbox.cloud()]
    return clouds.cloud("plain")


@pytest.fixture
def world(db, site_url, plain, plain_cloud) -> World:
    return make_world(plain, plain_cloud)


def latest() -> ConsentAttempt:
    return ConsentAttempt.objects.select_related("connection").latest("created_at")


def refusal_of(connection: Connection, token: str) -> tuple[str, list[str]]:
    """What a look with this token makes of the connection, and the faults it saw."""
    registration = connection.registration
    ask = health.registration_to_ask(registration, registration.credentials.current().first())
    asked = health.connection_to_ask(connection, ask)
    verdict = look_at(health.ConnectionToAsk(**{**vars(asked), "refresh_token": token})).whole()
    return verdict.status, [seen.kind for seen in verdict.faults]


# There and back


def test_the_landing_page_offers_to_sign_in_and_nothing_else(client, world):
    page = client.get(f"/c/{world.token}/", follow=True)

    forms = re.findall(r'<form[^>]* action="/connect/[^/"]+/([a-z-]+)/"', page.content.decode())
    assert page.status_code == 200
    assert [form for form in forms if form != "told"] == ["start"]
    assert "Continue with Microsoft" in text_of(page)


@pytest.mark.parametrize("way", ["approve", "hand-on"])
def test_nobody_is_sent_to_an_approval_that_is_not_there(client, world, way):
    client.get(f"/c/{world.token}/")

    response = client.post(f"/connect/{world.link.public_id}/{way}/")

    assert (response.status_code, response.headers["Location"]) == (303, f"/connect/{world.link.public_id}/")
    assert not ConsentAttempt.objects.exists()


def test_a_copied_address_offers_no_approval_either(client, world):
    client.get(f"/c/{world.token}/")

    assert Client().post(f"/connect/{world.link.public_id}/administrator/").status_code == 404
    assert f"/connect/{world.link.public_id}/administrator/" not in text_of(
        Client().get(f"/connect/{world.link.public_id}/")
    )


def test_people_are_sent_to_its_own_sign_in(client, world, plain_sandbox):
    auth_uri = go(client, world)

    assert auth_uri.startswith(f"{plain_sandbox.pages_origin}/{world.directory['id']}/oauth2/v2.0/authorize?")
    for asked in ("response_mode=form_post", "code_challenge_method=S256", "offline_access", "prompt=select_account"):
        assert asked in auth_uri


def test_a_consent_is_stored_with_all_that_was_asked_and_nothing_else(client, world):
    attempt = consent(client, world)

    connection = attempt.connection
    assert attempt.outcome == "connected"
    assert (connection.tid, connection.oid) == (UUID(world.directory["id"]), UUID(world.person["oid"]))
    assert connection.address == "ada@contoso.example"
    assert connection.scopes_asked == connection.scopes_granted == ["Mail.Read", "MailboxSettings.Read", "User.Read"]
    assert connection.scopes_missing == []
    assert client.get(f"/connect/attempt/{attempt.pk}/").status_code == 200


def test_the_same_account_reconnects_the_same_connection(client, world):
    first = consent(client, world).connection
    Connection.objects.update(token_status="dead")
    link, token = make_link(world.registration, purpose="reconnect", connection=first)
    world.link, world.token = link, token

    attempt = consent(client, world)

    again = Connection.objects.get()
    assert (attempt.connection, again.token_status) == (first, "active")
    assert again.refresh_token.reveal("test") != first.refresh_token.reveal("test")


def test_nobody_reconnects_somebody_elses_connection(client, world):
    first = consent(client, world).connection
    other = world.microsoft.add_person(world.directory["id"], "Grace", "grace@contoso.example")
    world.link, world.token = make_link(world.registration, purpose="reconnect", connection=first)

    attempt = consent(client, world, oid=other["oid"])

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "wrong_account")
    assert Connection.objects.get().refresh_token == first.refresh_token


# Who answers (RFC 9207)


@pytest.mark.parametrize("iss", ["https://login.evil.example/v2.0", "", "{issuer}/", "{other}"])
@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_an_answer_that_does_not_name_the_one_who_was_asked_is_rejected(client, world, plain_cloud, iss, answer):
    fields = world.sign_in(go(client, world), answer)
    issuer, other = plain_cloud.issuer(world.directory["id"]), plain_cloud.issuer(str(UUID(int=7)))
    assert fields["iss"] == issuer

    come_back(client, fields | {"iss": iss.format(issuer=issuer, other=other)}, "plain")

    assert (latest().outcome, latest().fault_kind) == ("rejected", "iss")
    assert world.redemptions() == []


def test_an_answer_to_it_is_none_of_microsofts(client, world, sandbox, settings):
    settings.EXTRA_CLOUDS = [*settings.EXTRA_CLOUDS, sandbox.cloud()]
    fields = world.sign_in(go(client, world))

    assert come_back(client, fields, "sandbox").status_code == 400
    assert latest().claimed_at is None


# No numbers


def test_who_declines_is_heard_without_a_number(client, world):
    attempt = consent(client, world, "decline")

    assert (attempt.outcome, attempt.fault_kind) == ("declined", "user_declined")
    assert (attempt.error, attempt.codes) == ("access_denied", [])


def test_a_refused_code_has_an_outcome_without_a_number(client, world):
    fields = world.sign_in(go(client, world))
    come_back(client, fields | {"code": "made-up"}, "plain")

    assert (latest().outcome, latest().fault_kind) == ("refused", "grant_refused")
    assert (latest().error, latest().codes) == ("invalid_grant", [])
    assert client.get(f"/connect/attempt/{latest().pk}/").status_code == 200


def test_an_error_of_its_own_has_an_outcome(client, world):
    fields = world.sign_in(go(client, world), "decline")
    come_back(client, fields | {"error": "account_selection_required"}, "plain")

    assert (latest().outcome, latest().fault_kind) == ("refused", "unknown_refusal")
    assert latest().error == "account_selection_required"
    assert client.get(f"/connect/attempt/{latest().pk}/").status_code == 200


def test_a_wrong_secret_is_a_finding_at_once(client, world):
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])

    attempt = consent(client, world)

    assert (attempt.outcome, attempt.error, attempt.codes) == ("refused", "invalid_client", [])
    assert Finding.objects.open().get().registration == world.registration


# Tokens that work once


def test_each_sweep_keeps_the_token_that_works_next(client, world):
    tokens = [consent(client, world).connection.refresh_token.reveal("test")]

    for _ in range(2):
        sweep = check(Sweep.ALL)
        connection = Connection.objects.get()
        tokens.append(connection.refresh_token.reveal("test"))
        assert (sweep.done, sweep.failed, sweep.set_aside) == (2, 0, 0)
        assert (connection.token_status, connection.blocked) == ("active", "")

    assert len(set(tokens)) == 3
    assert not Finding.objects.open().exists()


def test_a_token_that_was_used_is_refused_and_that_is_not_yet_a_death(client, world):
    old = consent(client, world).connection.refresh_token.reveal("test")
    check(Sweep.ALL)

    status, faults = refusal_of(Connection.objects.select_related("registration").get(), old)

    assert (status, faults) == ("invalid", ["grant_refused"])


def test_a_rotation_whose_token_was_lost_is_found_by_the_next_sweep(client, world):
    old = consent(client, world).connection.refresh_token.reveal("test")
    check(Sweep.ALL)
    connection = Connection.objects.get()
    connection.refresh_token = old
    connection.save(update_fields=["refresh_token"])

    check(Sweep.ALL)

    assert Connection.objects.get().token_status == "invalid"
    assert Finding.objects.open().get().kind == "grant_refused"
