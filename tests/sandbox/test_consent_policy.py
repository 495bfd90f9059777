"""Who may consent to what, who asks an administrator, and when the token endpoint hears of it."""

import pytest

from sandbox.consent_policy import ADMIN_ONLY, MANAGED
from sandbox.permissions import PERMISSIONS
from tests.microsoft import Refused
from tests.sandbox.conftest import REDIRECT

PEOPLE_MAY = ["Mail.Send", "Mail.Send.Shared", "Contacts.Read", "User.Read", "User.ReadBasic.All", "SMTP.Send"]


def page_for(contoso, scope, **changes):
    microsoft = contoso.microsoft
    page = microsoft._page("GET", contoso.authorize(scope=scope, **changes))
    return microsoft._press(page, "oid", contoso.oid)


# -- Microsoft's managed policy


@pytest.mark.parametrize("name", PEOPLE_MAY)
def test_under_the_managed_policy_people_may_grant_this(contoso, name):
    contoso.microsoft.managed_policy(contoso.directory)
    scope = f"openid profile email offline_access {contoso.host}/{name}"
    assert "code" in contoso.sign_in(scope=scope).fields


@pytest.mark.parametrize("name", sorted(MANAGED))
def test_under_the_managed_policy_only_an_administrator_grants_this(contoso, name):
    contoso.microsoft.managed_policy(contoso.directory)
    page = page_for(contoso, f"openid {contoso.host}/{name}")
    assert "Need admin approval" in page.text
    assert ("answer", "accept") not in page.buttons


def test_one_permission_too_many_needs_an_administrator_for_all(contoso):
    contoso.microsoft.managed_policy(contoso.directory)
    page = page_for(contoso, f"openid {contoso.host}/Mail.Send {contoso.host}/Mail.Read")
    assert "Need admin approval" in page.text


def test_an_administrator_grants_what_the_managed_policy_keeps_from_others(contoso):
    contoso.microsoft.managed_policy(contoso.directory)
    assert "code" in contoso.microsoft.sign_in(contoso.authorize(), contoso.administrator()).fields


def test_what_was_granted_before_the_policy_stays(contoso):
    contoso.sign_in()
    contoso.microsoft.managed_policy(contoso.directory)
    assert "code" in contoso.sign_in().fields


def test_without_the_policy_people_grant_everything_again(contoso):
    contoso.microsoft.managed_policy(contoso.directory)
    contoso.microsoft.managed_policy(contoso.directory, False)
    assert "code" in contoso.sign_in().fields


def test_the_two_rules_replace_each_other(contoso):
    microsoft = contoso.microsoft
    microsoft.users_may_consent(contoso.directory, False)
    changed = microsoft.managed_policy(contoso.directory)
    assert (changed["users_may_consent"], changed["managed_policy"]) == (True, True)
    changed = microsoft.users_may_consent(contoso.directory, True)
    assert (changed["users_may_consent"], changed["managed_policy"]) == (True, False)


@pytest.mark.parametrize("name", sorted(ADMIN_ONLY))
def test_some_permissions_are_an_administrators_everywhere(contoso, name):
    assert "Need admin approval" in page_for(contoso, f"openid {contoso.host}/{name}").text


def test_a_personal_account_grants_what_it_likes(contoso):
    contoso.client_id = contoso.microsoft.add_app(contoso.directory, "PersonalMicrosoftAccount", [REDIRECT])[
        "client_id"
    ]
    contoso.oid = contoso.microsoft.add_personal_account("Pia Privat", "pia@mail.example")["oid"]
    assert "code" in contoso.sign_in(tenant="consumers").fields


def test_the_policy_names_permissions_that_exist():
    assert set(PERMISSIONS) >= MANAGED | ADMIN_ONLY
    assert not MANAGED & set(PEOPLE_MAY)


# -- the approval workflow


@pytest.fixture
def asked(contoso):
    """Adele asked for Contoso Mail to be approved; what her browser carried back."""
    contoso.microsoft.managed_policy(contoso.directory)
    contoso.microsoft.approval_workflow(contoso.directory)
    return contoso.sign_in("ask").fields


def test_where_there_is_a_workflow_people_can_ask_and_go_back_with_a_bare_cancel(contoso, asked):
    assert asked == {"error": "access_denied", "error_subcode": "cancel", "state": "the state"}
    [request] = contoso.microsoft.world()["approvals"]
    assert (request["oid"], request["client_id"]) == (contoso.oid, contoso.client_id)
    assert (request["state"], request["reason"]) == ("pending", "I need my mail there.")
    assert "Mail.Read" in request["scopes"]


def test_approving_lets_everybody_in(contoso, asked):
    [request] = contoso.microsoft.world()["approvals"]
    assert contoso.microsoft.approve(request["id"])["state"] == "approved"
    lee = contoso.microsoft.add_person(contoso.directory, "Lee Gu", "lee@contoso.example")["oid"]
    for oid in (contoso.oid, lee):
        assert "code" in contoso.microsoft.sign_in(contoso.authorize(), oid).fields


def test_denying_changes_nothing_and_they_can_ask_again(contoso, asked):
    [request] = contoso.microsoft.world()["approvals"]
    contoso.microsoft.deny(request["id"])
    assert contoso.microsoft.world()["admin_grants"] == []
    contoso.sign_in("ask")
    assert [each["state"] for each in contoso.microsoft.world()["approvals"]].count("pending") == 1


def test_asking_twice_is_one_request(contoso, asked):
    contoso.sign_in("ask")
    assert len(contoso.microsoft.world()["approvals"]) == 1


def test_a_request_is_decided_once(contoso, asked):
    [request] = contoso.microsoft.world()["approvals"]
    contoso.microsoft.deny(request["id"])
    with pytest.raises(Refused, match="denied already"):
        contoso.microsoft.approve(request["id"])
    with pytest.raises(Refused, match="There is no request"):
        contoso.microsoft.approve("nonsense")


def test_who_does_not_ask_goes_back_the_same_way(contoso):
    contoso.microsoft.managed_policy(contoso.directory)
    contoso.microsoft.approval_workflow(contoso.directory)
    assert contoso.sign_in("cancel").fields["error_subcode"] == "cancel"
    assert contoso.microsoft.world()["approvals"] == []


def test_without_a_workflow_nobody_can_ask(contoso):
    contoso.microsoft.managed_policy(contoso.directory)
    page = page_for(contoso, f"openid {contoso.host}/Mail.Read")
    assert ("answer", "ask") not in page.buttons
    contoso.microsoft._press(page, "answer", "ask")
    assert contoso.microsoft.world()["approvals"] == []


# -- how long a consent takes to spread


def test_the_token_endpoint_hears_of_a_consent_later_and_the_code_is_not_spent(contoso):
    contoso.microsoft.set_spread(30)
    code = contoso.sign_in().fields["code"]
    assert contoso.redeem(code).refusal == (400, "invalid_grant", 65001)
    contoso.microsoft.advance(31)
    assert contoso.redeem(code).status == 200


def test_an_administrators_consent_spreads_too(contoso):
    contoso.microsoft.set_spread(30)
    contoso.microsoft.sign_in(contoso.adminconsent(), contoso.administrator())
    code = contoso.sign_in().fields["code"]
    assert contoso.redeem(code).refusal == (400, "invalid_grant", 65001)
    contoso.microsoft.advance(31)
    assert contoso.redeem(code).status == 200


def test_only_what_is_new_has_to_spread(contoso):
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.advance(60)
    contoso.microsoft.set_spread(30)
    more = contoso.sign_in(scope=f"openid {contoso.host}/Mail.Read {contoso.host}/Mail.Send").fields["code"]
    assert contoso.refresh(token).status == 200
    assert contoso.redeem(more).refusal == (400, "invalid_grant", 65001)


def test_by_default_a_consent_is_known_at_once(contoso):
    contoso.microsoft.set_spread(30)
    contoso.microsoft.set_spread(0)
    assert contoso.granted()["refresh_token"]


@pytest.mark.parametrize("seconds", [-1, 1e9])
def test_a_spread_is_within_a_day(contoso, seconds):
    with pytest.raises(Refused, match="within a day"):
        contoso.microsoft.set_spread(seconds)


# -- fewer permissions than asked for


def test_a_sign_in_can_end_with_less_than_was_asked_for(contoso):
    contoso.microsoft.set_fault("partial", remove=["Mail.Send"], grant_type="authorization_code")
    scope = f"openid offline_access {contoso.host}/Mail.Read {contoso.host}/Mail.Send"
    body = contoso.granted(scope=scope)
    assert f"{contoso.host}/Mail.Read" in body["scope"].split()
    assert "Mail.Send" not in body["scope"]
    assert f"{contoso.host}/Mail.Send" in contoso.refresh(body["refresh_token"]).body["scope"].split()


def test_a_partial_grant_says_what_is_left_out(contoso):
    with pytest.raises(Refused, match="left out"):
        contoso.microsoft.set_fault("partial", missing=True)
    fault = contoso.microsoft.set_fault("partial", remove=["Mail.Send"])
    assert fault["sentence"] == "the sandbox grants less than was asked for (not Mail.Send)"
