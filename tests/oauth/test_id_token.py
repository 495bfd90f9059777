"""Every claim an id_token must have, bent one at a time."""

import base64
import hashlib
import json
import time
import uuid

import pytest

from oauth.errors import AnswerRejected
from oauth.id_token import PERSONAL, WRONG, Identity, identity_of

TID, OID, CLIENT = (str(uuid.uuid4()) for _ in range(3))
NONCE = "a-nonce"
GONE = object()


def part(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(header=None, **changes):
    now = int(time.time())
    claims = {
        "aud": CLIENT,
        "iss": f"https://login.example/{TID}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + 3900,
        "tid": TID,
        "oid": OID,
        "sub": "somebody",
        "nonce": hashlib.sha256(NONCE.encode()).hexdigest(),
        "preferred_username": "Ada@Contoso.Example",
        "name": "Ada Example",
    } | changes
    claims = {name: value for name, value in claims.items() if value is not GONE}
    return f"{part(header or {'typ': 'JWT', 'alg': 'RS256'})}.{part(claims)}.signature"


def read(id_token, **changes):
    expected = {
        "client_id": CLIENT,
        "issuer": "https://login.example/{tenantid}/v2.0",
        "directory": TID,
        "nonce": NONCE,
    } | changes
    return identity_of(id_token, **expected)


def reason_of(id_token, **changes):
    with pytest.raises(AnswerRejected) as caught:
        read(id_token, **changes)
    return caught.value.reason


def test_a_sound_token_names_the_account():
    assert read(token()) == Identity(TID, OID, "ada@contoso.example", "Ada Example", username="ada@contoso.example")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": str(uuid.uuid4())}, "aud"),
        ({"aud": [CLIENT]}, "aud"),
        ({"aud": GONE}, "aud"),
        ({"iss": "https://evil.example/v2.0"}, "iss"),
        ({"iss": f"https://login.example/{uuid.uuid4()}/v2.0"}, "iss"),
        ({"iss": f"https://login.example/{TID}/v2.0/"}, "iss"),
        ({"iss": "https://login.example/{tenantid}/v2.0"}, "iss"),
        ({"iss": GONE}, "iss"),
        ({"tid": GONE}, "tid"),
        ({"tid": "contoso.example"}, "tid"),
        ({"tid": TID + "\n"}, "tid"),
        ({"tid": 7}, "tid"),
        ({"oid": GONE}, "oid"),
        ({"oid": "me"}, "oid"),
        ({"oid": None}, "oid"),
        ({"sub": GONE}, "sub"),
        ({"sub": ""}, "sub"),
        ({"exp": GONE}, "exp"),
        ({"exp": 1}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": "4000000000"}, "exp"),
        ({"exp": float("inf")}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"iat": GONE}, "iat"),
        ({"iat": 4_000_000_000}, "iat"),
        ({"nbf": 4_000_000_000}, "nbf"),
        ({"nbf": "soon"}, "nbf"),
        ({"nbf": None}, "nbf"),
        ({"nbf": True}, "nbf"),
        ({"nonce": GONE}, "nonce"),
        ({"nonce": NONCE}, "nonce"),
        ({"nonce": "\ud800"}, "nonce"),
        ({"nonce": 7}, "nonce"),
    ],
)
def test_one_wrong_claim_spoils_it(changes, reason):
    assert reason_of(token(**changes)) == reason


@pytest.mark.parametrize("seconds", [-110, 110])
def test_two_minutes_of_a_wrong_clock_are_forgiven(seconds):
    now = int(time.time())
    assert read(token(iat=now + seconds, nbf=now + seconds, exp=now + min(seconds, 60)))


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -130), ("iat", 130), ("nbf", 130)])
def test_more_is_not(claim, seconds):
    assert reason_of(token(**{claim: int(time.time()) + seconds})) == claim


def test_not_before_may_be_left_out():
    assert read(token(nbf=GONE))


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_token_is_refused(nothing):
    assert reason_of(nothing) == "missing"


@pytest.mark.parametrize(
    "garbage",
    [
        7,
        ["a", "b", "c"],
        "garbage",
        "a.b",
        "a.b.c.d",
        "..",
        token().rpartition(".")[0],
        token().rpartition(".")[0] + ".",
        f"{part({'alg': 'RS256'})}.{part(b'not json')}.x",
        f"{part({'alg': 'RS256'})}.{part([])}.x",
        f"{part({'alg': 'RS256'})}.{part(b'[' * 100_000)}.x",
        f"{part({'alg': 'RS256'})}.{part(bytes([0xFF, 0xFE]))}.x",
        f"{part({'alg': 'RS256'})}.é.x",
        f"{part('RS256')}.{part({})}.x",
    ],
)
def test_what_is_no_token_is_refused(garbage):
    assert reason_of(garbage) == "shape"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "", None, 7, "RS256x"])
def test_only_a_signed_token_counts(algorithm):
    assert reason_of(token(header={"alg": algorithm})) == "algorithm"


def test_another_directory_than_the_one_asked_is_refused():
    assert reason_of(token(), directory=str(uuid.uuid4())) == "wrong_directory"


def test_an_issuer_of_one_directory_refuses_all_others():
    issuer = f"https://login.example/{uuid.uuid4()}/v2.0"
    assert reason_of(token(), issuer=issuer, directory="contoso.example") == "wrong_directory"


def test_an_issuer_of_one_directory_speaks_for_that_one_only():
    issuer = f"https://login.example/{TID}/v2.0"
    stranger = token(tid=str(uuid.uuid4()), iss=issuer)
    assert reason_of(stranger, issuer=issuer, directory="contoso.example") == "wrong_directory"


@pytest.mark.parametrize(
    "directory",
    ["common", "organizations", "contoso.example", TID.upper()],
    ids=["common", "organizations", "a domain", "its own ID"],
)
def test_where_many_may_sign_in_any_work_account_may(directory):
    assert read(token(), directory=directory).tid == TID


def personal():
    return token(tid=PERSONAL, iss=f"https://login.example/{PERSONAL}/v2.0")


@pytest.mark.parametrize("directory", ["common", "consumers", PERSONAL])
def test_a_personal_account_comes_in_where_it_may(directory):
    assert read(personal(), directory=directory).tid == PERSONAL


def test_a_personal_account_is_no_organization():
    assert reason_of(personal(), directory="organizations") == "personal_account"
    assert reason_of(token(), directory="consumers") == "work_account"


def test_ids_are_lower_case_whatever_is_sent():
    identity = read(token(tid=TID.upper(), oid=OID.upper()), client_id=CLIENT.upper())
    assert (identity.tid, identity.oid) == (TID, OID)


def test_a_refresh_has_no_nonce_to_check():
    assert read(token(nonce=GONE), nonce=None)


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({"preferred_username": GONE, "email": "Ada@Mail.Example"}, "ada@mail.example"),
        ({"preferred_username": 7, "email": "a@b.example"}, "a@b.example"),
        ({"preferred_username": "  ", "email": "a@b.example"}, "a@b.example"),
        ({"preferred_username": "a@b.example\r\nBcc: all"}, "a@b.example bcc: all"),
        ({"preferred_username": "a" * 400}, "a" * 320),
        ({"preferred_username": GONE}, ""),
    ],
)
def test_the_address_is_what_the_account_is_called_today(changes, address):
    assert read(token(**changes)).address == address


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Zoë Ångström", "Zoë Ångström"),
        ("a\x00b\x1b[31m\nc", "a b [31m c"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800lone", "lone"),
        ("n" * 500, "n" * 200),
        (None, ""),
        (["x"], ""),
    ],
)
def test_a_name_is_one_clean_line(name, shown):
    assert read(token(name=name)).name == shown


def test_every_reason_is_a_whole_sentence():
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in WRONG.values())
