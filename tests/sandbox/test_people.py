"""Who may come in where: guests, personal accounts, and those who are kept out."""

import base64
import json

import pytest

from tests.microsoft import Refused, Stopped
from tests.sandbox.conftest import REDIRECT, claims_of

CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"


def multi(contoso, audience="AzureADMultipleOrgs"):
    """From now on the app is of this audience."""
    app = contoso.microsoft.add_app(contoso.directory, audience, [REDIRECT])
    contoso.client_id = app["client_id"]
    contoso.secret = contoso.microsoft.add_secret(contoso.client_id)["value"]


def stopped_with(contoso, oid="", **changes):
    with pytest.raises(Stopped) as stopped:
        contoso.microsoft.sign_in(contoso.authorize(**changes), oid or contoso.oid)
    return stopped.value.code


def client_info(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


# -- guests


@pytest.fixture
def guest(contoso):
    """Nestor of Fabrikam, who is a guest of Contoso: (his row there, his account at home)."""
    fabrikam = contoso.microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    home = contoso.microsoft.add_person(fabrikam, "Nestor Wilke", "nestor@fabrikam.example")
    return contoso.microsoft.add_guest(contoso.directory, home["oid"]), home


def test_a_guest_has_the_directory_of_the_host_and_an_account_at_home(contoso, guest):
    row, home = guest
    contoso.oid = row["oid"]
    tokens = contoso.granted(client_info="1")
    claims = claims_of(tokens["id_token"])
    assert (claims["tid"], claims["oid"]) == (contoso.directory, row["oid"])
    assert claims["iss"] == f"{contoso.host}/{contoso.directory}/v2.0"
    assert claims["idp"] == f"https://sts.windows.net/{home['directory']}/"
    assert claims["preferred_username"] == "nestor@fabrikam.example"


def test_a_guest_has_an_address_at_home_and_no_mailbox_here(contoso, guest):
    contoso.oid = guest[0]["oid"]
    tokens = contoso.granted(scope=f"openid email {contoso.host}/Mail.Read")
    assert claims_of(tokens["id_token"])["email"] == "nestor@fabrikam.example"
    inbox = contoso.get("/v1.0/me/mailFolders/inbox", Authorization=f"Bearer {tokens['access_token']}")
    assert (inbox.status, inbox.body["error"]["code"]) == (404, "MailboxNotEnabledForRESTAPI")


def test_client_info_of_a_guest_names_the_account_at_home(contoso, guest):
    row, home = guest
    contoso.oid = row["oid"]
    answer = contoso.sign_in(client_info="1")
    assert client_info(answer.fields["client_info"]) == {"uid": home["oid"], "utid": home["directory"]}


def test_a_guest_is_among_the_people_of_the_host_and_works_through_msal(contoso, guest):
    app = contoso.msal()
    flow = app.initiate_auth_code_flow(contoso.scopes(), redirect_uri=REDIRECT, response_mode="form_post")
    answer = contoso.microsoft.sign_in(flow["auth_uri"], guest[0]["oid"])
    result = app.acquire_token_by_auth_code_flow(flow, answer.fields)
    assert result["id_token_claims"]["tid"] == contoso.directory
    assert "access_token" in app.acquire_token_by_refresh_token(result["refresh_token"], contoso.scopes())


def test_the_account_at_home_comes_in_as_the_guest_it_is(contoso, guest):
    contoso.oid = guest[1]["oid"]
    claims = claims_of(contoso.granted()["id_token"])
    assert claims["oid"] == guest[0]["oid"]


def test_at_organizations_there_are_no_guests(contoso, guest):
    multi(contoso)
    page = contoso.microsoft._page("GET", contoso.authorize(tenant="organizations"))
    assert {value for name, value in page.buttons if name == "oid"} == {contoso.oid, guest[1]["oid"]}


def test_a_member_has_no_identity_provider_of_their_own(contoso):
    assert "idp" not in claims_of(contoso.granted()["id_token"])


def test_whoever_is_disabled_at_home_is_no_guest_either(contoso, guest):
    contoso.microsoft.disable_person(guest[1]["oid"])
    assert stopped_with(contoso, guest[0]["oid"]) == 50057


def test_graph_names_a_guest_as_external(contoso, guest):
    contoso.oid = guest[0]["oid"]
    token = contoso.granted(scope=f"openid {contoso.host}/User.Read")["access_token"]
    me = contoso.get("/v1.0/me", Authorization=f"Bearer {token}").body
    assert me["userPrincipalName"] == "nestor_fabrikam.example#EXT#@contoso.example"


def test_nobody_is_a_guest_twice_or_at_home(contoso, guest):
    for oid in (guest[1]["oid"], guest[0]["oid"], contoso.oid):
        with pytest.raises(Refused, match="cannot be a guest"):
            contoso.microsoft.add_guest(contoso.directory, oid)


# -- personal accounts


@pytest.fixture
def personal(contoso):
    return contoso.microsoft.add_personal_account("Pia Privat", "pia@mail.example")


@pytest.mark.parametrize(
    ("audience", "tenant"),
    [
        ("AzureADandPersonalMicrosoftAccount", "common"),
        ("AzureADandPersonalMicrosoftAccount", "consumers"),
        ("AzureADandPersonalMicrosoftAccount", CONSUMERS),
        ("PersonalMicrosoftAccount", "consumers"),
    ],
)
def test_a_personal_account_signs_in_where_the_audience_has_it(contoso, personal, audience, tenant):
    multi(contoso, audience)
    answer = contoso.microsoft.sign_in(contoso.authorize(tenant=tenant), personal["oid"])
    reply = contoso.redeem(answer.fields["code"], tenant=tenant)
    claims = claims_of(reply.body["id_token"])
    assert (claims["tid"], claims["oid"]) == (CONSUMERS, personal["oid"])
    assert claims["iss"] == f"{contoso.host}/{CONSUMERS}/v2.0"


def test_a_personal_account_has_the_id_microsoft_gives_one(personal):
    assert personal["directory"] == CONSUMERS
    assert personal["oid"].startswith("00000000-0000-0000-")


@pytest.mark.parametrize(
    ("audience", "tenant", "code"),
    [
        ("AzureADMyOrg", "contoso.example", 50020),
        ("AzureADMultipleOrgs", "contoso.example", 50020),
        ("AzureADMultipleOrgs", "organizations", 500208),
        ("AzureADMultipleOrgs", "common", 500208),
        ("AzureADandPersonalMicrosoftAccount", "organizations", 500208),
        ("AzureADMultipleOrgs", "consumers", 9002332),
        ("AzureADMyOrg", "consumers", 9002332),
        ("PersonalMicrosoftAccount", "common", 9002331),
        ("PersonalMicrosoftAccount", "contoso.example", 9002331),
    ],
)
def test_a_personal_account_is_kept_out_where_work_accounts_are_meant(contoso, personal, audience, tenant, code):
    multi(contoso, audience)
    assert stopped_with(contoso, personal["oid"], tenant=tenant) == code


def test_a_work_account_is_no_personal_one(contoso, personal):
    multi(contoso, "PersonalMicrosoftAccount")
    assert stopped_with(contoso, tenant="consumers") == 50020


def test_the_directory_of_personal_accounts_is_always_there(contoso):
    body = contoso.get("/consumers/v2.0/.well-known/openid-configuration").body
    assert body["issuer"] == f"{contoso.host}/{CONSUMERS}/v2.0"


def test_a_personal_account_as_a_guest_names_its_provider(contoso, personal):
    contoso.oid = contoso.microsoft.add_guest(contoso.directory, personal["oid"])["oid"]
    assert claims_of(contoso.granted()["id_token"])["idp"] == "live.com"


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("add_app", {"directory": "consumers"}),
        ("users_may_consent", {"directory": "consumers", "allowed": False}),
        ("add_person", {"directory": "consumers", "name": "A", "address": "a@b.example", "admin": True}),
    ],
)
def test_personal_accounts_have_nothing_of_an_organization(contoso, personal, verb, given):
    with pytest.raises(Refused, match="ersonal account"):
        getattr(contoso.microsoft, verb)(**given)


# -- kept out


def test_where_assignment_is_required_others_stay_on_microsofts_page(contoso):
    microsoft = contoso.microsoft
    token = contoso.granted()["refresh_token"]
    microsoft.require_assignment(contoso.client_id, contoso.directory)
    assert stopped_with(contoso) == 50105
    assert contoso.refresh(token).refusal == (400, "interaction_required", 50105)
    microsoft.assign(contoso.client_id, contoso.oid)
    assert contoso.refresh(token).status == 200
    assert "code" in contoso.sign_in().fields
    microsoft.assign(contoso.client_id, contoso.oid, False)
    assert stopped_with(contoso) == 50105
    microsoft.require_assignment(contoso.client_id, contoso.directory, False)
    assert "code" in contoso.sign_in().fields


def test_an_app_disabled_everywhere_gets_nothing(contoso):
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.disable_app(contoso.client_id)
    assert stopped_with(contoso) == 7000112
    assert contoso.refresh(token).refusal == (400, "unauthorized_client", 7000112)
    assert contoso.app_token().refusal == (400, "unauthorized_client", 7000112)
    contoso.microsoft.disable_app(contoso.client_id, disabled=False)
    assert contoso.refresh(token).status == 200


def test_an_app_disabled_in_one_directory_works_in_others(contoso, guest):
    multi(contoso)
    contoso.microsoft.disable_app(contoso.client_id, contoso.directory)
    assert contoso.app_token().refusal == (400, "unauthorized_client", 7000112)
    assert stopped_with(contoso, tenant="organizations") == 7000112
    answer = contoso.microsoft.sign_in(contoso.authorize(tenant="organizations"), guest[1]["oid"])
    assert "code" in answer.fields


def test_what_is_special_about_apps_and_people_is_in_the_world(contoso, guest):
    contoso.microsoft.disable_app(contoso.client_id, contoso.directory)
    contoso.microsoft.set_mailbox(contoso.oid, False)
    world = contoso.microsoft.world()
    assert world["apps"][0]["disabled_in"] == [contoso.directory]
    people = {each["oid"]: each for each in world["people"]}
    assert people[contoso.oid]["mailbox"] is False
    assert people[guest[0]["oid"]]["home"] == guest[1]["oid"]


def test_the_account_page_offers_people_from_elsewhere_apart(contoso, guest, personal):
    page = contoso.microsoft._page("GET", contoso.authorize())
    assert ("elsewhere", personal["oid"]) in page.buttons
    assert ("elsewhere", guest[1]["oid"]) not in page.buttons
    with pytest.raises(Stopped) as stopped:
        contoso.microsoft._press(page, "elsewhere", personal["oid"])
    assert stopped.value.code == 50020
