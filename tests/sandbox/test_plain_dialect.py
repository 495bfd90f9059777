"""The same sandbox as another provider: plain OpenID Connect, by the book, through MSAL and through our own client."""

import dataclasses
import json
import uuid
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from oauth.entra import EntraClient
from oauth.errors import EntraRefused
from sandbox.server import Sandbox
from tenants.clouds import Cloud
from tenants.scopes import request_scopes
from tests.microsoft import Stopped
from tests.sandbox.conftest import REDIRECT, claims_of, settle

ENTRAS_OWN = (
    "AADSTS",
    "Trace ID",
    "error_codes",
    "error_uri",
    "suberror",
    "error_subcode",
    "client_info",
    "ext_expires",
)


@pytest.fixture
def contoso(plain_sandbox, plain):
    return settle(plain_sandbox)


# -- what it says of itself


def test_its_entry_for_extra_clouds_says_what_it_lacks(plain_sandbox, sandbox):
    entry = json.loads(json.dumps(plain_sandbox.cloud()))
    assert (entry["key"], entry["name"], entry["admin_consent"]) == ("plain", "Plain OpenID provider", False)
    assert entry["login_host"] == entry["graph_host"] == plain_sandbox.token_host
    assert entry["ca_file"] != sandbox.ca_file
    assert not entry["sandbox"]


def test_its_certificate_is_of_an_authority_of_its_own(contoso, sandbox):
    url = f"{contoso.host}/{contoso.directory}/v2.0/.well-known/openid-configuration"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, verify=sandbox.ca_file, timeout=10)


def test_its_discovery_document_promises_the_issuer_in_each_answer_and_nothing_of_entras(contoso):
    body = contoso.get(f"/{contoso.directory}/v2.0/.well-known/openid-configuration").body
    assert body["authorization_response_iss_parameter_supported"] is True
    assert body["issuer"] == f"{contoso.host}/{contoso.directory}/v2.0"
    assert {"tid", "oid"} <= set(body["claims_supported"])
    assert not {"tenant_region_scope", "msgraph_host", "cloud_instance_name", "kerberos_endpoint"} & body.keys()


@pytest.mark.parametrize("path", ["adminconsent", "v2.0/adminconsent"])
def test_nobody_consents_for_everybody(contoso, path):
    url = f"{contoso.box.pages_origin}/{contoso.directory}/{path}?client_id={contoso.client_id}"
    assert requests.get(url, timeout=10).status_code == 404


# -- the answer of the sign-in pages


@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_each_answer_names_its_issuer(contoso, answer):
    fields = contoso.sign_in(answer, client_info="1").fields
    assert fields["iss"] == f"{contoso.host}/{contoso.directory}/v2.0"
    assert "client_info" not in fields


def test_an_answer_by_query_names_it_too(contoso):
    sent = requests.get(contoso.authorize(prompt="none", response_mode="query"), allow_redirects=False, timeout=10)
    fields = dict(parse_qsl(urlsplit(sent.headers["Location"]).query))
    assert (fields["error"], fields["iss"]) == ("login_required", f"{contoso.host}/{contoso.directory}/v2.0")


def test_declining_is_told_without_a_number(contoso):
    assert contoso.sign_in("decline").fields.keys() == {"error", "error_description", "iss", "state"}


def test_people_consent_for_themselves_whatever_the_directory_says(contoso):
    contoso.microsoft.users_may_consent(contoso.directory, False)
    assert "code" in contoso.sign_in().fields


# -- tokens


def test_the_scope_names_exactly_what_was_granted(contoso):
    scope = f"openid profile offline_access {contoso.host}/Mail.Read"
    tokens = contoso.granted(scope=scope)
    assert tokens["scope"] == scope
    contoso.granted(scope=f"openid {contoso.host}/Mail.Send")
    assert contoso.refresh(tokens["refresh_token"], scope=scope).body["scope"] == scope


def test_the_id_token_says_whose_it_is_and_nothing_of_entras(contoso):
    claims = claims_of(contoso.granted()["id_token"])
    assert (claims["tid"], claims["oid"]) == (contoso.directory, contoso.oid)
    assert claims["iss"] == f"{contoso.host}/{contoso.directory}/v2.0"
    assert not {"aio", "rh", "uti", "ver"} & claims.keys()


def test_a_token_answer_holds_what_the_book_names(contoso):
    names = {"token_type", "scope", "expires_in", "access_token", "refresh_token", "id_token"}
    code = contoso.sign_in().fields["code"]
    assert contoso.redeem(code, client_info="1").body.keys() == names
    assert contoso.app_token().body.keys() == {"token_type", "expires_in", "access_token"}


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": str(uuid.uuid4())}, 401, "invalid_client"),
        ({"client_secret": "not-the-secret"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"scope": "https://elsewhere.example/.default"}, 400, "invalid_scope"),
        ({"tenant": "nobody.example"}, 400, "invalid_request"),
    ],
)
def test_a_refusal_is_a_word_of_the_book_and_a_sentence(contoso, fields, status, error):
    reply = contoso.token(**{"grant_type": "client_credentials", "scope": f"{contoso.host}/.default", **fields})
    assert (reply.status, reply.body["error"]) == (status, error)
    assert reply.body.keys() == {"error", "error_description"}


@pytest.mark.parametrize("code", [50173, 53003, 50076, 65001, 650052, 650053, 500112, 90033, 90055, 90002, 650057])
def test_no_refusal_shows_entras_hand(contoso, code):
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.set_fault(code)
    reply = contoso.refresh(token)
    book = {"invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "temporarily_unavailable"}
    assert reply.body["error"] in book
    assert [word for word in ENTRAS_OWN if word in reply.text] == []
    assert [name for name in reply.headers if name.lower().startswith("x-ms-")] == []


# -- refresh tokens that work once


def test_a_refresh_token_works_once_and_then_ends_its_whole_family(contoso):
    first = contoso.granted()["refresh_token"]
    second = contoso.refresh(first).body["refresh_token"]
    third = contoso.refresh(second).body["refresh_token"]
    for used in (first, second, third):
        reply = contoso.refresh(used)
        assert (reply.status, reply.body["error"]) == (400, "invalid_grant")


def test_another_sign_in_is_another_family(contoso):
    first, other = contoso.granted()["refresh_token"], contoso.granted()["refresh_token"]
    contoso.refresh(first)
    contoso.refresh(first)
    assert contoso.refresh(other).status == 200


def test_a_refused_refresh_uses_nothing_up(contoso):
    token = contoso.granted()["refresh_token"]
    assert contoso.refresh(token, client_secret="not-the-secret").status == 401
    assert contoso.refresh(token, scope=f"{contoso.host}/Mail.Send").body["error"] == "invalid_grant"
    contoso.microsoft.set_fault("down", times=1)
    assert contoso.refresh(token).status == 503
    assert contoso.refresh(token).status == 200


def test_used_tokens_stay_used_after_a_restart(tmp_path):
    with Sandbox(tmp_path, dialect="plain") as box:
        here = settle(box)
        used = here.granted()["refresh_token"]
        newest = here.refresh(used).body["refresh_token"]
    with Sandbox(tmp_path, dialect="plain") as again:
        here.box = again
        scope = f"openid offline_access {here.host}/Mail.Read"
        newer = here.refresh(newest, scope=scope).body["refresh_token"]
        assert here.refresh(used, scope=scope).status == 400
        assert here.refresh(newer, scope=scope).status == 400


# -- through an unmodified MSAL


def test_msal_signs_in_and_refreshes(contoso):
    app = contoso.msal()
    flow = app.initiate_auth_code_flow(contoso.scopes(), redirect_uri=REDIRECT, response_mode="form_post")
    fields = contoso.microsoft.sign_in(flow["auth_uri"], contoso.oid).fields
    result = app.acquire_token_by_auth_code_flow(flow, fields)
    assert result["id_token_claims"]["oid"] == contoso.oid
    again = app.acquire_token_by_refresh_token(result["refresh_token"], contoso.scopes())
    assert again["refresh_token"] != result["refresh_token"]
    assert app.acquire_token_by_refresh_token(result["refresh_token"], contoso.scopes())["error"] == "invalid_grant"


def test_msal_gets_an_app_token(contoso):
    assert "access_token" in contoso.msal().acquire_token_for_client(contoso.scopes(".default"))


# -- through our own client


@pytest.fixture
def cloud(plain_sandbox):
    known = {each.name for each in dataclasses.fields(Cloud)}
    return Cloud(**{name: value for name, value in plain_sandbox.cloud().items() if name in known})


@pytest.fixture
def client(contoso, cloud):
    return EntraClient(cloud, contoso.directory, contoso.client_id, contoso.secret)


@pytest.fixture
def scopes(cloud):
    return request_scopes(["Mail.ReadOnly"], cloud)


@pytest.fixture
def signed_in(contoso, client, scopes):
    flow = client.begin(scopes=scopes, redirect_uri=REDIRECT)
    return client.redeem(flow, contoso.microsoft.sign_in(flow["auth_uri"], contoso.oid).fields)


def test_our_client_signs_in_and_knows_who_it_is(contoso, signed_in):
    assert signed_in.scopes == ("Mail.Read", "MailboxSettings.Read", "User.Read")
    assert (signed_in.identity.tid, signed_in.identity.oid) == (contoso.directory, contoso.oid)
    assert signed_in.identity.address == "adele@contoso.example"


def test_our_client_refreshes_and_is_refused_a_used_token(client, scopes, signed_in):
    newest = client.refresh(signed_in.refresh_token, scopes)
    assert newest.refresh_token != signed_in.refresh_token
    assert newest.scopes == signed_in.scopes
    for token in (signed_in.refresh_token, newest.refresh_token):
        with pytest.raises(EntraRefused) as caught:
            client.refresh(token, scopes)
        assert (caught.value.error, caught.value.codes) == ("invalid_grant", ())
        assert (caught.value.fault.kind, caught.value.fault.verdict) == ("grant_refused", "invalid")


def test_our_client_hears_who_declines(contoso, client, scopes):
    flow = client.begin(scopes=scopes, redirect_uri=REDIRECT)
    with pytest.raises(EntraRefused) as caught:
        client.redeem(flow, contoso.microsoft.sign_in(flow["auth_uri"], contoso.oid, "decline").fields)
    assert caught.value.fault.kind == "user_declined"


def test_our_client_gets_an_app_token_and_hears_of_a_wrong_secret(contoso, cloud, client):
    assert client.app_token().value
    with pytest.raises(EntraRefused) as caught:
        EntraClient(cloud, contoso.directory, contoso.client_id, "not-the-secret").app_token()
    assert (caught.value.fault.scope, caught.value.codes) == ("registration", ())


def test_what_stays_on_its_page_is_stopped_here_too(contoso):
    with pytest.raises(Stopped):
        contoso.sign_in(redirect_uri="http://localhost:8000/elsewhere/")
