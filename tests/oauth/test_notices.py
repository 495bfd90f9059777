"""Who is told of a consent, an approval and a mismatch, in which words."""

from typing import Any

import pytest
from django.test import Client

from oauth import mails
from oauth.further_links import approval_link
from oauth.id_token import PERSONAL
from oauth.models import AdminGrant, Connection, Link, Mail
from oauth.tasks import try_again
from staff.models import User
from tenants.models import TenantAccess
from tests.factories import make_connection, make_link, make_operator, make_registration
from tests.world import make_approval, make_attempt

from .consenting import World, at_once, consent

TEXTS = {
    "work": "work or school account, at myapps.microsoft.com",
    "personal": "at account.microsoft.com, under Privacy",
}


def call(world: World, name: str) -> None:
    """Let Microsoft call the person so."""
    change = {"preferred_username": name, "email": ""}
    world.microsoft.set_fault("id_token", grant_type="authorization_code", change=change)


# Of a connection


def test_an_account_with_a_name_longer_than_an_address_is_connected_and_told_nothing(world: World) -> None:
    call(world, "a@" + ".".join(["b" * 60] * 5))

    assert consent(Client(), world).outcome == "connected"

    assert len(Connection.objects.get().address) > 254
    assert not Mail.objects.exists()
    assert not Link.objects.filter(purpose="disconnect").exists()


def notice_of(connection: Connection) -> str:
    """The text of the notice about this connection."""
    link, _ = make_link(connection.registration)
    mails.tell_mailbox(connection, make_attempt(link, connection))
    return Mail.objects.get(kind="notice", link__connection=connection).text


def test_the_notice_says_what_disconnecting_does_and_does_not(db) -> None:
    text = notice_of(make_connection(make_registration(name="Contoso Sync")))

    assert "destroys the sign-in that is kept there" in text
    assert "“Contoso Sync” may keep its access until you withdraw your consent at Microsoft" in text
    assert "disconnecting does" not in text


def test_the_notice_names_what_was_granted_and_not_what_was_withheld(db) -> None:
    connection = make_connection(scopes_asked=["Mail.Read", "Mail.Send"], scopes_granted=["Mail.Read", "openid"])

    text = notice_of(connection)

    assert "- Read your mail" in text
    assert "Send mail" not in text


@pytest.mark.parametrize(("kind", "tid"), [("work", None), ("personal", PERSONAL)])
def test_the_notice_says_how_this_kind_of_account_withdraws_it(db, kind, tid) -> None:
    text = notice_of(make_connection(**({"tid": tid} if tid else {})))

    assert {name for name, words in TEXTS.items() if words in text} == {kind}


# Of an approval


@pytest.fixture
def approval(db) -> Link:
    """A link to approve by, that grew from one that an operator sent to a person."""
    registration = make_registration(alert_emails=["alerts@example.com"])
    asked, _ = make_link(registration, sent_to="ada@contoso.example")
    asked.created_by = make_operator(tenants=(asked.tenant,))
    asked.save()
    return approval_link(asked)[0]


def grant_by(link: Link) -> Any:
    return make_approval(link)[0]


def told(kind: str = "approved") -> list[str]:
    return sorted(Mail.objects.filter(kind=kind).values_list("address", flat=True))


def test_each_link_s_approval_is_told_also_right_after_another_s(approval) -> None:
    mails.tell_of_approval(approval, grant_by(approval))
    mails.tell_of_approval(approval, AdminGrant.objects.get())
    assert told() == ["ada@contoso.example", approval.created_by.email]

    other, _ = approval_link(Link.objects.get(pk=approval.parent_id))
    mails.tell_of_approval(other, AdminGrant.objects.get())

    assert told().count("ada@contoso.example") == 2


def test_the_person_is_told_whose_word_it_is(approval) -> None:
    mails.tell_of_approval(approval, grant_by(approval))

    assert "Microsoft reports that an administrator" in Mail.objects.get(address="ada@contoso.example").text


def test_a_person_whose_name_is_longer_than_an_address_is_told_nothing(approval) -> None:
    Link.objects.filter(pk=approval.parent_id).update(
        sent_to="", connection=make_connection(approval.registration, address="a@" + ".".join(["b" * 60] * 5))
    )
    link = Link.objects.get(pk=approval.pk)

    mails.tell_of_approval(link, grant_by(link))

    assert told() == [approval.created_by.email]


def test_the_operator_reads_whose_it_is_and_where_to_look_before_the_directory(approval) -> None:
    grant = grant_by(approval)

    mails.tell_of_approval(approval, grant)

    text = Mail.objects.get(address=approval.created_by.email).text
    assert text.startswith(f"{approval.tenant}: ")
    assert f"/admin/oauth/link/{approval.pk}/change/" in text
    assert text.index("/change/") < text.index(str(grant.tid))


@pytest.mark.parametrize(
    "ended",
    [
        lambda: TenantAccess.objects.all().delete(),
        lambda: User.objects.update(is_active=False),
        lambda: User.objects.update(email=""),
    ],
    ids=["sees the tenant no more", "switched off", "no address"],
)
def test_where_the_maker_is_not_to_be_told_the_alert_addresses_are(approval, ended) -> None:
    ended()
    link = Link.objects.get(pk=approval.pk)

    mails.tell_of_approval(link, grant_by(link))

    assert told() == ["ada@contoso.example", "alerts@example.com"]


# Of another account


def test_two_who_come_at_once_with_other_accounts_are_told_of_once(threaded_world: World) -> None:
    Link.objects.update(expected_address="someone.else@contoso.example", max_uses=5)

    at_once(*(lambda: consent(Client(), threaded_world) for _ in range(2)))

    assert told("mismatch") == ["ops@example.com"]


# The bells


def test_a_consent_that_spread_late_rings_for_mails_and_alerts(
    client, world: World, rung, django_capture_on_commit_callbacks
) -> None:
    world.microsoft.set_spread(300)
    attempt = consent(client, world)
    world.microsoft.set_spread(0)
    type(attempt).objects.update(next_at=attempt.created_at)
    rung.clear()

    with django_capture_on_commit_callbacks(execute=True):
        try_again(str(attempt.pk))

    assert rung == [("oauth.tasks.send_mails", ()), ("monitoring.tasks.deliver_due", ())]
