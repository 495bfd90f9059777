"""What people paste from Microsoft's pages, and what they are told about it."""

import random
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from oauth.errors import CODES
from oauth.explanations import explanation_of
from oauth.pasted import codes_in, ids_in, told

# As Microsoft's error page lays it out; IDs and names are made up.
PAGE = """Sign in
Sorry, but we’re having trouble signing you in.

AADSTS50011: The redirect URI 'https://app.example/back/' does not fit the application '5001150011-x'.

Troubleshooting details
If you contact your administrator, send this info to them.
Copy info to clipboard
Request Id: 50011500-5001-4001-8001-500115001150
Correlation Id: 90094900-9009-4009-9009-009490094900
Timestamp: 2026-10-03T10:50:11.135011Z
Message: AADSTS50011: The redirect URI 'https://app.example:50076/back/' does not fit.

Flag sign-in errors for review: Enable flagging
"""


@pytest.mark.parametrize(
    "text",
    [
        "50011",
        " 50011\n",
        "#50011.",
        "(50011)",
        "AADSTS50011",
        "aadsts50011",
        "AADSTS 50011",
        "AADSTS: 50011",
        "AADSTS-50011",
        "aadsts\r\n50011",
        "AADSTS\u00a050011",
        "AADSTS\u200b50011",
        "AADSTS500\u200b11",
        "\u200eAADSTS50011\u200f",
        "ＡＡＤＳＴＳ５００１１",
        "５００１１",
        "٥٠٠١١",
        "Error Code: 50011",
        "Error Code:50011Request Id: 0f1a2b3c-4d5e-4f70-8a9b-c0d1e2f3a4b5",
        "Message:AADSTS50011:The redirect URI",
        "Fehlercode:50011",
        "Code d’erreur\u00a0: 50011",
        "错误代码：50011",
        "コード50011です",
        "https://login.example/error?code=50011",
        "error_description=AADSTS50011%3a+The+redirect",
        "it said 50011 and then AADSTS50011 again",
        PAGE,
        PAGE.replace("\n", "\r\n"),
        PAGE.replace("\n", " "),
        PAGE.upper(),
    ],
)
def test_the_number_is_found_however_it_is_pasted(text):
    assert codes_in(text) == (50011,)
    answer = told(text)
    assert (answer.code, answer.kind) == (50011, "redirect_uri_mismatch")
    assert answer.explanation == explanation_of("redirect_uri_mismatch")


@pytest.mark.parametrize("code", CODES)
def test_every_known_number_is_told_with_its_words(code):
    answer = told(f"AADSTS{code}: something")
    assert (answer.code, answer.kind) == (code, CODES[code].kind)
    assert answer.explanation == explanation_of(CODES[code].kind)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "hello",
        "Request Id: 50011500-5001-4001-8001-500115001150",
        "Request Id: 50011500-5001-4001-8001-5001150\n50011",
        "Timestamp: 2026-10-03T10:50:11Z",
        "Timestamp: 2026-10-03 10:50:11.135011",
        "20261003 135011",
        "2026-10-03 135011",
        "20261003135011",
        "http://localhost:50011",
        "https://app.example/?id=50011",
        "50011@contoso.example",
        "user50011",
        "50011abc",
        "+50011",
        "1.50011",
        "192.168.50011",
        "500115001150011",
        "AADSTS",
        "AADSTS12",
        "AADSTS00000",
        "00000",
        "AADSTS1234567890",
    ],
)
def test_other_digits_are_no_number_of_microsofts(text):
    assert codes_in(text) == ()


def test_no_digit_of_an_id_or_a_moment_is_taken_for_a_number():
    chance = random.Random(50011)
    for _ in range(2000):
        request, correlation = (uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(2))
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(10**8))
        details = f"Request Id: {request}\nCorrelation Id: {correlation}\nTimestamp: {moment:%Y-%m-%dT%H:%M:%SZ}\n"
        assert codes_in(details) == ()
        code = chance.choice(list(CODES))
        assert codes_in(f"{details}Message: AADSTS{code}: It did not work.") == (code,)


def test_known_numbers_come_first_and_each_once():
    assert codes_in("AADSTS99999, AADSTS65001, AADSTS50076, AADSTS65001, AADSTS99998") == (65001, 50076, 99999, 99998)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("AADSTS70008 and AADSTS65001", 65001),
        ("AADSTS65001 and AADSTS50076", 65001),
        ("AADSTS99999 and AADSTS50076", 50076),
        ("99998 Springfield, AADSTS99999", 99999),
        ("AADSTS53003, AADSTS90033", 90033),
    ],
)
def test_of_several_numbers_the_softest_known_one_is_told(text, code):
    assert told(text).code == code


@pytest.mark.parametrize("text", ["AADSTS99999", "99999", "Error Code: 99999", PAGE.replace("50011:", "99999:")])
def test_a_number_that_is_not_known_is_not_explained_away(text):
    answer = told(text)
    assert (answer.code, answer.kind) == (99999, "")
    assert answer.explanation.title == "We do not know this number"
    assert any("whoever sent you the link" in sentence for sentence in answer.explanation.todo)


@pytest.mark.parametrize(
    "text",
    [
        "need admin approval",
        "It says: Need  Admin\nApproval",
        "Approval required",
        "This app might be risky",
        "Mail needs permission to access resources in your organization that only an admin can grant.",
        "Need admin approval, and then AADSTS99999",
    ],
)
def test_what_people_type_of_an_approval_leads_there(text):
    answer = told(text)
    assert (answer.kind, answer.code) == ("admin_consent_required", None)
    assert answer.explanation == explanation_of("admin_consent_required")


def test_a_known_number_says_more_than_the_words_around_it():
    assert told("Approval required. AADSTS50105").kind == "user_not_assigned"


@pytest.mark.parametrize("text", ["", "it does not work", "\x00", "🙂", "\ud800"])
def test_without_a_number_one_is_asked_for(text):
    answer = told(text)
    assert (answer.code, answer.kind) == (None, "")
    assert any("starts with AADSTS" in sentence for sentence in answer.explanation.todo)


@pytest.mark.parametrize(
    "text", ["<b>canary</b>", "AADSTS99999 canary", "AADSTS50011 canary", "need admin approval canary"]
)
def test_nothing_that_was_pasted_comes_back(text):
    assert "canary" not in repr(told(text))


@pytest.mark.parametrize(
    "text",
    [
        "0" * 10_000,
        "0-" * 5_000,
        "1\n" * 5_000,
        "a0a0a0a0-" * 1_200,
        "aaaaaaa\n-aaaa-aaaa-aaaa-aaaaaaaaaaa\n" * 300,
        "aadsts" + " " * 10_000,
        "aadsts " * 1_500,
        "error code: " * 900,
        "a://" * 2_500,
        "z" * 10_000 + "://",
        "20260101" * 1_300,
        "\ufdfa" * 10_000,
        "AADSTS50011 " * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_takes_no_time(text):
    begun = time.perf_counter()
    told(text)
    assert time.perf_counter() - begun < 0.5


def test_what_stands_beyond_ten_thousand_characters_is_not_read():
    assert codes_in("." * 9_990 + " 50011") == (50011,)
    assert codes_in("." * 9_999 + " 50011") == ()


def test_any_text_gets_an_answer():
    chance = random.Random(65001)
    pieces = [
        "AADSTS",
        "aadsts",
        "error code:",
        "50011",
        "99999",
        "-",
        ":",
        "\n",
        "\r",
        "\u00a0",
        "\u200b",
        "５",
        "ﷺ",
        "://",
    ]
    for _ in range(3000):
        noise = [chr(chance.choice([chance.randrange(0x80), chance.randrange(0x110000)])) for _ in range(8)]
        text = "".join(chance.choices([*pieces, *noise], k=chance.randrange(1, 60)))
        answer = told(text)
        assert answer.explanation.title
        assert all(0 < code < 10**9 for code in codes_in(text))


# The IDs by which whoever helps finds it in Entra's log

CORRELATION, REQUEST = "0f1a2b3c-4d5e-4f70-8a9b-c0d1e2f3a4b5", "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9"


@pytest.mark.parametrize(
    "text",
    [
        f"Request Id: {REQUEST}\nCorrelation Id: {CORRELATION}\nTimestamp: 2026-10-03T10:50:11Z",
        f"AADSTS50105: no. Trace ID: {REQUEST} Correlation ID: {CORRELATION} Timestamp: 2026-10-03 10:50:11Z",
        f'{{"error_codes":[50105],"trace_id":"{REQUEST}","correlation_id":"{CORRELATION}"}}',
        f"Error Code:50105Request Id:\r\n{REQUEST[:20]}\r\n{REQUEST[20:]} CORRELATION ID: {CORRELATION.upper()}",
    ],
)
def test_the_ids_that_microsoft_names_are_found(text):
    assert ids_in(text) == {"request_id": REQUEST, "correlation_id": CORRELATION}


@pytest.mark.parametrize(
    "text",
    [
        "Correlation Id: canary",
        f"Correlation Id: {CORRELATION}0",
        f"Correlation Id: <b>{CORRELATION}</b>",
        f"Tenant Id: {CORRELATION}",
        f"client-request-id={CORRELATION}",
        CORRELATION,
        "",
    ],
)
def test_what_is_no_such_id_is_not_found(text):
    assert ids_in(text) == {}


def test_ids_are_found_in_time_in_whatever_is_pasted():
    began = time.perf_counter()
    for part in ("correlation id: ", "correlation id: 0f1a", "request id " + "\n" * 9, "-0f1a\n"):
        ids_in(part * 10_000)
    assert time.perf_counter() - began < 2
