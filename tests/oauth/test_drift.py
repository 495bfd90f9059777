"""What is ticked against what was granted."""

import pytest

from oauth.drift import look_at_scopes
from tenants.models import AppRegistration
from tenants.scopes import CATALOGUE, SCOPES, missing_from

OURS = AppRegistration(name="Contoso Mail")
ALWAYS = ["MailboxSettings.Read", "User.Read", "openid", "profile", "email"]


@pytest.mark.parametrize(
    ("ticked", "granted", "missing"),
    [
        (["Mail.ReadOnly"], ["Mail.Read"], []),
        (["Mail.ReadOnly"], ["mail.read", *ALWAYS], []),
        (["Mail.ReadOnly", "Mail.Send"], ["Mail.Read", *ALWAYS], ["Mail.Send"]),
        (["Mail.ReadOnly"], ["Mail.ReadWrite"], []),
        (["Mail.ReadWrite"], ["Mail.Read"], ["Mail.ReadWrite"]),
        (["Mail.ReadOnly", "Mail.ReadWrite"], ["User.Read"], ["Mail.ReadWrite"]),
        (["Mail.Draft"], ["Mail.Read"], ["Mail.Draft"]),
        (["Mail.ReadWrite", "Mail.Draft"], ["Mail.Read"], ["Mail.ReadWrite"]),
        (["Mail.ReadOnly"], ["Mail.Read", "Calendars.Read", "Mail.Send"], []),
        (["IMAP.AccessAsUser.All", "SMTP.Send"], ["Mail.Read"], ["IMAP.AccessAsUser.All", "SMTP.Send"]),
        (["Mail.ReadOnly", "a scope that is gone"], ["Mail.Read"], []),
        ([], ["Mail.Read"], []),
    ],
)
def test_what_is_missing_is_what_was_ticked_and_neither_granted_nor_contained(ticked, granted, missing):
    assert missing_from(ticked, granted) == missing


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: scope.name)
def test_whoever_granted_what_a_scope_comes_to_lacks_nothing(scope):
    assert missing_from([scope.name], [scope.permission]) == []
    assert missing_from([scope.name], ALWAYS) == [scope.name]


def test_of_unknown_grants_nothing_is_said():
    assert look_at_scopes(OURS, [*CATALOGUE], []) is None


def test_it_names_what_is_missing_in_plain_words_and_who_may_grant_it():
    seen = look_at_scopes(OURS, ["Mail.ReadOnly", "Contacts.ReadOnly", "Mail.Send"], ["Mail.Read"])
    assert seen
    assert seen.what == (
        "Not granted, though ticked on “Contoso Mail”: "
        "Send mail as you (Mail.Send); Read your contacts (Contacts.ReadOnly)."
    )
    assert (seen.actor, seen.severity, seen.is_coming, seen.step) == ("mailbox_owner", "warning", True, 1)
    assert "link to reconnect" in seen.remedy


def test_where_users_may_not_grant_it_it_is_up_to_the_administrator():
    seen = look_at_scopes(OURS, ["Mail.Send", "Calendar.ReadOnly"], ["Mail.Read"])
    assert seen
    assert seen.actor == "tenant_admin"
    assert "administrator, who has to approve first" in seen.remedy
