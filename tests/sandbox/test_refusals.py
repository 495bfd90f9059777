"""How the sandbox says no, against what is known of Microsoft's numbers."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.microsoft import Refused, Stopped

KNOWN = json.loads(Path(__file__).with_name("fixtures").joinpath("aadsts.json").read_text("utf-8"))["codes"]
GUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
SHAPES = {
    "spaces": rf"AADSTS\d+: [^\r\n]+ Trace ID: {GUID} Correlation ID: {GUID} Timestamp: {STAMP}",
    "lines": rf"AADSTS\d+: [^\r\n]+\r\nTrace ID: {GUID}\r\nCorrelation ID: {GUID}\r\nTimestamp: {STAMP}",
}
OPEN = {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri"}


def seen_at(place):
    return [row["code"] for row in KNOWN if place in row["seen_at"]]


def ask(contoso, code, **where):
    """One token request that this number answers."""
    contoso.microsoft.clear_faults()
    contoso.microsoft.set_fault(code, **where)
    return contoso.post(f"/{contoso.directory}/oauth2/v2.0/token", f"client_id={contoso.client_id}")


def test_all_numbers_of_the_facts_are_here():
    assert len(KNOWN) == 137


@pytest.mark.parametrize("known", KNOWN, ids=lambda row: str(row["code"]))
def test_a_number_comes_with_its_status_its_error_and_its_suberror(contoso, known):
    reply = ask(contoso, known["code"])
    assert (reply.status, reply.body["error_codes"]) == (known["status"], [known["code"]])
    assert not known["errors"] or reply.body["error"] in known["errors"]
    assert reply.body.get("suberror", "") == known["suberror"]
    assert reply.body["error_description"].startswith(f"AADSTS{known['code']}: ")
    assert "The request was refused." not in reply.body["error_description"]


def test_only_a_block_by_conditional_access_carries_claims(contoso):
    with_claims = [row["code"] for row in KNOWN if "claims" in ask(contoso, row["code"]).body]
    assert with_claims == [53003]
    claims = json.loads(ask(contoso, 53003).body["claims"])
    assert claims["access_token"]["capolids"]["essential"] is True


def test_a_refusal_holds_nothing_else(contoso):
    more = {key for row in KNOWN for key in ask(contoso, row["code"]).body.keys() - OPEN}
    assert more == {"suberror", "claims"}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (700016, ["{client_id}", "'Contoso'"]),
        (7000112, ["{client_id}", "Contoso Mail"]),
        (50020, ["adele@contoso.example", "'Contoso'", "{client_id}", "Contoso Mail"]),
        (50034, ["adele@contoso.example", "Contoso directory"]),
        (65001, ["{client_id}", "'Contoso Mail'"]),
        (90055, ["'Contoso'"]),
        (50173, ["issued on '20"]),
        (700082, ["issued on 20", "90.00:00:00"]),
    ],
)
def test_a_refusal_tells_of_the_app_the_directory_and_the_person_it_strikes(contoso, code, told):
    token = contoso.granted()["refresh_token"]
    contoso.microsoft.set_fault(code)
    text = contoso.refresh(token).body["error_description"]
    for words in told:
        assert words.format(**vars(contoso)) in text


def test_at_discovery_an_unknown_directory_has_an_error_of_its_own(contoso):
    path = f"/{contoso.directory}/v2.0/.well-known/openid-configuration"
    for code in (90002, 900023):
        contoso.microsoft.clear_faults()
        contoso.microsoft.set_fault(code, grant_type="discovery")
        assert contoso.get(path).refusal == (400, "invalid_tenant", code)
    contoso.microsoft.clear_faults()
    assert ask(contoso, 90002).refusal == (400, "invalid_request", 90002)


def test_who_asks_too_often_is_told_when_to_come_back(contoso):
    reply = ask(contoso, 90055)
    assert (reply.status, reply.headers["Retry-After"]) == (429, "60")


def test_an_answer_that_is_elsewhere_for_now_can_be_followed(contoso):
    contoso.microsoft.set_fault(51005, times=1)
    fields = {
        "grant_type": "client_credentials",
        "client_id": contoso.client_id,
        "client_secret": contoso.secret,
        "scope": f"{contoso.host}/.default",
    }
    url = f"{contoso.host}/{contoso.directory}/oauth2/v2.0/token"
    answer = requests.post(url, fields, verify=contoso.box.ca_file, timeout=10)
    assert [each.status_code for each in (*answer.history, answer)] == [307, 200]


# -- at the sign-in pages


def stopped_by(contoso, code):
    contoso.microsoft.clear_faults()
    contoso.microsoft.set_fault(code, grant_type="authorize")
    try:
        return contoso.sign_in().fields
    except Stopped as stopped:
        return stopped


def test_what_people_read_on_microsofts_page_the_app_never_hears(contoso):
    # 900144 is both: without a client_id there is nobody to tell.
    heard = [
        code
        for code in seen_at("authorize_page")
        if code != 900144 and not isinstance(stopped_by(contoso, code), Stopped)
    ]
    assert heard == []


def test_what_comes_back_to_the_app_does(contoso):
    back = [code for code in seen_at("authorize_redirect") if code not in seen_at("authorize_page")]
    assert len(back) == 7
    for code in back:
        fields = stopped_by(contoso, code)
        assert fields["error_description"].startswith(f"AADSTS{code}: ")
        assert "error_codes" not in fields


def test_microsofts_page_names_the_person_and_the_directory(contoso):
    text = str(stopped_by(contoso, 500208))
    assert "'adele@contoso.example'" in text
    assert "'Contoso'" in text


# -- what ends an error_description


@pytest.mark.parametrize("style", SHAPES)
def test_trailers_come_in_both_styles_at_every_door(contoso, style):
    contoso.microsoft.set_trailers(style)
    texts = [
        contoso.app_token(client_secret="not-the-secret").body["error_description"],
        contoso.get("/nobody.example/v2.0/.well-known/openid-configuration").body["error_description"],
        contoso.sign_in("decline").fields["error_description"],
    ]
    sent = requests.get(contoso.authorize(prompt="none", response_mode="query"), allow_redirects=False, timeout=10)
    texts += parse_qs(urlsplit(sent.headers["Location"]).query)["error_description"]
    for text in texts:
        assert re.fullmatch(SHAPES[style], text), text


def test_an_empty_world_has_todays_trailers(contoso):
    contoso.microsoft.set_trailers("lines")
    contoso.microsoft.reset()
    assert contoso.microsoft.world()["trailers"] == "spaces"


def test_there_is_no_third_style(contoso):
    with pytest.raises(Refused, match="Choose one of spaces, lines"):
        contoso.microsoft.set_trailers("tabs")
