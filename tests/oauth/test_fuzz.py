"""Whatever is sent to the public addresses: no server error, no token request, nothing stored, nothing burnt."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_from_bytes, quote_plus

import pytest
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from oauth.entra import LONGEST
from oauth.models import AdminGrant, Connection, ConsentAttempt, Link
from tenants.models import Event
from tests.oauth.consenting import FORM, World, another_address, approve, come_back, go, report, state_in

CALLBACK = "/oauth/callback/sandbox/"
CORPUS = json.loads((Path(__file__).parent / "fixtures" / "callbacks.json").read_text())["answers"]
KINDS = [
    FORM,
    f"{FORM}; charset=utf-8",
    f"{FORM}; charset=utf-16",
    f"{FORM}; charset=hex",
    f"{FORM}; charset=unicode_escape",
    f"{FORM}; charset=nonsense",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=x; charset=hex",
    "application/json",
    "text/plain",
    "\x00",
]
FIELDS = [*LONGEST, "tenant", "scope", "admin_consent", "client_info", "session_state", "id_token", "access_token"]
STATE = b"STATE"  # where one is put in
NASTY = [
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
    b"\\ud800",
    b'"\\355\\240\\200"',
    b"null",
    b"[]",
    b"-1",
    b"9" * 400,
    b"x" * 25_000,
]

values = st.one_of(
    st.sampled_from(NASTY),
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
)
names = st.one_of(
    st.sampled_from(FIELDS),
    st.sampled_from(FIELDS).flatmap(
        lambda name: st.sampled_from([f"{name}[]", name.upper(), f" {name}", f"{name}\x00"])
    ),
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace").decode()),
)
encoders = st.sampled_from(
    [lambda raw: quote_from_bytes(raw, safe="").encode(), lambda raw: raw, lambda raw: raw.hex().encode()]
)


def each(strategy: st.SearchStrategy[Any], number: int, check: Callable[[Any], None]) -> None:
    """Check this many examples: the same ones in every run, and the smallest that fails is told."""
    given(strategy)(
        settings(
            max_examples=number,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(check)
    )()


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """The body of a form: fields of all kinds in any order and number, at times cut off in the middle."""
    pairs = draw(st.lists(st.tuples(names, values), max_size=4))
    if draw(st.booleans()):
        pairs += [("state", STATE), ("code", draw(values))]
    encode = draw(encoders)
    body = draw(st.sampled_from([b"&", b"&&", b";"])).join(quote(k).encode() + b"=" + encode(v) for k, v in pairs)
    return body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body


@st.composite
def spoilt(draw: st.DrawFn, state: bytes, code: bytes) -> bytes:
    """The right answer, with something that Microsoft would not send."""
    good = [b"state=" + state, b"code=" + code]
    extra = draw(
        st.sampled_from(
            [
                good[0],
                good[1],
                b"code=" + b"x" * 20_001,
                b"error=access_denied",
                b"error=" + quote_from_bytes(draw(values)).encode() + b"x",
                b"iss=" + b"x" * 501,
                b"iss=%00",
                b"error_description=" + b"x" * 10_001,
                b"error_subcode=%ff",
                b"state=x",
                b"code=",
                b"a=" + b"x" * 70_000,
                b"&".join(b"f%d=x" % number for number in range(1100)),
            ]
        )
    )
    return b"&".join(draw(st.permutations([*good, extra])))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Each refusal is logged, and ten thousand of them would take longer than the requests."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def addresses() -> Iterator[dict[str, str]]:
    """An address for each request: the limit on one address would hide what follows."""
    return (another_address(number) for number in range(60_000))


@pytest.fixture
def unmoved(world: World) -> Iterator[Client]:
    """A browser on its way to Microsoft. Whatever a test then sends, its attempt still stands and can be completed."""
    client = Client()
    fields = world.sign_in(go(client, world))
    held, events = Client(), Event.objects.count()
    held.cookies = client.cookies.copy()
    client.fields = fields  # type: ignore[attr-defined]
    yield client
    attempt = ConsentAttempt.objects.get()
    assert (attempt.claimed_at, attempt.outcome, attempt.flow is None) == (None, "", False)
    assert (world.redemptions(), Connection.objects.count(), AdminGrant.objects.count()) == ([], 0, 0)
    assert Link.objects.get().uses == 0
    assert Event.objects.count() - events <= 1  # that another browser came with its answer
    assert come_back(held, fields, REMOTE_ADDR="203.0.113.1").status_code == 303
    assert Connection.objects.count() == 1


def wrong_states(state: str) -> list[bytes]:
    """What looks like a state and is not the one that is waited for."""
    wrong = [state[:-1], state[1:], f"{state}A", state.swapcase(), state[::-1], "A" * len(state), f"{state}\x00", ""]
    return [text.encode() for text in wrong]


# What comes back


def test_no_made_up_answer_does_anything(unmoved: Client, addresses: Iterator[dict[str, str]]) -> None:
    state, stranger = unmoved.fields["state"], Client()  # type: ignore[attr-defined]

    def check(sent: tuple[bytes, bytes, str]) -> None:
        body, wrong, kind = sent
        right = body.replace(STATE, state.encode())
        posts = ((unmoved, body.replace(STATE, wrong)), (stranger, right))
        for browser, form in posts:
            response = browser.generic("POST", CALLBACK, form, content_type=kind, **next(addresses))
            assert response.status_code == 400
        # The state is right, but it was given for an answer that is posted.
        query = right.decode("latin-1")
        assert unmoved.get(CALLBACK, QUERY_STRING=query, **next(addresses)).status_code == 400

    bodies = st.one_of(st.binary(max_size=200), forms(), forms(), forms())
    each(st.tuples(bodies, st.sampled_from(wrong_states(state)), st.sampled_from([*[FORM] * 12, *KINDS])), 2000, check)


def test_no_spoilt_answer_does_anything(unmoved: Client, addresses: Iterator[dict[str, str]]) -> None:
    fields = unmoved.fields  # type: ignore[attr-defined]

    def check(body: bytes) -> None:
        assert unmoved.generic("POST", CALLBACK, body, content_type=FORM, **next(addresses)).status_code == 400

    each(spoilt(fields["state"].encode(), fields["code"].encode()), 1200, check)


@pytest.mark.parametrize("length", ["", "-1", "x", "9" * 30, "1e3", "\u0661"])
def test_no_length_breaks_the_callback(db: None, length: str) -> None:
    response = Client().generic("POST", CALLBACK, b"state=x", content_type=FORM, CONTENT_LENGTH=length)

    assert response.status_code == 400


# What stands in an address


def test_no_token_of_a_link_opens_or_breaks_anything(unmoved: Client, world: World, addresses: Any) -> None:
    stranger = Client()
    near = [text.encode() for text in (world.token[:-1], world.token + "A", world.token.swapcase(), world.token[::-1])]

    def check(token: bytes) -> None:
        written = quote_from_bytes(token, safe="")
        for path in (f"/c/{written}/", f"/c/{written}"):
            assert stranger.get(path, **next(addresses)).status_code == 404

    each(st.one_of(st.sampled_from(near), values), 500, check)
    assert not stranger.cookies
    assert Link.objects.get().opens == 1


def test_no_public_id_opens_or_breaks_anything(unmoved: Client, world: World, addresses: Any) -> None:
    stranger = Client()
    attempt = ConsentAttempt.objects.get()
    known = [str(world.link.public_id), world.link.public_id.hex, str(attempt.pk), str(attempt.pk).upper(), "0" * 32]
    ways = ["", "start/", "approve/", "told/", "disconnect/", "rest/"]

    def check(sent: tuple[bytes, str, str, str]) -> None:
        name, where, way, method = sent
        path = f"/connect/{where}{quote_from_bytes(name, safe='')}/{way}"
        response = stranger.generic(method, path, **next(addresses))
        assert response.status_code in (404, 405)
        assert world.link.tenant.name.encode() not in response.content

    ids = st.one_of(
        st.sampled_from([text.encode() for text in known]), st.uuids().map(lambda key: str(key).encode()), values
    )
    each(
        st.tuples(ids, st.sampled_from(["", "attempt/"]), st.sampled_from(ways), st.sampled_from(["GET", "POST"])),
        700,
        check,
    )


# What a browser holds


def test_no_cookie_opens_or_breaks_anything(unmoved: Client, world: World, addresses: Any) -> None:
    attempt = ConsentAttempt.objects.get()
    fields = unmoved.fields  # type: ignore[attr-defined]
    own = [f"attempt-{attempt.pk.hex}", f"link-{world.link.public_id.hex}", "csrftoken", "sessionid"]
    odd = [f"{kind}-{key}" for kind in ("attempt", "link") for key in ("", "x", "é", "\x01", "(", "A" * 32, "0" * 32)]
    paths = [f"/connect/{world.link.public_id}/", f"/connect/attempt/{attempt.pk}/"]

    def check(cookies: list[tuple[str, bytes]]) -> None:
        header = b"; ".join(name.encode() + b"=" + value for name, value in cookies)
        stranger = {"HTTP_COOKIE": header.decode("latin-1")}
        for path in paths:
            assert Client.get(visitor, path, **stranger, **next(addresses)).status_code == 404
        assert come_back(visitor, fields, **stranger, **next(addresses)).status_code == 400

    visitor = Client()
    each(st.lists(st.tuples(st.sampled_from([*own, *own, *odd]), values), max_size=40), 250, check)


def test_no_cookie_keeps_anybody_from_starting(world: World, addresses: Any) -> None:
    opener = Client()
    opener.get(f"/c/{world.token}/")
    own = opener.cookies[f"link-{world.link.public_id.hex}"].OutputString().partition(";")[0]
    odd = [f"{kind}-{key}" for kind in ("attempt", "link") for key in ("", "x", "é", "\x01", "(", "A" * 32, "0" * 31)]
    many = st.integers(0, 60).map(lambda number: [(f"attempt-{each:032x}", b"1.x") for each in range(number)])
    visitor = Client()

    def check(cookies: list[tuple[str, bytes]]) -> None:
        ConsentAttempt.objects.all().delete()
        header = b"; ".join([*(name.encode() + b"=" + value for name, value in cookies), own.encode()])
        start = f"/connect/{world.link.public_id}/start/"
        response = visitor.post(start, HTTP_COOKIE=header.decode("latin-1"), **next(addresses))
        assert response.status_code == 303

    plain = values.map(lambda value: value.replace(b";", b"").replace(b'"', b"")[:100])
    each(st.one_of(many, st.lists(st.tuples(st.sampled_from(odd), plain), max_size=20)), 100, check)


# What somebody pastes


def test_whatever_is_pasted_gets_an_answer_and_leaves_nothing(unmoved: Client, world: World, addresses: Any) -> None:
    reader = Client()
    reader.get(f"/c/{world.token}/", **next(addresses))
    path = f"/connect/{world.link.public_id}/told/"
    parts = st.one_of(
        st.text(max_size=80),
        st.sampled_from(
            ["AADSTS65001", "AADSTS", "error code: 90094", "9" * 300, "\u0665\u0660\u0661\u0660\u0665", "\x00"]
        ),
        st.sampled_from(["<script>", "{{ x }}", "https://login.example/error?code=50011", "a" * 12_000]),
    )

    def check(pasted: tuple[list[str], bytes]) -> None:
        words, noise = pasted
        text = quote_plus(" ".join(words).encode("utf-8", "replace"))
        body = b"text=" + text.encode() + noise
        response = reader.generic("POST", path, body, content_type=FORM, **next(addresses))
        assert response.status_code == 200

    each(st.tuples(st.lists(parts, max_size=6), st.one_of(st.just(b""), st.binary(max_size=20))), 350, check)
    assert ConsentAttempt.objects.get().told_code is None


# Answers as they come, and as attackers make them


@pytest.mark.parametrize("answer", CORPUS, ids=lambda answer: answer["name"])
def test_every_recorded_answer_ends_as_it_should(world: World, answer: dict[str, Any]) -> None:
    client, by_get = Client(), answer["method"] == "GET"
    state = state_in(approve(client, world) if by_get else go(client, world))
    words = {"state": state, "directory": world.directory["id"]}
    fields = {
        name: [text.format(**words) for text in (value if isinstance(value, list) else [value])]
        for name, value in answer["fields"].items()
    }

    response = (report if by_get else come_back)(client, fields)

    attempt = ConsentAttempt.objects.get()
    assert [response.status_code, attempt.outcome, attempt.fault_kind] == answer["ends"]
    assert (attempt.claimed_at is None) is (response.status_code == 400)
    assert len(world.redemptions()) == answer.get("token_requests", 0)
    assert (Connection.objects.count(), Link.objects.get(purpose="consent").uses) == (0, 0)
    assert AdminGrant.objects.count() == (attempt.outcome == "approved")
    page = client.get(response.headers["Location"]) if response.status_code == 303 else response
    assert page.status_code in (200, 400)
    for shown in answer.get("never_shown", []):
        assert shown not in page.content.decode()
