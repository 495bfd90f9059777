"""Whether the account that consented has a mailbox: asked of Graph once, and only a clear no counts."""

import secrets

import pytest

from oauth.models import Connection, ConsentAttempt, Link, Mail
from tenants.models import Event, ScopeSelection
from tests.oauth.consenting import consent, text_of


def test_an_account_without_a_mailbox_is_refused_and_nothing_is_stored(client, world):
    world.microsoft.set_mailbox(world.person["oid"], False)

    attempt = consent(client, world)

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "no_mailbox")
    assert (attempt.flow, attempt.connection) == (None, None)
    assert not Connection.objects.exists()
    assert not Mail.objects.exists()
    assert Link.objects.get().uses == 0


def test_the_person_reads_that_there_is_no_mailbox(client, world):
    world.microsoft.set_mailbox(world.person["oid"], False)

    page = text_of(client.get(f"/connect/attempt/{consent(client, world).pk}/"))

    assert "mailbox" in page.partition("<h1>")[2].partition("</h1>")[0]


def test_once_there_is_a_mailbox_the_same_link_works(client, world):
    world.microsoft.set_mailbox(world.person["oid"], False)
    consent(client, world)
    world.microsoft.set_mailbox(world.person["oid"], True)

    assert consent(client, world).outcome == "connected"


@pytest.mark.parametrize("fault", ["down", "throttled", "html", "empty", "garbage", "drop"])
def test_a_graph_that_gives_no_answer_keeps_nobody_out(client, world, fault):
    world.microsoft.set_fault(fault, grant_type="graph")

    assert consent(client, world).outcome == "connected"


@pytest.mark.parametrize("code", ["ErrorAccessDenied", "Authorization_RequestDenied", "InvalidAuthenticationToken"])
def test_a_graph_that_refuses_for_another_reason_keeps_nobody_out(client, world, code):
    world.microsoft.set_fault(code)

    assert consent(client, world).outcome == "connected"


def test_where_the_permission_was_not_granted_graph_is_not_asked(client, world):
    world.microsoft.set_mailbox(world.person["oid"], False)
    granted = {"scope": "openid Mail.Read User.Read"}
    world.microsoft.set_fault("answer", grant_type="authorization_code", change=granted)

    assert consent(client, world).outcome == "connected_with_less"


def test_of_imap_graph_is_not_asked(client, world):
    ScopeSelection.objects.update(scope="IMAP.AccessAsUser.All")
    world.microsoft.set_mailbox(world.person["oid"], False)

    attempt = consent(client, world)

    assert attempt.outcome == "connected"
    assert attempt.connection.scopes_granted == ["IMAP.AccessAsUser.All"]


def test_the_access_token_is_kept_nowhere(client, world, caplog):
    canary = f"not-a-real-token-{secrets.token_urlsafe(20)}"
    world.microsoft.set_fault("answer", grant_type="authorization_code", change={"access_token": canary})

    attempt = consent(client, world)

    assert attempt.outcome == "connected"
    rows = [str(model.objects.values()) for model in (Connection, ConsentAttempt, Event, Link, Mail)]
    assert canary not in "".join(rows) + caplog.text + attempt.connection.refresh_token.reveal("test")
