"""What a browser carries back from Microsoft, and what the client makes of it, through the real MSAL."""

import uuid

import pytest
from django.http import QueryDict

from oauth.errors import AnswerRejected, EntraRefused, EntraUnreachable

from .contoso import GRANTED, Contoso


@pytest.fixture
def contoso(microsoft, cloud):
    return Contoso(microsoft, cloud)


def reason_of(contoso, flow, answer):
    with pytest.raises(AnswerRejected) as caught:
        contoso.client.redeem(flow, answer)
    return caught.value.reason


@pytest.mark.parametrize("state", ["", "foreign", "\ud800", "é"])
def test_an_answer_to_another_sign_in_is_not_redeemed(contoso, state):
    flow = contoso.begin()
    assert reason_of(contoso, flow, contoso.answer(flow) | {"state": state}) == "state"
    assert contoso.asked_for("authorization_code") == []


def test_what_anybody_could_add_is_not_looked_at(contoso):
    flow = contoso.begin()
    forged = {"client_info": "NQ", "admin_consent": "True", "tenant": str(uuid.uuid4()), "scope": "x", "id_token": "x"}
    grant = contoso.client.redeem(flow, contoso.answer(flow) | forged)
    assert grant.identity.tid == contoso.directory


@pytest.mark.parametrize("client_info", ["NQ", "bnVsbA", "e30", "\r\nX: y", "not base64!"])
def test_msal_is_not_handed_the_browsers_client_info(contoso, client_info):
    flow = contoso.begin()
    assert contoso.client.redeem(flow, contoso.answer(flow) | {"client_info": client_info}).scopes == GRANTED


def test_a_django_form_may_be_handed_in_as_it_is(contoso):
    flow = contoso.begin()
    form = QueryDict(mutable=True)
    form.update(contoso.answer(flow))
    assert contoso.client.redeem(flow, form).scopes == GRANTED


@pytest.mark.parametrize("name", ["code", "state", "error", "iss"])
def test_a_field_given_twice_is_refused(contoso, name):
    flow = contoso.begin()
    form = QueryDict(mutable=True)
    form.update(contoso.answer(flow))
    form.setlist(name, ["x", "x"])
    assert reason_of(contoso, flow, form) == "malformed"


@pytest.mark.parametrize(
    "change", [{"code": "x" * 20_001}, {"state": "x" * 501}, {"error_description": "x" * 100_000}, {"code": ["x"]}]
)
def test_a_field_that_cannot_be_real_is_refused(contoso, change):
    flow = contoso.begin()
    assert reason_of(contoso, flow, contoso.answer(flow) | change) == "malformed"
    assert contoso.asked_for("authorization_code") == []


@pytest.mark.parametrize("code", ["", " ", "a b", "\ud800", "\r\n"])
def test_neither_code_nor_error_is_no_answer(contoso, code):
    flow = contoso.begin()
    assert reason_of(contoso, flow, {"state": flow["state"], "code": code}) == "code"


def test_a_flow_that_is_not_whole_is_not_microsofts_fault_but_no_crash(contoso, caplog):
    flow = contoso.begin()
    answer = contoso.answer(flow)
    del flow["code_verifier"]
    with pytest.raises(EntraUnreachable):
        contoso.client.redeem(flow, answer)
    assert "KeyError" in caplog.text
    assert contoso.asked_for("authorization_code") == []


def test_an_error_beside_a_code_counts(contoso):
    flow = contoso.begin()
    with pytest.raises(EntraRefused):
        contoso.client.redeem(flow, contoso.answer(flow) | {"error": "access_denied"})
    assert contoso.asked_for("authorization_code") == []


def test_a_foreign_issuer_is_refused_before_the_code_is_sent(contoso):
    flow = contoso.begin()
    answer = contoso.answer(flow)
    assert reason_of(contoso, flow, answer | {"iss": "https://evil.example/v2.0"}) == "iss"
    assert contoso.asked_for("authorization_code") == []
    right = contoso.cloud.issuer(contoso.directory)
    assert contoso.client.redeem(flow, answer | {"iss": right}).scopes == GRANTED


def test_an_error_of_a_foreign_issuer_is_not_heard(contoso):
    flow = contoso.begin()
    declined = contoso.answer(flow, "decline")
    assert reason_of(contoso, flow, declined | {"iss": "https://evil.example/v2.0"}) == "iss"


def test_a_person_who_declines_is_heard(contoso):
    flow = contoso.begin()
    with pytest.raises(EntraRefused) as caught:
        contoso.client.redeem(flow, contoso.answer(flow, "decline"))
    assert (caught.value.fault.kind, caught.value.codes, caught.value.suberror) == ("user_declined", (65004,), "cancel")
    assert uuid.UUID(caught.value.trace_id)


def test_a_bare_cancel_points_to_the_administrator(contoso):
    contoso.microsoft.users_may_consent(contoso.directory, False)
    flow = contoso.begin()
    with pytest.raises(EntraRefused) as caught:
        contoso.client.redeem(flow, contoso.answer(flow, "cancel"))
    assert (caught.value.fault.kind, caught.value.fault.actor) == ("cancelled", "tenant_admin")


def test_an_error_of_the_service_on_the_way_back_can_be_tried_again(contoso):
    flow = contoso.begin()
    with pytest.raises(EntraUnreachable):
        contoso.client.redeem(flow, {"state": flow["state"], "error": "temporarily_unavailable"})


def test_what_microsoft_writes_is_not_repeated(contoso):
    flow = contoso.begin()
    text = "AADSTS99999: <script>alert(1)</script>"
    with pytest.raises(EntraRefused) as caught:
        contoso.client.redeem(flow, {"state": flow["state"], "error": "<b>x</b>", "error_description": text})
    assert (caught.value.error, caught.value.codes, caught.value.fault.kind) == ("", (99999,), "unknown_refusal")
    assert "script" not in f"{caught.value} {vars(caught.value)}"


def test_a_code_works_once(contoso):
    flow = contoso.begin()
    answer = contoso.answer(flow)
    contoso.client.redeem(flow, answer)
    with pytest.raises(EntraRefused) as caught:
        contoso.client.redeem(flow, answer)
    assert caught.value.fault.kind == "code_reused"


def test_a_code_that_came_too_late_is_no_verdict_on_a_grant(contoso):
    flow = contoso.begin()
    answer = contoso.answer(flow)
    contoso.microsoft.set_fault(70008)
    with pytest.raises(EntraRefused) as caught:
        contoso.client.redeem(flow, answer)
    assert (caught.value.fault.kind, caught.value.fault.verdict) == ("grant_expired", "")


def test_another_sign_ins_verifier_does_not_redeem_a_code(contoso):
    flow, other = contoso.begin(), contoso.begin()
    answer = contoso.answer(flow)
    with pytest.raises(EntraRefused):
        contoso.client.redeem(flow | {"code_verifier": other["code_verifier"]}, answer)


def test_another_sign_ins_nonce_is_refused(contoso):
    flow, other = contoso.begin(), contoso.begin()
    assert reason_of(contoso, flow | {"nonce": other["nonce"]}, contoso.answer(flow)) == "nonce"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"missing": True}, "missing"),
        ({"change": {"aud": str(uuid.uuid4())}}, "aud"),
        ({"change": {"iss": "https://evil.example/v2.0"}}, "iss"),
        ({"change": {"tid": str(uuid.uuid4())}}, "wrong_directory"),
        ({"remove": ["tid"]}, "tid"),
        ({"remove": ["oid"]}, "oid"),
        ({"remove": ["sub"]}, "sub"),
        ({"change": {"exp": 1}}, "exp"),
        ({"change": {"nbf": 4_000_000_000}}, "nbf"),
        ({"change": {"iat": 4_000_000_000}}, "iat"),
        ({"remove": ["nonce"]}, "nonce"),
        ({"change": {"nonce": "x"}}, "nonce"),
    ],
)
def test_an_id_token_that_is_not_right_spoils_the_grant(contoso, wrong, reason):
    flow = contoso.begin()
    contoso.microsoft.set_fault("id_token", **wrong)
    assert reason_of(contoso, flow, contoso.answer(flow)) == reason


def test_a_refresh_for_somebody_elses_application_is_refused(contoso):
    grant = contoso.grant()
    contoso.microsoft.set_fault("id_token", change={"aud": str(uuid.uuid4())})
    with pytest.raises(AnswerRejected):
        contoso.client.refresh(grant.refresh_token, contoso.scopes)


def test_a_refresh_that_names_nobody_is_still_one(contoso):
    grant = contoso.grant()
    contoso.microsoft.set_fault("id_token", missing=True)
    assert contoso.client.refresh(grant.refresh_token, contoso.scopes).identity is None
