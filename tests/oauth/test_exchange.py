"""What the client makes of a token endpoint and a discovery document that lie, through the real MSAL."""

import base64
import json
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from oauth.entra import EntraClient
from oauth.errors import AnswerRejected, EntraError, EntraRefused, EntraUnreachable
from oauth.exchange import Exchange
from oauth.http import HttpClient
from tenants.clouds import Cloud

from .tls_server import reply, tls_server

REDIRECT_URI = "https://app.example/oauth/callback/liar/"
TID, OID, CLIENT = (str(uuid.uuid4()) for _ in range(3))


class Liar:
    """A cloud whose discovery and token endpoint answer what a test says."""

    def __init__(self, server):
        self.server = server
        host = server.host
        self.cloud = Cloud(key="liar", name="Liar", login_host=host, graph_host=host, ca_file=server.ca_file)
        self.document = {
            "issuer": f"https://{host}/{{tenantid}}/v2.0",
            "authorization_endpoint": f"https://{host}/authorize",
            "token_endpoint": f"https://{host}/{TID}/token",
        }
        self.discovery = None
        self.token = reply(200, {})
        server.answer = self.answer
        self.client = EntraClient(self.cloud, TID, CLIENT, "visibly-fake-secret", HttpClient(self.cloud, read=2))

    def answer(self, request):
        if request.method == "GET":
            return self.discovery or reply(200, self.document)
        return self.token

    def posts(self):
        return [request for request in self.server.requests if request.method == "POST"]

    def refresh(self):
        return self.client.refresh("old-token", ["https://graph.example/Mail.Read", "email"])

    def id_token(self, **changes):
        now = int(time.time())
        claims = {"aud": CLIENT, "iss": self.cloud.issuer(TID), "tid": TID, "oid": OID, "sub": "s"}
        parts = [{"alg": "RS256"}, claims | {"iat": now, "exp": now + 60} | changes]
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join([*encoded, "signature"])


@pytest.fixture
def liar(tmp_path):
    with tls_server(tmp_path) as server:
        yield Liar(server)


def test_a_provider_may_leave_out_what_entra_adds(liar):
    liar.token = reply(200, {"access_token": "x"})
    grant = liar.refresh()
    assert (grant.refresh_token, grant.scopes, grant.identity) == ("old-token", ("Mail.Read",), None)


def test_a_provider_may_answer_with_names_and_numbers_of_its_own(liar):
    scope = (
        f"Mail.Read https://{liar.server.host}//User.Read OPENID .default offline_access api://x/Mail.Read bad\x00name"
    )
    body = {"access_token": "x", "refresh_token": "new", "scope": scope, "expires_in": "3599"}
    liar.token = reply(200, body | {"id_token": liar.id_token()})
    grant = liar.refresh()
    assert (grant.refresh_token, grant.scopes) == ("new", ("Mail.Read", "User.Read"))
    assert (grant.identity.tid, grant.identity.oid) == (TID, OID)


@pytest.mark.parametrize("rotated", ["", None, 7, ["x"], "line\nbreak", "nul\x00", "é"])
def test_nothing_but_a_token_takes_the_old_ones_place(liar, rotated):
    liar.token = reply(200, {"access_token": "x", "refresh_token": rotated})
    assert liar.refresh().refresh_token == "old-token"


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "7", '"x"', "[]", "{}", "{", "[" * 100_000, "<html>",
        {"access_token": ""}, {"access_token": 7}, {"access_token": "x\ny"}, {"token_type": "Bearer"},
    ],
)  # fmt: skip
def test_without_an_access_token_nothing_is_well(liar, body):
    liar.token = reply(200, body)
    for ask in (liar.refresh, liar.client.app_token):
        with pytest.raises(EntraUnreachable):
            ask()


@pytest.mark.parametrize(
    "odd",
    [
        {"scope": 5},
        {"scope": ["x"]},
        {"refresh_in": "soon"},
        {"refresh_in": float("inf")},
        {"client_info": "NQ"},
        {"expires_in": None},
        {"expires_in": -5},
        {"expires_in": 10**30},
        {"foci": 7},
    ],
)
def test_an_odd_field_does_not_upset_the_reading(liar, odd):
    liar.token = reply(200, {"access_token": "x"} | odd)
    assert liar.refresh().scopes == ("Mail.Read",)
    assert liar.client.app_token().expires_at <= timezone.now() + timedelta(days=1)


@pytest.mark.parametrize(
    "id_token", [7, ["x"], {"x": 1}, "garbage", "a.b.c", "..", "e30.e30.", "e30.bnVsbA.x", "e30.NQ.x"]
)
def test_an_id_token_msal_trips_over_is_refused_in_our_words(liar, id_token):
    liar.token = reply(200, {"access_token": "x", "refresh_token": "new", "id_token": id_token})
    with pytest.raises(AnswerRejected):
        liar.refresh()
    flow = liar.client.begin(scopes=["email"], redirect_uri=REDIRECT_URI)
    with pytest.raises(AnswerRejected):
        liar.client.redeem(flow, {"code": "c", "state": flow["state"]})


def test_a_grant_without_lasting_access_is_refused(liar):
    flow = liar.client.begin(scopes=["email"], redirect_uri=REDIRECT_URI)
    liar.token = reply(200, {"access_token": "x", "id_token": liar.id_token()})
    with pytest.raises(AnswerRejected) as caught:
        liar.client.redeem(flow, {"code": "c", "state": flow["state"]})
    assert caught.value.reason == "refresh_token"


def test_an_issuer_of_ones_own_is_learnt_from_discovery(liar):
    liar.document["issuer"] = "https://issuer.example/fixed"
    body = {"access_token": "x", "refresh_token": "new"}
    liar.token = reply(200, body | {"id_token": liar.id_token(iss="https://issuer.example/fixed")})
    assert liar.refresh().identity.tid == TID
    liar.token = reply(200, body | {"id_token": liar.id_token()})
    with pytest.raises(AnswerRejected) as caught:
        liar.refresh()
    assert caught.value.reason == "iss"


@pytest.mark.parametrize(
    ("iss", "fits"),
    [
        (f"https://HOST/{uuid.uuid4()}/v2.0", True),
        ("https://HOST/{tenantid}/v2.0", True),
        ("https://HOST/contoso/v2.0", False),
        (f"https://HOST/{uuid.uuid4()}/v2.0/", False),
        (f"https://HOST/{uuid.uuid4()}/v2.0\n", False),
    ],
    ids=["any directory", "the template", "no directory", "more behind", "a line break behind"],
)
def test_the_answers_own_issuer_must_be_one_of_the_clouds(liar, iss, fits):
    flow = liar.client.begin(scopes=["email"], redirect_uri=REDIRECT_URI)
    answer = {"code": "c", "state": flow["state"], "iss": iss.replace("HOST", liar.server.host)}
    with pytest.raises(EntraUnreachable if fits else AnswerRejected):
        liar.client.redeem(flow, answer)
    assert bool(liar.posts()) == fits


@pytest.mark.parametrize(
    "body",
    [
        {"error": 7}, {"error": ""}, {"error": None}, {"error_codes": [50173]}, {}, "[]", "gone",
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_no_that_gives_no_error_is_no_verdict(liar, status, body):
    liar.token = reply(status, body)
    with pytest.raises(EntraUnreachable):
        liar.refresh()


@pytest.mark.parametrize(
    ("codes", "read"),
    [
        ([50173], (50173,)),
        (["50173", True, None, -1, 10**20, 50057], (50057,)),
        ("50173", (65001,)),
        ([], (65001,)),
        (list(range(1, 100)), tuple(range(1, 11))),
    ],
)
def test_numbers_are_read_with_care(liar, codes, read):
    body = {"error": "invalid_grant", "error_codes": codes, "error_description": "AADSTS65001: no consent."}
    liar.token = reply(400, body)
    with pytest.raises(EntraRefused) as caught:
        liar.refresh()
    assert caught.value.codes == read


def test_an_error_is_one_whatever_the_status_and_whatever_comes_with_it(liar):
    liar.token = reply(200, {"error": "invalid_grant", "error_codes": [50173], "access_token": "x"})
    with pytest.raises(EntraRefused) as caught:
        liar.refresh()
    assert caught.value.fault.verdict == "invalid"


def test_an_id_that_is_none_is_not_kept(liar):
    liar.token = reply(400, {"error": "invalid_grant", "trace_id": "<b>", "correlation_id": 7, "suberror": "<i>"})
    with pytest.raises(EntraRefused) as caught:
        liar.refresh()
    assert (caught.value.trace_id, caught.value.correlation_id, caught.value.suberror) == ("", "", "")


def test_a_loop_keeps_the_pause_microsoft_asks_for(liar):
    liar.token = reply(400, {"error": "invalid_grant", "error_codes": [50196]}, {"Retry-After": "17"})
    with pytest.raises(EntraUnreachable) as caught:
        liar.refresh()
    assert (caught.value.retry_after, caught.value.throttled) == (17, True)


@pytest.mark.parametrize("status", [201, 204, 301, 307, 308])
@pytest.mark.parametrize("body", [{"access_token": "x"}, {"error": "invalid_grant", "error_codes": [50173]}])
def test_a_redirect_is_no_answer_and_takes_no_secret_along(liar, status, body):
    liar.token = reply(status, body, {"Location": f"https://{liar.server.host}/elsewhere"})
    with pytest.raises(EntraUnreachable):
        liar.refresh()
    assert len(liar.posts()) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("body", ["busy", {"error": "invalid_grant", "error_codes": [50173]}])
def test_a_busy_microsoft_says_nothing_of_a_grant(liar, status, body):
    liar.token = liar.discovery = reply(status, body, {"Retry-After": "9"})
    for ask in (liar.refresh, liar.client.app_token):
        with pytest.raises(EntraUnreachable) as caught:
            ask()
        assert (caught.value.retry_after, caught.value.throttled) == (9, status == 429)
        assert caught.value.kind == ("throttled" if status == 429 else "service_unavailable")
        liar.discovery = None  # the same of the token endpoint


@pytest.mark.parametrize(
    "change",
    [
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "http://HOST/token"},
        {"token_endpoint": "https://HOST.evil.example/token"},
        {"token_endpoint": "https://HOST@evil.example/token"},
        {"token_endpoint": "https://HOST"},
        {"token_endpoint": None},
        {"token_endpoint": 7},
        {"authorization_endpoint": "https://evil.example/authorize"},
        {"authorization_endpoint": None},
        {"issuer": None},
        {"issuer": ""},
    ],
)
def test_discovery_cannot_lead_a_secret_or_a_person_elsewhere(liar, change):
    host = liar.server.host
    liar.document |= {name: value and str(value).replace("HOST", host) for name, value in change.items()}
    for ask in (liar.client.app_token, lambda: liar.client.begin(scopes=["email"], redirect_uri=REDIRECT_URI)):
        with pytest.raises(AnswerRejected) as caught:
            ask()
        assert caught.value.reason == "endpoint"
    assert liar.posts() == []


def test_discovery_may_not_send_the_secret_to_graph(liar):
    liar.client = EntraClient(replace(liar.cloud, graph_host="graph.example"), TID, CLIENT, "visibly-fake-secret")
    liar.document["token_endpoint"] = "https://graph.example/token"
    with pytest.raises(AnswerRejected):
        liar.client.app_token()


@pytest.mark.parametrize(
    "discovery",
    [
        reply(404, "not here"), reply(404, {"error": "nothing"}), reply(403, {}), reply(500), reply(200, "<html>"),
        reply(302, {}, {"Location": "/elsewhere"}),
    ],
)  # fmt: skip
def test_a_discovery_that_fails_is_an_outage(liar, discovery):
    liar.discovery = discovery
    with pytest.raises(EntraUnreachable):
        liar.client.app_token()
    assert liar.posts() == []


def test_a_discovery_msal_does_not_take_is_an_outage(liar):
    liar.document["token_endpoint"] = f"https://{liar.server.host}/"
    with pytest.raises(EntraUnreachable):
        liar.client.app_token()


def test_a_secret_reaches_the_token_endpoint_only(liar):
    with suppress(EntraError):
        liar.refresh()
    assert [(r.method, r.path) for r in liar.server.requests if "visibly-fake-secret" in r.body] == [
        ("POST", f"/{TID}/token")
    ]
    assert "old-token" not in "".join(r.path for r in liar.server.requests)


def test_a_body_that_is_no_json_is_not_logged(liar, caplog):
    caplog.set_level(logging.DEBUG)
    liar.token = reply(200, "<html>canary-in-the-body")
    with pytest.raises(EntraUnreachable) as caught:
        liar.refresh()
    assert "canary" not in f"{caplog.text} {caught.value!r}"


def test_what_one_thread_had_made_no_other_takes(liar):
    exchange = Exchange(HttpClient(liar.cloud), liar.cloud)
    exchange.post("https://here.example/mine")
    with ThreadPoolExecutor(1) as other:
        assert other.submit(exchange.take).result() is None
        other.submit(exchange.post, "https://here.example/theirs").result()
    assert exchange.take().url == "https://here.example/mine"
    assert exchange.take() is None
