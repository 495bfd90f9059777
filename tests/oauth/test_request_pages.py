"""The pages before Microsoft's, as the person reads them: the request, the approval, what is sent on."""

import re
from email import message_from_string
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from oauth.models import AdminGrant, Link
from tests.factories import make_connection, make_link, make_registration, make_tenant
from tests.oauth.consenting import text_of
from tests.oauth.gallery import connection_of, grant_of, opened

Purpose = Link.Purpose


@pytest.fixture
def link(client, world) -> Link:
    """The world's link, opened."""
    client.get(f"/c/{world.token}/")
    return world.link


def show(client, link: Link) -> str:
    response = client.get(f"/connect/{link.public_id}/")
    assert response.status_code == 200
    return text_of(response)


# The request


def test_the_request_alone_says_who_asks_for_what_for_how_long_and_what_comes_next(client, world, link):
    page = show(client, link)

    facts = ["Example Mail", link.tenant.name, "help@example.com", "A work or school account of your organization"]
    ends = f"{link.expires_at.day} {link.expires_at:%B %Y, %H:%M} UTC"
    then = ["Until you end it", "Also while you are not signed in", ends, "What happens next", "Example Sync"]
    for words in [*facts, *then, "How to end it later", "Nothing happens before you press a button"]:
        assert words in page


def test_a_request_for_one_account_names_it(client, world):
    page = show(client, opened(client, world, expected_address="ada@contoso.example"))

    assert "<dd> ada@contoso.example" in page
    assert "No other account is taken" in page


@pytest.mark.parametrize(
    ("audience", "directory", "words"),
    [
        ("AzureADMyOrg", "contoso.example", "A work or school account of your organization"),
        ("AzureADMultipleOrgs", "", "The work or school account that you choose"),
        ("AzureADandPersonalMicrosoftAccount", "", "The Microsoft account that you choose"),
        ("PersonalMicrosoftAccount", "", "The personal Microsoft account that you choose"),
    ],
)
def test_a_request_says_which_accounts_are_taken(client, world, audience, directory, words):
    registration = make_registration(audience=audience, directory=directory, cloud="sandbox")
    page = show(client, opened(client, world, registration=registration))

    assert f"<dd> {words}<" in page or f"<dd> {words} </dd>" in page
    assert ("Accounts of other organizations, and personal ones, are not taken." in page) is bool(directory)


def test_a_request_of_a_link_for_one_directory_says_so(client, world):
    registration = make_registration(audience="AzureADMultipleOrgs", directory="", cloud="sandbox")
    link = opened(client, world, registration=registration, expected_directory=world.directory["id"])

    assert "A work or school account of your organization" in show(client, link)


@pytest.mark.parametrize(
    ("audience", "may_be_unverified"),
    [("AzureADMyOrg", False), ("AzureADMultipleOrgs", True), ("PersonalMicrosoftAccount", True)],
)
def test_what_unverified_means_is_told_where_microsoft_may_say_it(client, world, audience, may_be_unverified):
    page = show(client, opened(client, world, registration=make_registration(audience=audience, cloud="sandbox")))

    assert ("Microsoft may write “unverified”" in page) is may_be_unverified


def test_the_box_for_what_microsoft_said_is_one_step_from_the_buttons(client, link):
    ways = show(client, link).partition('id="ways"')[2].partition("</section>")[0]

    assert '<a href="#said">Microsoft stopped you? Say what it showed</a>' in ways


def buttons(page: str) -> list[str]:
    ways = page.partition('id="ways"')[2].partition("</section>")[0]
    return [part.partition("</button>")[0] for part in ways.split('<button type="submit"')[1:]]


def test_where_an_administrator_must_approve_that_is_the_prominent_way(client, link):
    assert buttons(show(client, link)) == [
        ">Approve for my organization",
        ' class="quiet">Ask my IT administrator',
        ' class="quiet">Continue with Microsoft',
    ]


def test_once_approved_signing_in_is_the_prominent_way(client, world, link):
    grant_of(world, "verified")

    before, _, after = show(client, link).partition("<details")
    assert buttons(before + "</section>") == [">Continue with Microsoft"]
    assert buttons('id="ways"' + after) == [
        ' class="quiet">Approve for my organization',
        ' class="quiet">Ask my IT administrator',
    ]


def test_once_approved_nobody_is_promised_to_be_asked_again(client, world, link):
    promise = "read what it lists, and accept or cancel there"
    assert promise in show(client, link)
    grant_of(world, "reported")

    page = show(client, link)

    assert page.count("Microsoft may ask you nothing more: choosing your account connects it.") == 2
    assert promise not in page
    assert "before you accept" not in page


def test_every_way_on_says_for_whom_it_is(client, link):
    ways = show(client, link).partition('id="ways"')[2].partition("</section>")[0]

    headings = [part.partition("</h3>")[0] for part in ways.split("<h3>")[1:]]
    assert headings == [
        "If you are an administrator of your organization’s Microsoft 365",
        "If somebody else looks after your IT",
        "If you want to connect it yourself",
    ]


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"scopes_granted": ["Mail.Read", "mailboxsettings.read", "User.Read"]}, ">Continue with Microsoft"),
        ({"scopes_granted": ["Mail.Read"]}, ">Approve for my organization"),
        (
            {"scopes_granted": ["Mail.Read", "MailboxSettings.Read", "User.Read"], "client_id": "another"},
            ">Approve for my organization",
        ),
    ],
    ids=["all of it", "less", "another app"],
)
def test_who_had_it_all_before_reconnects_without_an_administrator(client, world, fields, first):
    connection = connection_of(world, token_status="dead", **fields)

    page = show(client, opened(client, world, purpose=Purpose.RECONNECT, connection=connection))

    assert buttons(page)[0] == first
    assert ("Most organizations let only an administrator" in page) == ("Approve" in first)


def test_without_an_organization_there_is_one_way(client, world):
    link = opened(client, world, registration=make_registration(audience="PersonalMicrosoftAccount", cloud="sandbox"))

    assert buttons(show(client, link)) == [">Continue with Microsoft"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (AdminGrant.Status.REPORTED, "We were told that an administrator"),
        (AdminGrant.Status.SEEN, "You will not need anybody’s approval"),
        (AdminGrant.Status.VERIFIED, "You will not need anybody’s approval"),
    ],
)
def test_an_approval_is_told_with_the_care_it_needs(client, world, link, status, words):
    grant_of(world, status)

    assert words in show(client, link)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"disconnected_at": timezone.now()}, "It was disconnected on"),
        ({"token_status": "dead"}, "Microsoft has ended the access"),
        ({"token_status": "invalid"}, "Microsoft refused the access"),
        ({"scopes_asked": ["Mail.Read", "Mail.Send"]}, "What is still missing:"),
        ({}, "Signing in once more renews the access"),
    ],
)
def test_who_is_to_reconnect_is_told_which_mailbox_and_why(client, world, fields, words):
    connection = connection_of(world, **fields)

    page = show(client, opened(client, world, purpose=Purpose.RECONNECT, connection=connection))

    assert "<h1>Reconnect your mailbox</h1>" in page
    assert "ada@contoso.example" in page
    assert words in page


def test_what_is_missing_is_listed(client, world):
    connection = connection_of(world, scopes_asked=["Mail.Read", "Mail.Send"])

    page = show(client, opened(client, world, purpose=Purpose.RECONNECT, connection=connection))

    assert "What is still missing:</p> <ul" in page
    assert "<li>Send mail as you</li>" in page.partition("What is still missing:")[2].partition("</ul>")[0]


def test_the_request_says_that_withdrawing_it_at_microsoft_is_what_ends_it(client, link):
    assert "You withdraw it at Microsoft; that is what ends the access:" in show(client, link)


# The approval


@pytest.fixture
def approval(client, world) -> Link:
    return opened(client, world, purpose=Purpose.APPROVAL, parent=world.link)


def test_an_administrator_reads_microsofts_names_too(client, world, approval):
    page = show(client, approval)

    names = ["Mail.Read", "MailboxSettings.Read", "User.Read", "openid", "profile", "email", "offline_access"]
    for name in names:
        assert f"<code>{name}</code>" in page
    for words in (
        world.registration.client_id,
        world.directory["id"],
        "Example Sync",
        "Example Mail",
        "Read your mail",
    ):
        assert words in page


def test_an_administrator_reads_what_approving_does_not_do_and_how_to_revoke_it(client, approval):
    page = show(client, approval)

    for words in ("Open a mailbox:", "Give application permissions:", "Enterprise applications", "How to revoke it"):
        assert words in page


def test_what_is_crossed_out_is_not_denied_once_more(client, link, approval):
    for page in (show(client, link), show(client, approval)):
        crossed = page.partition('<ul class="cannot"')[2].partition("</ul>")[0]
        sentences = [part.partition("</li>")[0] for part in crossed.split("<li>")[1:]]
        assert len(sentences) >= 3
        assert [said for said in sentences if re.search("(?i)^(it|nothing|nobody|no)\\b| no | not ", said)] == []


def test_an_administrator_approves_or_hands_it_on_and_connects_nothing(client, approval):
    assert buttons(show(client, approval)) == [">Approve for my organization", ' class="quiet">Hand it on']


@pytest.mark.parametrize(
    ("status", "words"), [("reported", "Approving it once more does no harm"), ("seen", "It has been approved before")]
)
def test_an_administrator_is_told_that_it_was_approved_already(client, world, approval, status, words):
    grant_of(world, status)

    page = show(client, approval)

    assert words in page
    assert "nothing more to do" not in page
    assert ">Approve for my organization" in buttons(page)


# What is sent to the administrator


def test_the_words_to_send_name_the_app_and_hold_a_link_that_leads_to_the_approval(client, world, link):
    page = unescape(client.post(f"/connect/{link.public_id}/hand-on/").content.decode())
    text = page.partition('<textarea id="words"')[2].partition("</textarea>")[0]
    address = page.partition('<textarea id="address"')[2].partition("</textarea>")[0].partition(">")[2]

    for words in ("Example Sync", world.registration.client_id, "Mail.Read: read their mail", "Example Mail", address):
        assert words in text
    administrator = Client()
    assert "Approve for your organization" in text_of(administrator.get(urlsplit(address).path, follow=True))


def test_the_words_to_send_never_call_the_administrator_the_one_who_connects(client, world, link):
    page = unescape(client.post(f"/connect/{link.public_id}/hand-on/").content.decode())
    text = page.partition('<textarea id="words"')[2].partition("</textarea>")[0].partition("Hello,")[2]

    assert "For each person who connects their own mailbox, the app may:\n- Mail.Read: read their mail" in text
    assert f"The request is for {link.tenant.name}." in text
    assert not re.search(r"\byour\b", text)


def test_the_mail_program_is_handed_the_same_words(client, link):
    page = unescape(client.post(f"/connect/{link.public_id}/hand-on/").content.decode())
    text = page.partition('aria-describedby="words-hint">')[2].partition("</textarea>")[0]
    mailto = page.partition('<a class="button" href="')[2].partition('"')[0]

    fields = parse_qs(urlsplit(mailto).query, strict_parsing=True)
    assert fields["subject"] == ["Please approve the app “Example Sync” in Microsoft 365"]
    assert fields["body"][0].replace("\r\n", "\n") == text
    assert "+" not in mailto.partition("?")[2]
    assert len(mailto) < 2000, "some mail programs take no more"


def test_a_name_with_a_line_break_or_a_tag_makes_no_other_mail(client, world):
    registration = make_registration(
        make_tenant('A & B\r\nBcc: x@example.com <b>"'), name="Sync & Co?body=x\r\nCc: y", cloud="sandbox"
    )
    link = opened(client, world, registration=registration)

    page = client.post(f"/connect/{link.public_id}/hand-on/").content.decode()
    mailto = unescape(page.partition('<a class="button" href="')[2].partition('"')[0])

    assert set(parse_qs(urlsplit(mailto).query)) == {"subject", "body"}
    assert "<b>" not in page
    subject = parse_qs(urlsplit(mailto).query)["subject"][0]
    assert set(message_from_string(f"Subject: {subject}\n\n")) == {"Subject"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "we do not know your address"),
        ({"sent_to": "ada@contoso.example"}, "you get a mail"),
        ({"expected_address": "ada@contoso.example"}, "you get a mail"),
    ],
)
def test_who_asks_is_promised_a_mail_only_where_there_is_an_address(client, world, fields, words):
    link = opened(client, world, **fields)

    assert words in text_of(client.post(f"/connect/{link.public_id}/hand-on/"))


# A copied address


def test_a_copied_address_offers_the_administrators_way_and_names_nobody(client, world, link):
    copied = Client()

    page = text_of(copied.get(f"/connect/{link.public_id}/"))
    then = copied.post(f"/connect/{link.public_id}/administrator/", follow=True)

    assert "If you are the administrator who has to approve" in page
    for name in (world.registration.name, link.tenant.name, world.registration.client_id, world.directory["id"]):
        assert name not in page
    assert "Approve for your organization" in text_of(then)


@pytest.mark.parametrize("purpose", [Purpose.APPROVAL, Purpose.DISCONNECT])
def test_a_copied_address_of_another_purpose_offers_nothing(client, world, purpose):
    link, _ = make_link(world.registration, purpose=purpose, connection=make_connection(world.registration))

    assert "administrator" not in text_of(Client().get(f"/connect/{link.public_id}/"))


# What Microsoft told


def test_what_microsoft_told_is_explained_with_its_number(client, link):
    page = text_of(client.post(f"/connect/{link.public_id}/told/", {"text": "AADSTS50105: not assigned"}))

    assert "What AADSTS50105 means" in page
    assert "Ask my IT administrator" not in page
    assert f'href="/connect/{link.public_id}/#ways"' in page


def test_what_an_administrator_is_shown_names_the_app(client, world, link):
    page = text_of(client.post(f"/connect/{link.public_id}/told/", {"text": "AADSTS50105: not assigned"}))

    for words in ("For whoever helps you", world.registration.name, world.registration.client_id, ">AADSTS50105 <"):
        assert words in page


def test_who_was_told_that_an_administrator_must_approve_is_offered_to_ask_one(client, link):
    page = text_of(client.post(f"/connect/{link.public_id}/told/", {"text": "AADSTS90094"}))

    assert "Ask my IT administrator" in page


def test_nothing_of_what_was_pasted_comes_back(client, link):
    page = text_of(client.post(f"/connect/{link.public_id}/told/", {"text": "canary-3141 <script> AADSTS50105"}))

    assert "canary-3141" not in page
