import pytest

from tests.microsoft import Refused, Stopped
from tests.sandbox.conftest import REDIRECT

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended")


def consent(contoso, answer="accept", oid="", **changes):
    return contoso.microsoft.sign_in(contoso.adminconsent(**changes), oid or contoso.administrator(), answer)


# -- the answer


def test_an_administrator_who_accepts_brings_back_directory_and_scopes_and_no_code(contoso):
    answer = consent(contoso)
    assert answer.url == REDIRECT
    assert list(answer.fields.items()) == [
        ("admin_consent", "True"),
        ("tenant", contoso.directory),
        ("scope", f"{contoso.host}/Mail.Read {contoso.host}/Mail.Send"),
        ("state", "the state"),
    ]


def test_a_decline_says_both_error_and_admin_consent(contoso):
    fields = consent(contoso, "decline").fields
    assert list(fields) == ["admin_consent", "error", "error_description", "state"]
    assert (fields["admin_consent"], fields["error"]) == ("True", "consent_required")
    assert fields["error_description"].startswith(
        "AADSTS65004: The resource owner or authorization server denied the request.\r\nTrace ID: "
    )
    assert contoso.microsoft.world()["admin_grants"] == []


def test_who_is_no_administrator_needs_one_and_goes_back_with_a_bare_cancel(contoso):
    assert consent(contoso, "cancel", contoso.oid).fields == {
        "error": "access_denied",
        "error_subcode": "cancel",
        "state": "the state",
    }
    assert contoso.microsoft.world()["admin_grants"] == []


def test_who_has_an_admin_account_can_go_on_with_that(contoso):
    admin = contoso.administrator()
    microsoft = contoso.microsoft
    refused = microsoft._press(microsoft._page("GET", contoso.adminconsent()), "oid", contoso.oid)
    again = microsoft._press(refused, "answer", "admin")
    answer = microsoft._press(microsoft._press(again, "oid", admin), "answer", "accept")
    assert answer.fields["tenant"] == contoso.directory


def test_the_page_names_the_permissions_in_words(contoso):
    microsoft = contoso.microsoft
    page = microsoft._press(microsoft._page("GET", contoso.adminconsent()), "oid", contoso.administrator())
    text = " ".join(page.text.split())
    for words in ("accept for your organization", "Contoso Mail", "Read your mail", "Send mail as you", "Contoso"):
        assert words in text


def test_default_stands_for_what_a_new_app_lists(contoso):
    assert consent(contoso, scope=f"{contoso.host}/.default").fields["scope"] == f"{contoso.host}/.default"
    assert "User.Read" in contoso.microsoft.world()["admin_grants"][0]["scopes"]


def test_default_stands_for_the_delegated_permissions_that_are_listed(contoso):
    microsoft = contoso.microsoft
    microsoft.required_access(contoso.client_id, ["Mail.Send", "Calendars.Read", "offline_access"])
    page = microsoft._press(
        microsoft._page("GET", contoso.adminconsent(scope=f"{contoso.host}/.default")), "oid", contoso.administrator()
    )
    for words in ("Send mail as you", "Read your calendars", "Keep access to what you allow"):
        assert words in page.text
    microsoft._press(page, "answer", "accept")
    granted = {"Mail.Send", "Calendars.Read", "openid", "profile", "email", "offline_access"}
    assert set(microsoft.world()["admin_grants"][0]["scopes"]) == granted


def test_default_of_an_app_that_lists_nothing_is_sign_in_alone(contoso):
    contoso.microsoft.required_access(contoso.client_id, [])
    consent(contoso, scope=f"{contoso.host}/.default")
    granted = {"openid", "profile", "email", "offline_access"}
    assert set(contoso.microsoft.world()["admin_grants"][0]["scopes"]) == granted


def test_named_permissions_are_granted_whether_they_are_listed_or_not(contoso):
    contoso.microsoft.required_access(contoso.client_id, ["Calendars.Read"])
    consent(contoso)
    scopes = contoso.microsoft.world()["admin_grants"][0]["scopes"]
    assert "Mail.Send" in scopes
    assert "Calendars.Read" not in scopes


def test_organizations_finds_the_directory_of_the_administrator(contoso):
    contoso.client_id = contoso.microsoft.add_app(contoso.directory, "AzureADMultipleOrgs", [REDIRECT])["client_id"]
    assert consent(contoso, tenant="organizations").fields["tenant"] == contoso.directory


def test_a_directory_may_be_named_by_its_domain(contoso):
    assert consent(contoso, tenant="contoso.example").fields["tenant"] == contoso.directory


def test_a_fault_of_the_pages_strikes_here_too_and_says_admin_consent(contoso):
    contoso.microsoft.set_fault(90033, grant_type="authorize")
    fields = consent(contoso).fields
    assert (fields["admin_consent"], fields["error"]) == ("True", "temporarily_unavailable")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scope": None}, 900144),
        ({"scope": " "}, 900144),
        ({"redirect_uri": None}, 900144),
        ({"client_id": None}, 900144),
        ({"redirect_uri": REDIRECT + "x"}, 50011),
        ({"scope": "Mail.Raed"}, 650053),
        ({"tenant": "common"}, 90130),
        ({"tenant": "organizations"}, 50194),
        ({"tenant": "nobody.example"}, 90002),
    ],
)
def test_a_wrong_request_stays_on_microsofts_page(contoso, changes, code):
    with pytest.raises(Stopped) as stopped:
        consent(contoso, **changes)
    assert stopped.value.code == code


def test_somebody_from_elsewhere_cannot_accept(contoso):
    other = contoso.microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    stranger = contoso.microsoft.add_person(other, "Nestor Wilke", "nestor@fabrikam.example", admin=True)["oid"]
    with pytest.raises(Stopped) as stopped:
        consent(contoso, oid=stranger)
    assert stopped.value.code == 50020


# -- what it does


def test_people_are_not_asked_for_what_an_administrator_accepted(contoso):
    contoso.microsoft.users_may_consent(contoso.directory, False)
    consent(contoso)
    tokens = contoso.granted(client_info="1")
    assert "Mail.Send" in tokens["scope"]
    assert contoso.microsoft.world()["grants"] == []


def test_an_unmodified_msal_signs_in_and_refreshes_on_an_administrators_consent(contoso):
    consent(contoso)
    app = contoso.msal()
    flow = app.initiate_auth_code_flow(contoso.scopes("Mail.Read"), redirect_uri=REDIRECT, response_mode="form_post")
    page = contoso.microsoft._page("GET", flow["auth_uri"])
    carried = contoso.microsoft._press(page, "oid", contoso.oid)
    result = app.acquire_token_by_auth_code_flow(flow, carried.fields)
    again = app.acquire_token_by_refresh_token(result["refresh_token"], contoso.scopes("Mail.Send"))
    assert "access_token" in again


def test_people_are_still_asked_for_more(contoso):
    consent(contoso)
    contoso.microsoft.users_may_consent(contoso.directory, False)
    answer = contoso.sign_in("cancel", scope=f"{contoso.host}/Calendars.Read")
    assert answer.fields["error_subcode"] == "cancel"


def test_an_app_that_wants_people_asked_again_stops_those_who_may_not_consent(contoso):
    contoso.microsoft.users_may_consent(contoso.directory, False)
    consent(contoso)
    with pytest.raises(Stopped) as stopped:
        contoso.sign_in(prompt="consent")
    assert stopped.value.code == 90095


def test_a_consent_for_everybody_reaches_nobody_in_another_directory(contoso):
    consent(contoso)
    microsoft = contoso.microsoft
    contoso.client_id = microsoft.add_app(contoso.directory, "AzureADMultipleOrgs", [REDIRECT])["client_id"]
    consent(contoso, oid=microsoft.add_person(contoso.directory, "Lee Gu", "lee@contoso.example", admin=True)["oid"])
    other = microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    stranger = microsoft.add_person(other, "Nestor Wilke", "nestor@fabrikam.example")["oid"]
    page = microsoft._press(microsoft._page("GET", contoso.authorize(tenant=other)), "oid", stranger)
    assert ("answer", "accept") in page.buttons


def test_withdrawn_for_everybody_it_is_missed_by_everybody(contoso):
    consent(contoso)
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.withdraw_for_everybody(contoso.client_id, contoso.directory)
    assert contoso.refresh(token).refusal == (400, "invalid_grant", 65001)
    with pytest.raises(Refused, match="No administrator of Contoso"):
        contoso.microsoft.withdraw_for_everybody(contoso.client_id, contoso.directory)


def test_a_test_can_consent_for_everybody_without_the_pages(contoso):
    made = contoso.microsoft.grant_for_everybody(contoso.client_id, contoso.directory, ["Mail.Read"])
    assert made["directory"] == contoso.directory
    assert contoso.granted()["refresh_token"]
    with pytest.raises(Refused, match="Mail.Raed"):
        contoso.microsoft.grant_for_everybody(contoso.client_id, contoso.directory, ["Mail.Raed"])


# -- the box on the ordinary page


def test_an_administrators_box_on_the_ordinary_page_does_the_same(contoso):
    contoso.microsoft.sign_in(contoso.authorize(), contoso.administrator(), "everybody")
    assert [each["directory"] for each in contoso.microsoft.world()["admin_grants"]] == [contoso.directory]
    contoso.microsoft.users_may_consent(contoso.directory, False)
    assert "code" in contoso.sign_in().fields


def test_without_the_box_an_administrator_consents_for_themselves(contoso):
    contoso.microsoft.sign_in(contoso.authorize(), contoso.administrator())
    assert contoso.microsoft.world()["admin_grants"] == []


def test_others_have_no_box_and_ticking_it_anyway_is_for_themselves(contoso):
    microsoft = contoso.microsoft
    page = microsoft._press(microsoft._page("GET", contoso.authorize()), "oid", contoso.oid)
    assert page.boxes == {}
    page.fields["everybody"] = "on"
    microsoft._press(page, "answer", "accept")
    assert microsoft.world()["admin_grants"] == []
    assert len(microsoft.world()["grants"]) == 1
