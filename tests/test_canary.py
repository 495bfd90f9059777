"""The search itself: a leak planted in each disguise is found."""

import base64
import html
import json
import secrets
from urllib.parse import quote, urlencode

import pytest

from tests.canary import find

SECRET = "not-real~" + secrets.token_urlsafe(20) + "&<'\"é"


@pytest.mark.parametrize(
    "leak",
    [
        SECRET.encode(),
        urlencode({"client_secret": SECRET}).encode(),
        quote(quote(SECRET, safe=""), safe="").encode(),
        json.dumps({"secret": SECRET}).encode(),
        html.escape(f"<p>{SECRET}</p>").encode(),
        *(base64.b64encode(b"x" * n + SECRET.encode() + b"tail") for n in range(4)),
        *(base64.urlsafe_b64encode(b"x" * n + SECRET.encode() + b"tail") for n in range(4)),
        SECRET.encode().hex().encode(),
    ],
    ids=[f"disguise {number}" for number in range(14)],
)
def test_a_leak_is_found_however_it_is_written(leak: bytes) -> None:
    assert find({"the secret": SECRET}, [("a log", b"before " + leak + b" after")]) == ["the secret in a log"]


def test_a_clean_sink_is_clean() -> None:
    assert find({"the secret": SECRET}, [("a log", b"nothing to see, AADSTS7000222")]) == []
