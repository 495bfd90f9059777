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
