"""Whatever is sent to the public addresses: no server error, no token request, nothing stored, nothing burnt."""

import random
from urllib.parse import quote_from_bytes

import pytest
from django.test import Client

from oauth.models import Connection, ConsentAttempt
from tests.oauth.consenting import FORM, World, come_back, go

BAD_VALUES = [
    b"",
    b"\x00",
    b"\xff\xfe\xfd",
    b"\xed\xa0\x80",  # half a surrogate pair
    "état\u202e".encode(),
    b"a\r\nSet-Cookie: a=b",
    b"' OR 1=1 --",
    b"<script>alert(1)</script>",
    b"{{ 7*7 }}{% debug %}",
    b"../../../etc/passwd",
    b"%00%0d%0a",
    b"null",
    b"[]",
    b"-1",
    b"9" * 400,
    b"x" * 25_000,
]


def field(name: str, value: bytes) -> str:
    return f"{name}={quote_from_bytes(value, safe='')}"


def malformed(state: bytes, code: bytes) -> list[str]:
    """Answers that cannot be Microsoft's, though they hold the right state and code."""
    good = [field("state", state), field("code", code)]
    bodies = [
        "",
        "&&&===",
        good[0],
        good[1],
        "&".join([*good, field("error", b"access_denied")]),
        "&".join([*good, good[0]]),
        "&".join([*good, good[1]]),
        "&".join([field("state", state + b"\x00"), good[1]]),
        "&".join([field("state", state[:-1]), good[1]]),
        "&".join([field("state", state.swapcase()), good[1]]),
        "&".join([f"state[]={state.decode()}", good[1]]),
        "&".join([*good, *(f"field{number}=x" for number in range(1100))]),
        "&".join([*good, "a=" + "x" * 70_000]),
    ]
    for value in BAD_VALUES:
        bodies.append("&".join([field("state", value), good[1]]))
        if not value.isascii() or not value.decode().isprintable() or not value or len(value) > 20_000:
            bodies.append("&".join([good[0], field("code", value)]))
        for name in ("error", "error_subcode", "error_description", "iss", "client_info", "session_state", "state"):
            if name in ("error", "state"):
                bodies.append("&".join([*good, field(name, value or b"x")]))
            bodies.append("&".join([field("state", b"unknown"), good[1], field(name, value)]))
    dice = random.Random(5)
    for _ in range(200):
        noise = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 200)))
        bodies.append(noise.decode("latin-1").encode().decode("latin-1"))
        bodies.append("&".join([field("state", noise), field("code", noise[::-1])]))
    return bodies


def test_no_malformed_answer_does_anything(client, world):
    fields = world.sign_in(go(client, world))
    bodies = malformed(fields["state"].encode(), fields["code"].encode())
    assert len(bodies) > 500

    statuses = {come_back(client, body).status_code for body in bodies}

    assert statuses == {400}
    assert world.redemptions() == []
    assert ConsentAttempt.objects.get().claimed_at is None
    assert not Connection.objects.exists()
    assert come_back(client, fields).status_code == 303


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="state"\r\n\r\nx\r\n--x--\r\n',
        ),
        ("multipart/form-data; boundary=x; charset=hex", b"--x--\r\n"),
        (f"{FORM}; charset=utf-16", b"state=x&code=x"),
        (f"{FORM}; charset=hex", b"state=x&code=x"),
        (f"{FORM}; charset=unicode_escape", b"state=\\ud800&code=x"),
        (f"{FORM}; charset=nonsense", b"state=x&code=x"),
        ("application/json", b'{"state": "x"}'),
        ("text/plain", b"state=x&code=x"),
        ("", b"state=x&code=x"),
    ],
)
def test_no_kind_of_form_breaks_the_callback(db, client, content_type, body):
    assert client.generic("POST", "/oauth/callback/sandbox/", body, content_type=content_type).status_code == 400


@pytest.mark.parametrize("length", ["", "-1", "x", "9" * 30, "1e3"])
def test_no_length_breaks_the_callback(db, client, length):
    response = client.generic("POST", "/oauth/callback/sandbox/", b"state=x", content_type=FORM, CONTENT_LENGTH=length)

    assert response.status_code == 400


@pytest.mark.parametrize(
    "value", [quote_from_bytes(value, safe="") for value in BAD_VALUES if b"/" not in value and value]
)
def test_no_token_and_no_cloud_breaks_a_page(db, client, value):
    assert client.get(f"/c/{value}/").status_code == 404
    assert client.get(f"/oauth/callback/{value}/").status_code in (404, 405)
    assert client.post(f"/oauth/callback/{value}/", b"state=x&code=x", content_type=FORM).status_code in (400, 404)


@pytest.mark.parametrize(
    "value", ["x", "0", "00000000-0000-0000-0000-00000000000g", "00000000-0000-0000-0000-000000000000"]
)
def test_no_attempt_that_is_none_breaks_a_page(db, client, value):
    assert client.get(f"/connect/attempt/{value}/").status_code == 404


def cookie_headers(world: World, attempt: ConsentAttempt) -> list[str]:
    name, link = f"attempt-{attempt.pk.hex}", f"link-{world.link.pk}"
    values = ["", "x", ".", "1.", "1.x", '"\\355\\240\\200"', "\xff\xfe", "=", "a" * 4000, "9.9.9"]
    return [
        *(f"{each}={value}" for each in (name, link) for value in values),
        *(f"attempt-{key}=x" for key in ("", "x", "é", "\x01", "(", "A" * 32, "0" * 31)),
        *(f"link-{key}=x" for key in ("", "x", "é", "\x01", "(", "-1", "9" * 40)),
        "; ".join(f"attempt-{number:032x}=1.x" for number in range(60)),
        "; ".join(f"link-{number}=1.x" for number in range(10**6, 10**6 + 60)),
        ";;;===",
    ]


def test_no_cookie_opens_or_breaks_anything(client, world):
    fields = world.sign_in(go(client, world))
    attempt = ConsentAttempt.objects.get()
    link = f"/connect/{world.link.pk}/"
    for header in cookie_headers(world, attempt):
        stranger = Client(headers={"cookie": header.encode("utf-8").decode("latin-1")})
        assert stranger.get(f"/c/{world.token}/").status_code == 303, header
        assert stranger.get(link).status_code == 404, header
        assert stranger.post(f"{link}start/").status_code == 404, header
        assert stranger.get(f"/connect/attempt/{attempt.pk}/").status_code == 404, header
        assert come_back(stranger, fields).status_code == 400, header
    assert world.redemptions() == []


def test_no_cookie_breaks_a_start(client, world):
    client.get(f"/c/{world.token}/")
    own = client.cookies[f"link-{world.link.pk}"].OutputString().partition(";")[0]
    for header in cookie_headers(world, ConsentAttempt()):
        if header.startswith(f"link-{world.link.pk}="):
            continue
        stranger = Client(headers={"cookie": f"{own}; {header}".encode().decode("latin-1")})
        ConsentAttempt.objects.all().delete()
        assert stranger.post(f"/connect/{world.link.pk}/start/").status_code == 303, header
