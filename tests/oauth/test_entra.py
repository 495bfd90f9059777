"""The client against the sandbox, through the real MSAL."""

import json
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import trustme
from django.utils import timezone

from oauth.entra import EntraClient
from oauth.errors import EntraError, EntraRefused, EntraUnreachable
from oauth.http import HttpClient
from tenants.clouds import BUILT_IN
from tenants.scopes import request_scopes

from .contoso import GRANTED, REDIRECT_URI, Contoso


@pytest.fixture
def contoso(microsoft, cloud):
    return Contoso(microsoft, cloud)


# -- what goes well


def test_a_consent_gives_a_grant_and_says_whose_it_is(contoso):
    grant = contoso.grant()
    assert grant.scopes == GRANTED
    assert (grant.identity.tid, grant.identity.oid) == (contoso.directory, contoso.person["oid"])
    assert (grant.identity.address, grant.identity.name) == ("ada@contoso.example", "Ada Example")


def test_a_refresh_gives_the_token_that_comes_next(contoso):
    first = contoso.grant()
    second = contoso.client.refresh(first.refresh_token, contoso.scopes)
    assert second.refresh_token not in ("", first.refresh_token)
    assert second.scopes == GRANTED
    assert second.identity == first.identity
    assert contoso.client.refresh(first.refresh_token, contoso.scopes).scopes == GRANTED


def test_an_app_token_is_for_graph_and_soon_over(contoso):
    token = contoso.client.app_token()
    assert token.value
    assert timedelta(minutes=50) < token.expires_at - timezone.now() < timedelta(minutes=61)


def test_every_verdict_is_asked_for_anew(contoso):
    grant = contoso.grant()
    for _ in range(3):
        contoso.client.app_token()
        contoso.client.refresh(grant.refresh_token, contoso.scopes)
    assert len(contoso.asked_for("client_credentials")) == 3
    assert len(contoso.asked_for("refresh_token")) == 3


def test_one_client_asked_by_many_threads_mixes_nothing_up(contoso):
    people = [contoso.person, *(contoso.microsoft.add_person(contoso.directory, f"P{n}", f"p{n}@x") for n in range(7))]
    tokens = {}
    for contoso.person in people:
        tokens[contoso.person["oid"]] = contoso.grant().refresh_token
    client = contoso.client_with()

    def whose(token):
        return client.refresh(token, contoso.scopes).identity.oid

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(whose, tokens.values())) == list(tokens)
        assert list(threads.map(whose, tokens.values())) == list(tokens)


def test_a_secret_that_just_died_is_seen_at_once(contoso):
    contoso.client.app_token()
    contoso.microsoft.expire_secret(contoso.app, contoso.secret["key_id"])
    for _ in range(2):
        with pytest.raises(EntraRefused) as caught:
            contoso.client.app_token()
        assert (caught.value.fault.kind, caught.value.codes) == ("secret_expired", (7000222,))
    assert len(contoso.asked_for("client_credentials")) == 3


def test_a_refusal_carries_what_support_asks_for(contoso):
    contoso.microsoft.remove_secret(contoso.app, contoso.secret["key_id"])
    with pytest.raises(EntraRefused) as caught:
        contoso.client.app_token()
    refused = caught.value
    assert (refused.error, refused.codes, refused.fault.kind) == ("invalid_client", (7000215,), "secret_invalid")
    assert uuid.UUID(refused.trace_id)
    assert uuid.UUID(refused.correlation_id)
    assert str(refused) == refused.fault.what


# -- the way to Microsoft


def test_the_way_to_microsoft_is_a_code_flow_with_pkce(contoso):
    flow = contoso.begin()
    assert flow["auth_uri"].startswith(contoso.cloud.sign_in_origin + "/")
    query = dict(parse_qsl(urlsplit(flow["auth_uri"]).query))
    assert (query["response_type"], query["response_mode"]) == ("code", "form_post")
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == REDIRECT_URI
    assert (query["prompt"], query["state"]) == ("select_account", flow["state"])
    assert {*contoso.scopes, "openid", "profile", "offline_access"} == set(query["scope"].split())
    assert flow["code_verifier"] not in flow["auth_uri"]
    assert flow["nonce"] not in flow["auth_uri"]
    assert json.loads(json.dumps(flow)) == flow


def test_a_known_account_is_not_asked_which_it_is(contoso):
    query = parse_qs(urlsplit(contoso.begin(login_hint="ada@contoso.example")["auth_uri"]).query)
    assert query["login_hint"] == ["ada@contoso.example"]
    assert "prompt" not in query


def test_no_two_starts_are_alike(contoso):
    flows = [contoso.begin() for _ in range(30)]
    for name in ("state", "nonce", "code_verifier"):
        assert len({flow[name] for flow in flows}) == 30


@pytest.mark.parametrize("cloud", BUILT_IN, ids=lambda cloud: cloud.key)
def test_a_built_in_cloud_needs_no_network_to_begin(cloud):
    client = EntraClient(cloud, "contoso.example", str(uuid.uuid4()), "x")
    flow = client.begin(scopes=request_scopes(["Mail.ReadOnly"], cloud), redirect_uri=REDIRECT_URI)
    assert flow["auth_uri"].startswith(f"https://{cloud.login_host}/contoso.example/oauth2/v2.0/authorize?")


# -- what goes wrong at Microsoft


@pytest.mark.parametrize(
    ("number", "kind", "verdict"),
    [
        (50173, "grant_revoked", "dead"),
        (700082, "grant_expired", "dead"),
        (70043, "grant_expired", "dead"),
        (50057, "account_disabled", "invalid"),
        (53003, "conditional_access", "invalid"),
        (50076, "mfa_required", "invalid"),
        (65001, "consent_missing", "invalid"),
        (7000222, "secret_expired", ""),
        (7000215, "secret_invalid", ""),
        (700016, "app_not_found", ""),
    ],
)
def test_a_refused_refresh_says_what_became_of_the_grant(contoso, number, kind, verdict):
    grant = contoso.grant()
    contoso.microsoft.set_fault(number)
    with pytest.raises(EntraRefused) as caught:
        contoso.client.refresh(grant.refresh_token, contoso.scopes)
    assert (caught.value.fault.kind, caught.value.fault.verdict) == (kind, verdict)
    assert number in caught.value.codes


def test_a_loop_is_a_pause_though_it_comes_as_a_lost_grant(contoso):
    grant = contoso.grant()
    contoso.microsoft.set_fault(50196)
    with pytest.raises(EntraUnreachable) as caught:
        contoso.client.refresh(grant.refresh_token, contoso.scopes)
    assert caught.value.throttled


@pytest.mark.parametrize("word", ["down", "throttled", "html", "empty", "garbage", "drop"])
def test_what_is_no_answer_is_no_verdict(contoso, word):
    grant, flow = contoso.grant(), contoso.begin()
    answer = contoso.answer(flow)
    contoso.microsoft.set_fault(word)
    for ask in (
        contoso.client.app_token,
        lambda: contoso.client.refresh(grant.refresh_token, contoso.scopes),
        lambda: contoso.client.redeem(flow, answer),
    ):
        with pytest.raises(EntraUnreachable) as caught:
            ask()
        assert caught.value.throttled == (word == "throttled")
        assert caught.value.retry_after == (60 if word == "throttled" else None)


def test_a_microsoft_that_thinks_too_long_is_not_waited_for(contoso):
    contoso.client.app_token()
    contoso.microsoft.set_fault("slow", seconds=1)
    client = contoso.client_with(http=HttpClient(contoso.cloud, read=0.2))
    with pytest.raises(EntraUnreachable, match="did not answer in time"):
        client.app_token()


def test_a_microsoft_that_recovers_is_believed_at_once(contoso):
    contoso.microsoft.set_fault("throttled")
    with pytest.raises(EntraUnreachable):
        contoso.client.app_token()
    contoso.microsoft.clear_faults()
    assert contoso.client.app_token().value


def test_a_certificate_of_another_authority_ends_it(contoso, tmp_path):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    stranger = replace(contoso.cloud, ca_file=str(tmp_path / "other.pem"))
    with pytest.raises(EntraUnreachable, match="certificate"):
        EntraClient(stranger, contoso.directory, contoso.app, contoso.secret["value"]).app_token()
    assert contoso.microsoft.token_requests() == []


def test_an_unknown_directory_is_told_apart_from_an_outage(contoso):
    with pytest.raises(EntraRefused) as caught:
        contoso.client_with(directory=str(uuid.uuid4())).app_token()
    assert caught.value.fault.kind == "tenant_not_found"
    contoso.microsoft.set_fault("down", grant_type="discovery")
    with pytest.raises(EntraUnreachable):
        contoso.client_with(directory="fabrikam.example").app_token()


@pytest.mark.parametrize(
    "directory",
    [
        "",
        "adfs",
        "dstsv2",
        "b2c_1_x",
        "contoso",
        "..",
        "a/../b.example",
        "t@evil.example",
        "evil.example:443",
        "a%2Fb.example",
        "contoso.example/",
        "contoso.example?x=1",
        "contoso.example#x",
        "contoso.example\n",
        " contoso.example",
        "-a.example",
        "127.0.0.1",
        "[::1]",
        "a" * 64 + ".example",
        "\\evil.example",
        "kontoso.exämple",
    ],
)
def test_what_is_no_directory_is_never_part_of_an_address(contoso, directory):
    client = contoso.client_with(directory=directory)
    for ask in (client.app_token, lambda: client.begin(scopes=["x"], redirect_uri=REDIRECT_URI)):
        with pytest.raises(EntraRefused) as caught:
            ask()
        assert caught.value.fault.kind == "tenant_not_found"
    assert contoso.microsoft.token_requests() == []


@pytest.mark.parametrize("directory", ["common", "organizations", "consumers", "Organizations"])
def test_an_application_signs_in_to_one_directory(contoso, directory):
    with pytest.raises(EntraRefused) as caught:
        contoso.client_with(directory=directory).app_token()
    assert caught.value.fault.kind == "authority_mismatch"


def test_the_environment_names_no_other_host(contoso, monkeypatch):
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    assert contoso.client.app_token().value


# -- secrets


def test_secrets_stay_out_of_every_repr(contoso):
    grant, token = contoso.grant(), contoso.client.app_token()
    shown = f"{grant!r} {token!r} {contoso.client!r} {grant} {token}"
    for secret in (grant.refresh_token, token.value, contoso.secret["value"]):
        assert secret not in shown


@pytest.mark.parametrize("word", [50173, 7000215, "down", "throttled", "html", "empty", "garbage", "drop"])
def test_secrets_stay_out_of_logs_and_exceptions(contoso, caplog, word):
    for name in ("", "django", "oauth"):
        caplog.set_level(logging.DEBUG, logger=name)
    grant, flow = contoso.grant(), contoso.begin()
    answer = contoso.answer(flow)
    contoso.microsoft.set_fault(word)
    told = []
    for ask in (
        contoso.client.app_token,
        lambda: contoso.client.refresh(grant.refresh_token, contoso.scopes),
        lambda: contoso.client.redeem(flow, answer),
        lambda: contoso.client.redeem(flow, answer | {"state": "x"}),
    ):
        with pytest.raises(EntraError) as caught:
            ask()
        told.append(f"{caught.value!r} {caught.value.args} {vars(caught.value)} {caught.value.__context__!r}")
    said = " ".join([caplog.text, *told])
    secrets = (
        contoso.secret["value"], grant.refresh_token, answer["code"],
        flow["state"], flow["nonce"], flow["code_verifier"],
    )  # fmt: skip
    assert [secret for secret in secrets if secret in said] == []


def test_nobody_listens_to_msal_or_to_urllib3s_details(caplog):
    caplog.set_level(logging.DEBUG)
    assert logging.getLogger("msal.oauth2cli.oauth2").getEffectiveLevel() >= logging.WARNING
    assert logging.getLogger("urllib3.connectionpool").getEffectiveLevel() >= logging.WARNING
