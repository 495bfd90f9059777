import re

import pytest

from oauth import asks
from tenants.scopes import CATALOGUE, FAMILIES, OIDC, permissions_for


def granted(*names: str) -> dict[str, tuple[str, ...]]:
    return {group.title: group.sentences for group in asks.granted_by(names)}


def test_what_is_granted_is_grouped():
    assert granted("Calendar.ReadOnly", "Mail.Send", "Mail.ReadOnly") == {
        "Mail": ("Read your mail", "Send mail as you"),
        "Calendar": ("Read your calendars",),
        "Your account": (asks.IDENTITY, *asks.ALWAYS_ASKED.values()),
    }


def test_what_another_scope_contains_is_left_out():
    assert granted("Mail.ReadOnly", "Mail.ReadWrite")["Mail"] == ("Read, change, move and delete your mail",)


def test_drafts_are_told_as_all_that_their_permission_gives():
    assert granted("Mail.Draft") == granted("Mail.ReadWrite") == granted("Mail.Draft", "Mail.ReadWrite")


def test_mail_protocols_see_no_settings():
    assert granted("SMTP.Send")["Your account"] == (asks.IDENTITY,)


@pytest.mark.parametrize(
    ("names", "not_withheld"),
    [
        (["Mail.ReadOnly"], {"Read your mail"}),
        (["Mail.ReadWrite"], {"Read your mail", "Change or delete your mail"}),
        (["Mail.Draft"], {"Read your mail", "Change or delete your mail"}),
        (["IMAP.AccessAsUser.All"], {"Read your mail", "Change or delete your mail"}),
        (["Mail.Send"], {"Send mail as you"}),
        (["SMTP.Send"], {"Send mail as you"}),
        (["Calendar.ReadWrite"], {"See or change your calendars"}),
    ],
)
def test_what_is_granted_is_not_among_what_is_withheld(names, not_withheld):
    everything = set(asks.withheld_by([]))

    assert everything - set(asks.withheld_by(names)) == not_withheld


def test_who_may_only_read_may_not_change():
    withheld = asks.withheld_by(["Calendar.ReadOnly", "Contacts.ReadOnly", "Tasks.ReadWrite", "Tasks.ReadOnly"])

    assert "Change your calendars" in withheld
    assert "Change your contacts" in withheld
    assert "Change your tasks" not in withheld
    assert "See or change your calendars" not in withheld


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_both_granted_and_withheld(family):
    names = [name for name, scope in CATALOGUE.items() if scope.family == family]
    sentences = {sentence for group in asks.granted_by(names) for sentence in group.sentences}

    assert not sentences & set(asks.withheld_by(names))


def test_a_permission_has_the_catalogues_words_or_its_own_name():
    told = asks.sentences_for(["User.Read", "Mail.Read", "Files.Read"])

    assert told == ["Read your mail", "Files.Read", "See your profile, such as job title and phone number"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_permission_asked_for_has_its_name_and_words(family):
    names = [name for name, scope in CATALOGUE.items() if scope.family == family]

    listed = asks.permissions_by_name(names)

    assert [permission.name for permission in listed] == [*permissions_for(names), *OIDC]
    assert all(permission.sentence != permission.name for permission in listed)
    assert len({permission.sentence for permission in listed}) == len(listed)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_administrator_is_told_the_same_permissions_of_each_person(family):
    names = [name for name, scope in CATALOGUE.items() if scope.family == family]

    of_each = asks.permissions_of_each(names)

    assert [permission.name for permission in of_each] == [each.name for each in asks.permissions_by_name(names)]
    assert all(re.search(r"\b(their|them|they)\b", permission.sentence) for permission in of_each)
    assert len({permission.sentence for permission in of_each}) == len(of_each)


def test_no_two_sentences_about_the_account_say_the_same():
    account = granted("Mail.ReadOnly")["Your account"]

    assert asks.IDENTITY in account
    assert "See your profile" not in account
