"""The pages by which a mailbox is disconnected: what ends here, and what only Microsoft ends."""

import pytest

from oauth.models import Connection, Link
from tests.factories import make_connection, make_registration
from tests.oauth.consenting import text_of
from tests.oauth.gallery import attempt_of, connection_of, opened

Purpose = Link.Purpose


def show(client, link: Link) -> str:
    return text_of(client.get(f"/connect/{link.public_id}/"))


@pytest.fixture
def ending(client, world) -> Link:
    return opened(client, world, purpose=Purpose.DISCONNECT, connection=connection_of(world))


def test_who_disconnects_reads_what_it_does_and_what_it_does_not(client, world, ending):
    page = show(client, ending)

    facts = ["ada@contoso.example", "Example Mail", ending.tenant.name, f"{ending.connection.connected_at:%B %Y}"]
    for words in [*facts, "at once destroys the copy of your sign-in", "Changing your password does not end"]:
        assert words in page
    assert Connection.objects.get().disconnected_at is None


def test_after_disconnecting_it_is_confirmed_with_the_way_to_withdraw_at_microsoft(client, ending):
    page = text_of(client.post(f"/connect/{ending.public_id}/disconnect/"))

    for words in ("Your mailbox is disconnected", "destroyed just now", "Example Sync", "My Apps"):
        assert words in page


def test_no_page_about_disconnecting_says_that_it_ends_the_access(client, world, ending):
    connected = attempt_of(client, world.link, outcome="connected", connection=ending.connection)
    address = f"/connect/{ending.public_id}/disconnect/"
    pages = [show(client, ending), text_of(client.get(f"/connect/attempt/{connected.pk}/"))]
    pages += [text_of(client.post(address)), text_of(client.post(address)), show(client, ending)]

    for page in pages:
        assert "<strong>The access at Microsoft ends only when it is withdrawn there" in page
        assert "My Apps page" in page
        for words in ("this does", "through it stops", "you end the access", "nothing more to do"):
            assert words not in page


def test_what_is_disconnected_already_is_not_offered_again(client, ending):
    address = f"/connect/{ending.public_id}/disconnect/"
    client.post(address)

    again, page = text_of(client.post(address)), show(client, ending)

    for text in (again, page):
        assert "Your mailbox is disconnected already" in text
        assert "Disconnect this mailbox" not in text


@pytest.mark.parametrize(
    ("tid", "work", "personal"),
    [("9188040d-6c67-4c5b-b112-36a304b66dad", False, True), ("11111111-2222-4333-8444-555555555555", True, False)],
)
def test_the_way_to_withdraw_is_that_of_the_account(client, world, tid, work, personal):
    registration = make_registration(audience="AzureADandPersonalMicrosoftAccount")
    connection = make_connection(registration, tid=tid)
    link = opened(client, world, registration=registration, purpose=Purpose.DISCONNECT, connection=connection)

    page = text_of(client.post(f"/connect/{link.public_id}/disconnect/"))

    assert ("myapps.microsoft.com" in page, "account.microsoft.com" in page) == (work, personal)
