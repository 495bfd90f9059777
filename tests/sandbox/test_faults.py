import time

import pytest
import urllib3

from sandbox.refusals import NEVER_REDIRECTED
from tests.microsoft import Refused, Stopped
from tests.sandbox.conftest import claims_of


@pytest.mark.parametrize(
    ("number", "refusal"),
    [
        (7000215, (401, "invalid_client", 7000215)),
        (50076, (400, "invalid_grant", 50076)),
        (50196, (400, "invalid_grant", 50196)),
        (700016, (400, "unauthorized_client", 700016)),
        (90033, (503, "temporarily_unavailable", 90033)),
        (90055, (429, "temporarily_unavailable", 90055)),
        (650057, (400, "invalid_resource", 650057)),
        (99999999, (400, "invalid_grant", 99999999)),
    ],
)
def test_any_number_can_be_had(contoso, number, refusal):
    contoso.microsoft.set_fault(number)
    reply = contoso.app_token()
    assert reply.refusal == refusal
    assert reply.body["error_description"].startswith(f"AADSTS{number}: ")


def test_a_conditional_access_refusal_carries_its_claims(contoso):
    contoso.microsoft.set_fault(53003)
    body = contoso.app_token().body
    assert body["suberror"] == "message_only"
    assert "capolids" in body["claims"]


def test_down_and_throttled_have_their_status(contoso):
    contoso.microsoft.set_fault("down")
    assert contoso.app_token().status == 503
    contoso.microsoft.clear_faults()
    contoso.microsoft.set_fault("throttled")
    reply = contoso.app_token()
    assert (reply.status, reply.headers["Retry-After"]) == (429, "60")


@pytest.mark.parametrize(("word", "text"), [("html", "<!doctype html>"), ("empty", "{}"), ("garbage", '{"token_type"')])
def test_an_answer_can_be_something_else_than_json_of_a_token(contoso, word, text):
    contoso.microsoft.set_fault(word)
    reply = contoso.app_token()
    assert (reply.status, reply.text[: len(text)]) == (200, text)


def test_the_line_can_be_closed_without_an_answer(contoso):
    contoso.microsoft.set_fault("drop")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        contoso.app_token()


def test_an_answer_can_be_slow(contoso):
    contoso.microsoft.set_fault("slow", seconds=0.4)
    began = time.monotonic()
    assert contoso.app_token().status == 200
    assert time.monotonic() - began > 0.35


def test_a_slow_answer_does_not_hold_others_up(contoso):
    contoso.microsoft.set_fault("slow", seconds=5, grant_type="refresh_token")
    began = time.monotonic()
    contoso.app_token()
    assert time.monotonic() - began < 2


def test_a_fault_strikes_only_whom_it_is_for(contoso):
    microsoft = contoso.microsoft
    token = contoso.granted()["refresh_token"]
    other = microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    for miss in (
        {"client_id": microsoft.add_app(contoso.directory)["client_id"]},
        {"oid": microsoft.add_person(contoso.directory, "Grady Archie", "grady@contoso.example")["oid"]},
        {"directory": other},
        {"grant_type": "client_credentials"},
    ):
        microsoft.set_fault("down", **miss)
        assert contoso.refresh(token).status == 200, miss
        microsoft.clear_faults()
    microsoft.set_fault(
        50173, client_id=contoso.client_id, oid=contoso.oid, directory=contoso.directory, grant_type="refresh_token"
    )
    assert contoso.refresh(token).refusal == (400, "invalid_grant", 50173)
    assert contoso.app_token().status == 200


def test_a_fault_can_strike_so_many_times(contoso):
    contoso.microsoft.set_fault("down", times=2)
    assert [contoso.app_token().status for _ in range(3)] == [503, 503, 200]
    assert contoso.microsoft.world()["faults"] == []


def test_a_fault_strikes_discovery_only_when_it_names_it(contoso):
    path = f"/{contoso.directory}/v2.0/.well-known/openid-configuration"
    contoso.microsoft.set_fault("down")
    assert contoso.get(path).status == 200
    contoso.microsoft.clear_faults()
    contoso.microsoft.set_fault("down", grant_type="discovery")
    assert contoso.get(path).status == 503
    assert contoso.app_token().status == 200


def test_a_sign_in_can_be_stopped_on_microsofts_page_or_told_to_the_app(contoso):
    contoso.microsoft.set_fault(50105, grant_type="authorize")
    with pytest.raises(Stopped) as stopped:
        contoso.sign_in()
    assert stopped.value.code == 50105
    contoso.microsoft.clear_faults()
    contoso.microsoft.set_fault(90033, grant_type="authorize")
    assert contoso.sign_in().fields["error"] == "temporarily_unavailable"


@pytest.mark.parametrize("number", sorted(NEVER_REDIRECTED))
def test_each_number_microsoft_keeps_to_itself_stays_on_its_page(contoso, number):
    contoso.microsoft.set_fault(number, grant_type="authorize")
    for address in (contoso.authorize(), contoso.adminconsent()):
        with pytest.raises(Stopped) as stopped:
            contoso.microsoft.sign_in(address, contoso.oid)
        assert stopped.value.code == number


@pytest.mark.parametrize("number", [50020, 50105, 50194, 53003, 90094, 90095, 500208, 700016, 7000112])
def test_the_numbers_that_matter_are_among_them(number):
    assert number in NEVER_REDIRECTED


def test_anybody_can_be_sent_back_with_a_bare_cancel(contoso):
    contoso.microsoft.set_fault("cancel", oid=contoso.oid, times=1)
    assert contoso.sign_in().fields == {"error": "access_denied", "error_subcode": "cancel", "state": "the state"}
    assert "code" in contoso.sign_in().fields


def test_claims_of_an_id_token_can_be_changed_removed_or_the_token_left_out(contoso):
    code = [contoso.sign_in().fields["code"] for _ in range(3)]
    contoso.microsoft.set_fault("id_token", change={"aud": "somebody else", "exp": 1}, times=1)
    claims = claims_of(contoso.redeem(code[0]).body["id_token"])
    assert (claims["aud"], claims["exp"], claims["oid"]) == ("somebody else", 1, contoso.oid)
    contoso.microsoft.set_fault("id_token", remove=["oid"], times=1)
    assert "oid" not in claims_of(contoso.redeem(code[1]).body["id_token"])
    contoso.microsoft.set_fault("id_token", missing=True, times=1)
    assert "id_token" not in contoso.redeem(code[2]).body


def test_the_answer_itself_can_be_changed(contoso):
    code = contoso.sign_in().fields["code"]
    contoso.microsoft.set_fault("answer", change={"scope": "openid"}, remove=["refresh_token"])
    body = contoso.redeem(code).body
    assert body["scope"] == "openid"
    assert "refresh_token" not in body


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "hungry"},
        {"what": 12},
        {"what": True},
        {"what": "id_token"},
        {"what": "down", "grant_type": "password"},
        {"what": "down", "grant_type": "authorize"},
        {"what": "cancel", "grant_type": "refresh_token"},
        {"what": "down", "directory": "nobody.example"},
        {"what": "down", "times": "often"},
        {"what": "id_token", "change": "everything"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(contoso, fault):
    with pytest.raises(Refused):
        contoso.microsoft.set_fault(**fault)
    assert contoso.microsoft.world()["faults"] == []
