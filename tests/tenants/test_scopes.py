import pytest

from tenants import clouds, scopes


@pytest.mark.parametrize(
    ("name", "permission"),
    [
        ("Mail.ReadOnly", "Mail.Read"),
        ("Mail.ReadWrite", "Mail.ReadWrite"),
        ("Mail.Draft", "Mail.ReadWrite"),
        ("Mail.Send", "Mail.Send"),
        ("Calendar.ReadOnly", "Calendars.Read"),
        ("Calendar.ReadWrite", "Calendars.ReadWrite"),
        ("Contacts.ReadOnly", "Contacts.Read"),
        ("Contacts.ReadWrite", "Contacts.ReadWrite"),
        ("Tasks.ReadOnly", "Tasks.Read"),
        ("Tasks.ReadWrite", "Tasks.ReadWrite"),
    ],
)
def test_a_scope_comes_to_its_permission(name: str, permission: str) -> None:
    assert scopes.permissions_for([name]) == tuple(sorted([permission, "MailboxSettings.Read", "User.Read"]))


def test_two_scopes_of_one_permission_ask_for_it_once() -> None:
    assert scopes.permissions_for(["Mail.Draft", "Mail.ReadWrite"]).count("Mail.ReadWrite") == 1


def test_the_imap_family_asks_for_nothing_of_graph() -> None:
    assert scopes.permissions_for(["IMAP.AccessAsUser.All", "SMTP.Send"]) == ("IMAP.AccessAsUser.All", "SMTP.Send")


def test_families_are_not_mixed() -> None:
    with pytest.raises(scopes.MixedFamilies, match="AADSTS70011"):
        scopes.permissions_for(["Mail.Send", "SMTP.Send"])


def test_a_permission_inside_another_is_named() -> None:
    assert scopes.redundant(["Mail.ReadOnly", "Mail.ReadWrite", "Calendar.ReadOnly"]) == {
        "Mail.ReadOnly": "Mail.ReadWrite"
    }


def test_msal_is_handed_full_addresses_and_none_of_its_own_scopes() -> None:
    asked = scopes.request_scopes(["Mail.Send"], clouds.cloud("usgov_l5"))
    assert asked == [
        "https://dod-graph.microsoft.us/Mail.Send",
        "https://dod-graph.microsoft.us/MailboxSettings.Read",
        "https://dod-graph.microsoft.us/User.Read",
        "email",
    ]


def test_the_imap_family_is_asked_of_the_outlook_host() -> None:
    assert scopes.request_scopes(["SMTP.Send"], clouds.cloud("global")) == [
        "https://outlook.office.com/SMTP.Send",
        "email",
    ]


@pytest.mark.parametrize(("names", "expected"), [(["Contacts.ReadOnly"], True), (["SMTP.Send"], False)])
def test_who_may_grant_is_known(names: list[str], expected: bool) -> None:
    assert scopes.needs_admin(names) is expected


def test_a_permission_has_one_id_and_every_scope_a_sentence() -> None:
    ids = {(scope.permission, scope.permission_id) for scope in scopes.SCOPES}
    assert len(ids) == len({permission for permission, _ in ids})
    assert all(scope.sentence and scope.group in scopes.GROUPS for scope in scopes.SCOPES)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mail.ReadOnly", "Mail.ReadOnly"),
        ("Mail.Read", "Mail.ReadOnly"),
        (" mail.drafts ", "Mail.Draft"),
        ("Calendar.Read", "Calendar.ReadOnly"),
        ("Contacts.Read", "Contacts.ReadOnly"),
        ("Tasks.Read", "Tasks.ReadOnly"),
        ("SMTP.Send", "SMTP.Send"),
        ("Calendars.Read", "Calendar.ReadOnly"),
        ("calendars.readwrite", "Calendar.ReadWrite"),
    ],
)
def test_a_scope_is_known_by_its_names_of_today_and_of_before(text: str, name: str) -> None:
    assert scopes.scope_named(text).name == name


def test_a_permission_s_own_name_is_a_scope_that_comes_to_it() -> None:
    for scope in scopes.SCOPES:
        assert scopes.scope_named(scope.permission).permission == scope.permission
    assert scopes.scope_named("Mail.ReadWrite").name == "Mail.ReadWrite"  # of the two that come to it


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    with pytest.raises(scopes.UnknownScope, match="“Files.Read” is not a scope.*Mail.ReadOnly"):
        scopes.scope_named("Files.Read")


def test_every_permission_that_may_be_listed_has_an_id_of_its_own() -> None:
    listed = {name for family in (["Mail.ReadOnly"], ["SMTP.Send"]) for name in scopes.permissions_listed(family)} | {
        scope.permission for scope in scopes.SCOPES
    }
    assert {"openid", "profile", "email", "offline_access", "User.Read", "MailboxSettings.Read"} <= listed
    assert listed <= set(scopes.PERMISSION_IDS)
    assert len(set(scopes.PERMISSION_IDS.values())) == len(scopes.PERMISSION_IDS)
