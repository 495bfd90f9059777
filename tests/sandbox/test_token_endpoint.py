import base64
import re
import uuid
from hashlib import sha256

import pytest

from tests.sandbox.conftest import REDIRECT, claims_of

# What a refusal carries on the wire, and in which form.
SHAPE = {
    "error": r"[a-z_]+",
    "error_description": r"AADSTS\d+: .+[^ ] Trace ID: [0-9a-f-]{36} Correlation ID: [0-9a-f-]{36}"
    r" Timestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ",
    "timestamp": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ",
    "trace_id": r"[0-9a-f-]{36}",
    "correlation_id": r"[0-9a-f-]{36}",
    "error_uri": r"https://localhost:\d+/error\?code=\d+",
}
DAY = 86_400


def s256(verifier):
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


# -- every answer


def test_a_refusal_has_entras_shape(contoso):
    reply = contoso.app_token(client_secret="not-the-secret")
    assert reply.body.keys() == SHAPE.keys() | {"error_codes"}
    for name, pattern in SHAPE.items():
        assert re.fullmatch(pattern, reply.body[name]), (name, reply.body[name])
    assert reply.headers["x-ms-request-id"] == reply.body["trace_id"]


def test_the_callers_request_id_comes_back_as_the_correlation_id(contoso):
    mine = str(uuid.uuid4())
    path = f"/{contoso.directory}/oauth2/v2.0/token"
    reply = contoso.post(path, "grant_type=client_credentials", **{"client-request-id": mine})
    assert reply.body["correlation_id"] == mine


@pytest.mark.parametrize("secret", [None, "not-the-secret"])
def test_no_answer_of_the_token_endpoint_may_be_stored(contoso, secret):
    fields = {"client_secret": secret} if secret else {}
    headers = contoso.app_token(**fields).headers
    assert headers["Cache-Control"] == "no-store, no-cache"
    assert headers["Pragma"] == "no-cache"


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"grant_type": None}, (400, "invalid_request", 900144)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"client_id": None}, (400, "invalid_request", 900144)),
        ({"client_id": str(uuid.uuid4())}, (400, "unauthorized_client", 700016)),
        ({"client_secret": None}, (401, "invalid_client", 7000216)),
        ({"client_secret": "not-the-secret"}, (401, "invalid_client", 7000215)),
        ({"client_assertion": "a.b.c"}, (401, "invalid_client", 700027)),
        ({"scope": None}, (400, "invalid_request", 900144)),
        ({"scope": "https://elsewhere.example/.default"}, (400, "invalid_resource", 500011)),
    ],
)
def test_a_wrong_client_credentials_request_is_refused(contoso, fields, refusal):
    assert (
        contoso.token(**{"grant_type": "client_credentials", "scope": f"{contoso.host}/.default", **fields}).refusal
        == refusal
    )


@pytest.mark.parametrize("body", ["", "%%%", "=&=&=", "a" * 300_000, "grant_type=%ff%fe"])
def test_a_body_that_is_no_form_is_refused_and_breaks_nothing(contoso, body):
    assert contoso.post(f"/{contoso.directory}/oauth2/v2.0/token", body).status == 400


def test_an_unknown_directory_is_an_invalid_request_here(contoso):
    assert contoso.app_token(tenant="nobody.example").refusal == (400, "invalid_request", 90002)


# -- client credentials


def test_an_app_token_comes_with_nothing_else(contoso):
    assert contoso.app_token().body.keys() == {"token_type", "expires_in", "ext_expires_in", "access_token"}


def test_the_secret_may_come_as_basic_authentication(contoso):
    pair = base64.b64encode(f"{contoso.client_id}:{contoso.secret}".encode()).decode()
    body = f"grant_type=client_credentials&scope={contoso.host}/.default"
    reply = contoso.post(f"/{contoso.directory}/oauth2/v2.0/token", body, Authorization=f"Basic {pair}")
    assert reply.status == 200


@pytest.mark.parametrize("scope", ["Mail.Read", "{host}/Mail.Read", "{host}/.default openid"])
def test_an_app_token_is_only_for_default(contoso, scope):
    assert contoso.app_token(scope=scope.format(host=contoso.host)).refusal == (400, "invalid_scope", 70011)


@pytest.mark.parametrize("tenant", ["common", "organizations"])
def test_an_app_token_needs_a_directory(contoso, tenant):
    assert contoso.app_token(tenant=tenant).refusal == (400, "invalid_request", 50059)


def test_a_single_tenant_app_is_unknown_in_another_directory(contoso):
    other = contoso.microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    assert contoso.app_token(tenant=other).refusal == (400, "unauthorized_client", 700016)


def test_a_multi_tenant_app_is_known_in_another_directory_once_somebody_there_consented(contoso):
    microsoft = contoso.microsoft
    other = microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    contoso.client_id = microsoft.add_app(contoso.directory, "AzureADMultipleOrgs", [REDIRECT])["client_id"]
    contoso.secret = microsoft.add_secret(contoso.client_id)["value"]
    assert contoso.app_token(tenant=other).refusal == (400, "unauthorized_client", 700016)
    contoso.oid = microsoft.add_person(other, "Nestor Wilke", "nestor@fabrikam.example")["oid"]
    contoso.sign_in(tenant=other)
    assert contoso.app_token(tenant=other).status == 200


def test_an_expired_secret_is_told_from_a_wrong_one(contoso):
    contoso.microsoft.expire_secret(contoso.client_id, contoso.key_id)
    reply = contoso.app_token()
    assert reply.refusal == (401, "invalid_client", 7000222)
    assert f"client secret keys for app '{contoso.client_id}' are expired" in reply.body["error_description"]


def test_a_second_secret_works_beside_the_first_until_it_is_removed(contoso):
    second = contoso.microsoft.add_secret(contoso.client_id)
    assert contoso.app_token(client_secret=second["value"]).status == 200
    assert contoso.app_token().status == 200
    contoso.microsoft.remove_secret(contoso.client_id, second["key_id"])
    assert contoso.app_token(client_secret=second["value"]).refusal == (401, "invalid_client", 7000215)


def test_a_secret_ends_when_the_clock_reaches_its_end(contoso):
    contoso.microsoft.advance(800 * DAY)
    assert contoso.app_token().refusal == (401, "invalid_client", 7000222)
    contoso.microsoft.real_time()
    assert contoso.app_token().status == 200


# -- codes


def test_a_malformed_code_is_refused_before_the_secret_is_looked_at(contoso):
    reply = contoso.redeem("no-code-of-ours", client_secret="not-the-secret")
    assert reply.refusal == (400, "invalid_grant", 9002313)


def test_a_good_code_does_not_excuse_the_secret(contoso):
    code = contoso.sign_in().fields["code"]
    assert contoso.redeem(code, client_secret="not-the-secret").refusal == (401, "invalid_client", 7000215)
    assert contoso.redeem(code, client_secret=None).refusal == (401, "invalid_client", 7000218)
    assert contoso.redeem(code).status == 200


def test_a_code_works_once(contoso):
    code = contoso.sign_in().fields["code"]
    assert contoso.redeem(code).status == 200
    assert contoso.redeem(code).refusal == (400, "invalid_grant", 54005)


@pytest.mark.parametrize(("seconds", "status"), [(590, 200), (610, 400)])
def test_a_code_is_good_for_ten_minutes(contoso, seconds, status):
    code = contoso.sign_in().fields["code"]
    contoso.microsoft.advance(seconds)
    reply = contoso.redeem(code)
    assert reply.status == status
    if status == 400:
        assert reply.refusal == (400, "invalid_grant", 70008)


def test_a_spent_code_stays_refused_after_its_ten_minutes(contoso):
    spent = contoso.sign_in().fields["code"]
    contoso.redeem(spent)
    contoso.microsoft.advance(700)
    contoso.granted()
    assert contoso.redeem(spent).refusal == (400, "invalid_grant", 70008)


def test_a_code_is_redeemed_with_the_redirect_uri_it_was_made_for(contoso):
    reply = contoso.redeem(contoso.sign_in().fields["code"], redirect_uri="http://localhost:8000/elsewhere/")
    assert reply.body["error_codes"] == [500112]


@pytest.mark.parametrize("verifier", ["wrong" * 10, "", None])
def test_a_code_needs_the_verifier_of_its_challenge(contoso, verifier):
    right = "right" * 10
    code = contoso.sign_in(code_challenge=s256(right), code_challenge_method="S256").fields["code"]
    assert contoso.redeem(code, code_verifier=verifier).refusal == (400, "invalid_grant", 501481)
    assert contoso.redeem(code, code_verifier=right).status == 200


def test_a_code_belongs_to_its_app(contoso):
    code = contoso.sign_in().fields["code"]
    other = contoso.microsoft.add_app(contoso.directory, redirect_uris=[REDIRECT])["client_id"]
    secret = contoso.microsoft.add_secret(other)["value"]
    assert contoso.redeem(code, client_id=other, client_secret=secret).refusal == (400, "invalid_grant", 70000)


# -- what a person's tokens say


def test_the_id_token_says_what_entras_says(contoso):
    claims = claims_of(contoso.granted(nonce="the nonce")["id_token"])
    assert claims.keys() == {
        *("aud", "iss", "iat", "nbf", "exp", "aio", "name", "nonce", "oid", "preferred_username"),
        *("rh", "sub", "tid", "uti", "ver"),
    }
    assert (claims["aud"], claims["tid"], claims["ver"]) == (contoso.client_id, contoso.directory, "2.0")
    assert (claims["exp"] - claims["iat"], claims["nbf"] - claims["iat"]) == (3900, 0)
    assert claims["nonce"] == "the nonce"
    assert len(claims["sub"]) == 43


@pytest.mark.parametrize(
    ("scope", "there", "absent"),
    [("openid", "sub", "oid"), ("openid profile", "oid", "email"), ("openid email", "email", "oid")],
)
def test_claims_follow_the_scopes_asked_for(contoso, scope, there, absent):
    claims = claims_of(contoso.granted(scope=scope)["id_token"])
    assert there in claims
    assert absent not in claims


@pytest.mark.parametrize(("left_out", "key"), [("openid", "id_token"), ("offline_access", "refresh_token")])
def test_a_token_not_asked_for_is_not_given(contoso, left_out, key):
    scope = f"openid profile offline_access {contoso.host}/Mail.Read"
    assert key in contoso.granted(scope=scope)
    assert key not in contoso.granted(scope=scope.replace(left_out, ""))


def test_client_info_comes_only_when_asked_for(contoso):
    tokens = contoso.granted()
    asked = contoso.refresh(tokens["refresh_token"], client_info="1").body
    assert "client_info" not in tokens
    assert base64.urlsafe_b64decode(asked["client_info"] + "==").decode() == (
        f'{{"uid":"{contoso.oid}","utid":"{contoso.directory}"}}'
    )


# -- refresh tokens


def test_a_malformed_refresh_token_is_refused_before_the_secret_is_looked_at(contoso):
    reply = contoso.refresh("no-token-of-ours", client_secret="not-the-secret")
    assert reply.refusal == (400, "invalid_grant", 9002313)


def test_a_code_is_no_refresh_token(contoso):
    assert contoso.refresh(contoso.sign_in().fields["code"]).refusal == (400, "invalid_grant", 9002313)


def test_a_new_secret_does_not_kill_a_refresh_token(contoso):
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.remove_secret(contoso.client_id, contoso.key_id)
    contoso.secret = contoso.microsoft.add_secret(contoso.client_id)["value"]
    assert contoso.refresh(token).status == 200


def test_an_idle_refresh_token_dies_after_90_days_and_a_used_one_lives_on(contoso):
    idle = contoso.granted()["refresh_token"]
    contoso.microsoft.advance(60 * DAY)
    used = contoso.refresh(idle).body["refresh_token"]
    contoso.microsoft.advance(60 * DAY)
    assert contoso.refresh(used).status == 200
    reply = contoso.refresh(idle)
    assert reply.refusal == (400, "invalid_grant", 700082)
    assert "was inactive for 90.00:00:00" in reply.body["error_description"]


def test_revoked_sessions_kill_older_tokens_and_codes_only(contoso):
    token, code = contoso.granted()["refresh_token"], contoso.sign_in().fields["code"]
    contoso.microsoft.revoke_sessions(contoso.oid)
    reply = contoso.refresh(token)
    assert reply.refusal == (400, "invalid_grant", 50173)
    assert reply.body["suberror"] == "bad_token"
    assert contoso.redeem(code).refusal == (400, "invalid_grant", 50173)
    assert contoso.refresh(contoso.granted()["refresh_token"]).status == 200


def test_withdrawn_consent_is_missed_until_it_is_given_again(contoso):
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.withdraw_consent(contoso.client_id, contoso.oid)
    reply = contoso.refresh(token)
    assert reply.refusal == (400, "invalid_grant", 65001)
    assert reply.body["suberror"] == "consent_required"
    contoso.sign_in()
    assert contoso.refresh(token).status == 200


def test_a_permission_never_granted_is_refused_in_a_refresh(contoso):
    token = contoso.granted()["refresh_token"]
    assert contoso.refresh(token, scope=f"{contoso.host}/Mail.Send").refusal == (400, "invalid_grant", 65001)


def test_a_disabled_person_gets_no_token_until_enabled_again(contoso):
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.disable_person(contoso.oid)
    assert contoso.refresh(token).refusal == (400, "invalid_grant", 50057)
    contoso.microsoft.enable_person(contoso.oid)
    assert contoso.refresh(token).status == 200


def test_a_refresh_token_belongs_to_its_app(contoso):
    token = contoso.granted()["refresh_token"]
    other = contoso.microsoft.add_app(contoso.directory)["client_id"]
    secret = contoso.microsoft.add_secret(other)["value"]
    assert contoso.refresh(token, client_id=other, client_secret=secret).refusal == (400, "invalid_grant", 70000)


def test_a_refresh_token_of_a_world_that_is_gone_is_refused(contoso):
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.reset()
    contoso.directory = contoso.microsoft.add_directory("Contoso", "contoso.example")["id"]
    contoso.microsoft.add_app(contoso.directory, client_id=contoso.client_id)
    contoso.secret = contoso.microsoft.add_secret(contoso.client_id)["value"]
    assert contoso.refresh(token).refusal == (400, "invalid_grant", 50034)


# -- the log


def test_each_token_request_is_noted_without_its_secrets(contoso):
    token = contoso.granted()["refresh_token"]
    contoso.refresh(token, client_secret="not-the-secret")
    redeemed, refused = contoso.microsoft.token_requests()
    assert (redeemed["grant_type"], redeemed["status"]) == ("authorization_code", 200)
    assert (refused["client_id"], refused["directory"], refused["oid"]) == (
        contoso.client_id,
        contoso.directory,
        contoso.oid,
    )
    assert (refused["status"], refused["codes"]) == (401, [7000215])
    assert token not in str(contoso.microsoft.token_requests())
