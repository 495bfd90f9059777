"""People of a federated directory sign in on another site, and come back."""

from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import urllib3

from tests.sandbox.conftest import REDIRECT, claims_of
from tests.sandbox.test_sign_in import policy_of


@pytest.fixture
def federated(contoso):
    contoso.microsoft.federate(contoso.directory)
    return contoso


def get(contoso, url):
    return contoso.http.request("GET", url, redirect=False)


def hinted(contoso, **changes):
    return contoso.authorize(login_hint="Adele@contoso.example", **changes)


def test_an_expected_person_is_redirected_by_the_authorize_request_itself(federated):
    response = get(federated, hinted(federated))
    assert response.status == 302
    assert response.headers["Location"].startswith(f"{federated.host}/federated/{federated.directory}?visit=")


def test_a_chosen_person_is_redirected_then(federated):
    page = federated.microsoft._page("GET", federated.authorize())
    away = federated.microsoft._press(page, "oid", federated.oid)
    assert away.url.startswith(f"{federated.host}/federated/")
    assert away.buttons == [("federated", "sign in")]


@pytest.mark.parametrize("way", ["authorize", "hinted"])
def test_after_signing_in_there_consent_goes_on_here(federated, way):
    url = hinted(federated) if way == "hinted" else federated.authorize()
    answer = federated.microsoft.sign_in(url, federated.oid)
    assert claims_of(federated.redeem(answer.fields["code"]).body["id_token"])["oid"] == federated.oid


def test_who_consented_before_is_carried_on_at_once(federated):
    federated.sign_in()
    page = federated.microsoft._page("GET", hinted(federated, response_mode="query"))
    answer = federated.microsoft._press(page, "federated", "sign in")
    assert answer.url == REDIRECT
    assert "code" in answer.fields


def test_the_page_there_lets_its_form_lead_back_and_on_to_the_app(federated):
    there = get(federated, get(federated, hinted(federated)).headers["Location"])
    assert policy_of(there)["form-action"] == ["'self'", federated.box.pages_origin, "http://localhost:8000"]
    assert "this is not Microsoft" in there.data.decode()
    assert get(federated, f"{federated.host}/static/sandbox.css").status == 200


def test_the_account_page_lets_its_form_lead_there_only_where_somebody_is_federated(federated):
    policy = policy_of(get(federated, federated.authorize()))
    assert policy["form-action"] == ["'self'", "http://localhost:8000", federated.host]
    federated.microsoft.federate(federated.directory, False)
    assert policy_of(get(federated, federated.authorize()))["form-action"] == ["'self'", "http://localhost:8000"]


def test_an_administrator_of_a_federated_directory_consents_for_everybody(federated):
    answer = federated.microsoft.sign_in(federated.adminconsent(), federated.administrator())
    assert answer.fields["tenant"] == federated.directory


def test_a_guest_signs_in_where_their_account_is(federated):
    fabrikam = federated.microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    app = federated.microsoft.add_app(fabrikam, redirect_uris=[REDIRECT])["client_id"]
    guest = federated.microsoft.add_guest(fabrikam, federated.oid)["oid"]
    page = federated.microsoft._page("GET", federated.authorize(tenant=fabrikam, client_id=app))
    assert f"/federated/{federated.directory}" in federated.microsoft._press(page, "oid", guest).url
    url = federated.authorize(tenant=fabrikam, client_id=app)
    assert "code" in federated.microsoft.sign_in(url, guest).fields


def test_one_sign_in_there_does_not_serve_somebody_else(federated):
    lee = federated.microsoft.add_person(federated.directory, "Lee Gu", "lee@contoso.example")["oid"]
    there = federated.microsoft._page("GET", hinted(federated))
    consent = federated.microsoft._press(there, "federated", "sign in")
    consent.action = consent.action.replace("/answer", "/account")
    assert "/federated/" in federated.microsoft._press(consent, "oid", lee).url


@pytest.mark.parametrize("visit", ["", "nonsense"])
def test_a_page_there_that_is_none_leads_nowhere(federated, visit):
    url = f"{federated.host}/federated/{federated.directory}"
    assert get(federated, f"{url}?visit={visit}").status == 400
    assert get(federated, f"{federated.box.pages_origin}/sign-in/federated?page={visit}").status == 400
    headers = {"Origin": federated.host, "Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"visit": visit})
    assert federated.http.request("POST", url, body=body, headers=headers).status == 400


def test_no_other_page_signs_anybody_in_there(federated):
    visit = urlsplit(get(federated, hinted(federated)).headers["Location"]).query
    headers = {"Origin": federated.box.pages_origin, "Content-Type": "application/x-www-form-urlencoded"}
    url = f"{federated.host}/federated/{federated.directory}"
    assert federated.http.request("POST", url, body=visit, headers=headers, redirect=False).status == 403


def test_coming_back_without_having_signed_in_is_refused(federated):
    visit = urlsplit(get(federated, hinted(federated)).headers["Location"]).query.replace("visit=", "page=")
    assert get(federated, f"{federated.box.pages_origin}/sign-in/federated?{visit}").status == 400


def test_the_authority_of_the_https_door_is_there_to_be_trusted(contoso):
    served = urllib3.request("GET", f"{contoso.box.pages_origin}/control/ca.pem").data.decode()
    assert served == Path(contoso.box.ca_file).read_text()
    assert "PRIVATE" not in served
