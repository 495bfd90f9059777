from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3

from tests.microsoft import Stopped
from tests.sandbox.conftest import REDIRECT


def fetch(contoso, url, method="GET", **kwargs):
    return urllib3.request(method, url, redirect=False, retries=False, **kwargs)


def first_page(contoso, **changes):
    return contoso.microsoft._page("GET", contoso.authorize(**changes))


def press(contoso, page, name, value):
    return contoso.microsoft._press(page, name, value)


def people_on(page):
    return [value for name, value in page.buttons if name == "oid"]


def consent_page(contoso, **changes):
    return press(contoso, first_page(contoso, **changes), "oid", contoso.oid)


# -- the way back


def test_the_answer_is_a_form_for_the_redirect_uri_and_nothing_else(contoso):
    answer = contoso.sign_in()
    assert answer.url == REDIRECT
    assert answer.fields.keys() == {"code", "state", "session_state"}
    assert answer.fields["state"] == "the state"


@pytest.mark.parametrize(("mode", "mark"), [("query", "?"), (None, "?"), ("fragment", "#")])
def test_other_response_modes_redirect(contoso, mode, mark):
    page = press(contoso, first_page(contoso, response_mode=mode), "oid", contoso.oid)
    response = fetch(
        contoso,
        page.action,
        "POST",
        body=urlencode({**page.fields, "answer": "accept"}),
        headers={"Origin": contoso.box.pages_origin, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert response.status == 302
    assert response.headers["Location"].startswith(f"{REDIRECT}{mark}code=")


def test_a_state_comes_back_as_it_was_sent(contoso):
    state = "ä <b>&\"' %2F+"
    assert contoso.sign_in(state=state).fields["state"] == state
    assert contoso.sign_in(state=state, response_mode="query").fields["state"] == state


def test_without_a_state_none_comes_back(contoso):
    assert "state" not in contoso.sign_in(state=None).fields


def test_client_info_comes_back_only_when_asked_for(contoso):
    assert "client_info" not in contoso.sign_in().fields
    assert "client_info" in contoso.sign_in(client_info="1").fields


# -- consent


def test_the_consent_page_says_who_asks_for_what(contoso):
    text = " ".join(consent_page(contoso, scope=f"offline_access {contoso.host}/Mail.Send").text.split())
    for words in (
        "Contoso Mail",
        "Unverified",
        "Send mail as you",
        "Mail.Send",
        "Keep access",
        "adele@contoso.example",
    ):
        assert words in text


def test_who_consented_is_not_asked_again(contoso):
    contoso.sign_in()
    page = press(contoso, first_page(contoso), "oid", contoso.oid)
    assert page.action == REDIRECT
    assert "code" in page.fields


@pytest.mark.parametrize("change", [{"prompt": "consent"}, {"scope": "openid Mail.Read Mail.Send"}])
def test_who_consented_is_asked_again_for_more_or_when_the_app_wants_it(contoso, change):
    contoso.sign_in()
    assert ("answer", "accept") in consent_page(contoso, **change).buttons


def test_declining_tells_the_app_so(contoso):
    fields = contoso.sign_in("decline").fields
    assert fields.keys() == {"error", "error_subcode", "error_description", "error_uri", "state"}
    assert (fields["error"], fields["error_subcode"]) == ("access_denied", "cancel")
    assert fields["error_description"].startswith("AADSTS65004: ")
    assert contoso.microsoft.world()["grants"] == []


def test_where_only_admins_consent_others_are_sent_back_with_a_bare_cancel(contoso):
    contoso.microsoft.users_may_consent(contoso.directory, False)
    page = consent_page(contoso)
    assert "Need admin approval" in page.text
    assert contoso.sign_in("cancel").fields == {
        "error": "access_denied",
        "error_subcode": "cancel",
        "state": "the state",
    }


def test_accepting_what_only_admins_may_accept_grants_nothing(contoso):
    contoso.microsoft.users_may_consent(contoso.directory, False)
    answer = press(contoso, consent_page(contoso), "answer", "accept")
    assert answer.fields["error"] == "access_denied"
    assert contoso.microsoft.world()["grants"] == []


def test_where_only_admins_consent_an_admin_can(contoso):
    contoso.microsoft.users_may_consent(contoso.directory, False)
    contoso.microsoft.set_admin(contoso.oid, True)
    assert "code" in contoso.sign_in().fields


def test_where_only_admins_consent_an_older_grant_still_signs_in(contoso):
    contoso.sign_in()
    contoso.microsoft.users_may_consent(contoso.directory, False)
    assert "code" in contoso.sign_in().fields


# -- who can be chosen


def test_only_people_of_the_apps_directory_are_offered(contoso):
    microsoft = contoso.microsoft
    other = microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    stranger = microsoft.add_person(other, "Nestor Wilke", "nestor@fabrikam.example")["oid"]
    assert people_on(first_page(contoso)) == [contoso.oid]
    with pytest.raises(Stopped) as stopped:
        press(contoso, first_page(contoso), "oid", stranger)
    assert stopped.value.code == 50020


def test_everybody_is_offered_at_organizations(contoso):
    microsoft = contoso.microsoft
    other = microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    stranger = microsoft.add_person(other, "Nestor Wilke", "nestor@fabrikam.example")["oid"]
    contoso.client_id = microsoft.add_app(contoso.directory, "AzureADMultipleOrgs", [REDIRECT])["client_id"]
    assert set(people_on(first_page(contoso, tenant="organizations"))) == {contoso.oid, stranger}


def test_a_hint_offers_that_person_and_a_way_to_the_others(contoso):
    second = contoso.microsoft.add_person(contoso.directory, "Grady Archie", "grady@contoso.example")["oid"]
    hinted = first_page(contoso, login_hint="Grady@contoso.example")
    assert people_on(hinted) == [second, ""]
    assert set(people_on(press(contoso, hinted, "oid", ""))) == {contoso.oid, second}


def test_select_account_offers_everybody_whatever_the_hint(contoso):
    second = contoso.microsoft.add_person(contoso.directory, "Grady Archie", "grady@contoso.example")["oid"]
    page = first_page(contoso, login_hint="grady@contoso.example", prompt="select_account")
    assert set(people_on(page)) == {contoso.oid, second}


def test_a_disabled_person_stays_on_microsofts_page(contoso):
    contoso.microsoft.disable_person(contoso.oid)
    with pytest.raises(Stopped) as stopped:
        contoso.sign_in()
    assert stopped.value.code == 50057


# -- requests that are wrong


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": None}, 900144),
        ({"client_id": "f0000000-0000-4000-8000-000000000000"}, 700016),
        ({"redirect_uri": REDIRECT + "x"}, 50011),
        ({"redirect_uri": REDIRECT.upper()}, 50011),
        ({"redirect_uri": REDIRECT.rstrip("/")}, 50011),
        ({"redirect_uri": "http://127.0.0.1:8000/oauth/callback/sandbox/"}, 50011),
        ({"tenant": "nobody.example"}, 90002),
        ({"tenant": "common"}, 50194),
    ],
)
def test_what_the_app_may_not_hear_of_stays_on_microsofts_page(contoso, changes, code):
    with pytest.raises(Stopped) as stopped:
        contoso.sign_in(**changes)
    assert stopped.value.code == code
    assert f"AADSTS{code}" in str(stopped.value)


def test_an_app_without_a_redirect_uri_goes_nowhere(contoso):
    contoso.microsoft.set_redirect_uris(contoso.client_id, [])
    with pytest.raises(Stopped) as stopped:
        contoso.sign_in()
    assert stopped.value.code == 500113


def test_for_localhost_the_port_does_not_count(contoso):
    elsewhere = REDIRECT.replace("8000", "9123")
    answer = contoso.sign_in(redirect_uri=elsewhere)
    assert answer.url == elsewhere
    assert contoso.redeem(answer.fields["code"], redirect_uri=elsewhere).status == 200


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"response_type": None}, "invalid_request", 900144),
        ({"response_type": "token"}, "unsupported_response_type", 70005),
        ({"scope": None}, "invalid_request", 900144),
        ({"scope": "Mail.Raed"}, "invalid_client", 650053),
        ({"scope": "https://elsewhere.example/Mail.Read"}, "invalid_resource", 500011),
        ({"scope": "Mail.Read .default"}, "invalid_scope", 70011),
        ({"prompt": "admin_consent"}, "invalid_request", 90023),
        ({"prompt": "none"}, "login_required", 50058),
        ({"code_challenge": "x" * 43, "code_challenge_method": "S512"}, "invalid_request", 90023),
    ],
)
def test_other_mistakes_are_told_to_the_app(contoso, changes, error, code):
    fields = contoso.sign_in(**changes).fields
    assert fields["error"] == error
    assert fields["error_description"].startswith(f"AADSTS{code}: ")
    assert fields["state"] == "the state"


def test_an_unknown_response_mode_is_told_by_query(contoso):
    response = fetch(contoso, contoso.authorize(response_mode="carrier_pigeon"))
    assert parse_qs(urlsplit(response.headers["Location"]).query)["error"] == ["invalid_request"]


@pytest.mark.parametrize("page", ["", "nonsense", "é", "A" * 5000])
def test_a_page_that_is_not_ours_leads_nowhere(contoso, page):
    for door in ("account", "answer"):
        response = fetch(
            contoso,
            f"{contoso.box.pages_origin}/sign-in/{door}",
            "POST",
            body=urlencode({"page": page, "oid": contoso.oid, "answer": "accept"}),
            headers={"Origin": contoso.box.pages_origin, "Content-Type": "application/x-www-form-urlencoded"},
        )
        assert response.status == 400
        assert "too old" in response.data.decode()


def test_consent_cannot_be_given_before_an_account_is_chosen(contoso):
    page = first_page(contoso)
    page.action = page.action.replace("/account", "/answer")
    with pytest.raises(Stopped):
        press(contoso, page, "answer", "accept")
    assert contoso.microsoft.world()["grants"] == []


# -- what protects the pages


@pytest.mark.parametrize("origin", [None, "null", "https://elsewhere.example", "http://localhost:8000"])
def test_no_other_page_can_press_accept(contoso, origin):
    page = consent_page(contoso)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | ({"Origin": origin} if origin else {})
    body = urlencode({**page.fields, "answer": "accept"})
    assert fetch(contoso, page.action, "POST", body=body, headers=headers).status == 403
    assert contoso.microsoft.world()["grants"] == []


@pytest.mark.parametrize("host", ["elsewhere.example", "elsewhere.example:80", "127.0.0.1.elsewhere.example"])
def test_pages_answer_under_a_loopback_name_only(contoso, host):
    assert fetch(contoso, contoso.authorize(), headers={"Host": host}).status == 403


def policy_of(response):
    parts = (part.split() for part in response.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


def test_pages_are_strict_and_say_that_they_are_not_microsoft(contoso):
    response = fetch(contoso, contoso.authorize())
    policy = policy_of(response)
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == ["'self'", "http://localhost:8000"]
    assert "this is not Microsoft" in response.data.decode()


def test_the_page_that_goes_back_may_only_post_to_the_redirect_uris_origin(contoso):
    response = fetch(contoso, contoso.authorize(prompt="none"))
    assert policy_of(response)["form-action"] == ["http://localhost:8000"]
    assert "<script src=" in response.data.decode()


def test_names_are_shown_as_text(contoso):
    name = "<script>alert(1)</script>"
    contoso.microsoft.add_person(contoso.directory, name, "mallory@contoso.example")
    html = fetch(contoso, contoso.authorize(login_hint=name)).data.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
