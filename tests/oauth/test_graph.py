"""The client for Graph over real TLS on loopback: where it goes, what it makes of answers, and what it never tells."""

import secrets
import traceback

import pytest

from oauth.errors import EntraUnreachable
from oauth.graph import MOST_PAGES, NO_MAILBOX, GraphClient, GraphRefused
from oauth.http import HttpClient
from tenants.clouds import Cloud

from .tls_server import Request, Server, reply, tls_server

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
PRINCIPAL = "66666666-7777-8888-9999-000000000000"
TOKEN = f"not-a-real-token-{secrets.token_urlsafe(24)}"
EVERYBODY = {"consentType": "AllPrincipals"}


@pytest.fixture
def server(tmp_path):
    with tls_server(tmp_path) as server:
        yield server


@pytest.fixture
def graph(server):
    cloud = Cloud(
        key="test", name="Test", login_host="localhost:1", graph_host=server.host, ca_file=server.ca_file, built_in=True
    )
    http = HttpClient(cloud, connect=1, read=0.3)
    yield GraphClient(cloud, TOKEN, http)
    http.close()


def lists(server: Server, *pages: dict[str, object]) -> None:
    """Answer for the application, then page by page."""
    left = iter(pages)

    def answer(request: Request) -> bytes:
        if request.path.startswith("/v1.0/servicePrincipals"):
            return reply(200, {"id": PRINCIPAL})
        return reply(200, next(left))

    server.answer = answer


def grants(*scopes: str, **more: object) -> dict[str, object]:
    return {"value": [{**EVERYBODY, "scope": scope} for scope in scopes], **more}


# What it asks


def test_it_shows_its_token_to_graph_and_asks_for_json(server, graph):
    server.answer = lambda request: reply(200, {"timeZone": "UTC"})

    assert graph.mailbox_settings() == {"timeZone": "UTC"}

    sent = server.requests[0]
    assert (sent.method, sent.path) == ("GET", "/v1.0/me/mailboxSettings")
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["accept"] == "application/json"
    assert TOKEN not in sent.path


def test_it_asks_for_the_grants_of_this_application_alone(server, graph):
    lists(server, grants(" Mail.Read User.Read"))

    assert graph.granted_to_everybody(CLIENT_ID) == {"Mail.Read", "User.Read"}

    assert [request.path for request in server.requests] == [
        f"/v1.0/servicePrincipals(appId='{CLIENT_ID}')?$select=id",
        f"/v1.0/oauth2PermissionGrants?$filter=clientId%20eq%20%27{PRINCIPAL}%27",
    ]


@pytest.mark.parametrize("client_id", ["", "x", "')/x?", f"{CLIENT_ID}')", "../me"])
def test_what_is_no_id_becomes_part_of_no_address(server, graph, client_id):
    with pytest.raises(GraphRefused):
        graph.granted_to_everybody(client_id)

    assert server.requests == []


@pytest.mark.parametrize("key", [None, 7, "x' or '1' eq '1", "../me", {}])
def test_an_answer_that_names_no_application_is_no_answer(server, graph, key):
    server.answer = lambda request: reply(200, {"id": key})

    with pytest.raises(EntraUnreachable):
        graph.granted_to_everybody(CLIENT_ID)

    assert len(server.requests) == 1


# What counts


def test_what_one_person_granted_is_not_everybodys(server, graph):
    mine = {"consentType": "Principal", "scope": "Mail.Send"}
    lists(server, {"value": [mine, {**EVERYBODY, "scope": "Mail.Read"}]})

    assert graph.granted_to_everybody(CLIENT_ID) == {"Mail.Read"}


@pytest.mark.parametrize("value", [None, "x", {}, [None, "x", 7, []], [{**EVERYBODY, "scope": 7}], [{"scope": "x"}]])
def test_what_is_no_list_of_grants_grants_nothing(server, graph, value):
    lists(server, {"value": value})

    assert graph.granted_to_everybody(CLIENT_ID) == frozenset()


# Pages


def test_further_pages_are_read(server, graph):
    base = f"https://{server.host}/v1.0"
    following = {"@odata.nextLink": f"{base}/oauth2PermissionGrants?$skiptoken=2"}
    lists(server, grants("Mail.Read", **following), grants("Mail.Send"))

    assert graph.granted_to_everybody(CLIENT_ID) == {"Mail.Read", "Mail.Send"}
    assert server.requests[-1].path == "/v1.0/oauth2PermissionGrants?$skiptoken=2"


@pytest.mark.parametrize(
    "following",
    [
        "https://graph.evil.example/v1.0/x",
        "http://{host}/v1.0/x",
        "https://{host}.evil.example/v1.0/x",
        "https://{host}@evil.example/v1.0/x",
        "https://{host}/v1.0evil/x",
        "https://{host}/beta/x",
        "//evil.example/v1.0/x",
        "/v1.0/x",
        7,
    ],
)
def test_no_page_is_fetched_from_anywhere_else(server, graph, following):
    link = following.format(host=server.host) if isinstance(following, str) else following
    lists(server, grants("Mail.Read", **{"@odata.nextLink": link}))

    assert graph.granted_to_everybody(CLIENT_ID) == {"Mail.Read"}
    assert len(server.requests) == 2


def test_pages_without_end_come_to_one(server, graph):
    following = {"@odata.nextLink": f"https://{server.host}/v1.0/oauth2PermissionGrants?$skiptoken=again"}
    lists(server, *[grants("Mail.Read", **following)] * (MOST_PAGES + 1))

    assert graph.granted_to_everybody(CLIENT_ID) == {"Mail.Read"}
    assert len(server.requests) == 1 + MOST_PAGES


@pytest.mark.parametrize("status", [301, 302, 307])
def test_no_redirect_is_followed(server, graph, status):
    server.answer = lambda request: reply(status, "", {"Location": f"https://{server.host}/v1.0/elsewhere"})

    with pytest.raises(EntraUnreachable):
        graph.mailbox_settings()

    assert len(server.requests) == 1


# What it makes of a no, and of silence


@pytest.mark.parametrize(
    ("status", "code"), [(404, NO_MAILBOX), (403, "ErrorAccessDenied"), (401, "InvalidAuthenticationToken")]
)
def test_a_refusal_carries_status_and_graphs_own_word(server, graph, status, code):
    server.answer = lambda request: reply(status, {"error": {"code": code, "message": "Some words."}})

    with pytest.raises(GraphRefused) as caught:
        graph.mailbox_settings()

    assert (caught.value.status, caught.value.code) == (status, code)
    assert "Some words" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [None, "x", [], {}, {"code": 7}, {"code": "<script>"}, {"code": "a\r\nb"}, {"code": "x" * 81}]
)
def test_a_word_that_is_none_is_not_kept(server, graph, error):
    server.answer = lambda request: reply(403, {"error": error})

    with pytest.raises(GraphRefused) as caught:
        graph.mailbox_settings()

    assert (caught.value.status, caught.value.code) == (403, "")


@pytest.mark.parametrize(
    ("status", "body"), [(500, {}), (503, {"error": {"code": NO_MAILBOX}}), (200, "<html>"), (200, "[]"), (404, "gone")]
)
def test_what_is_no_clear_answer_is_no_refusal(server, graph, status, body):
    server.answer = lambda request: reply(status, body)

    with pytest.raises(EntraUnreachable) as caught:
        graph.mailbox_settings()

    assert not caught.value.throttled


def test_a_throttled_answer_says_when_to_come_again(server, graph):
    server.answer = lambda request: reply(429, {}, {"Retry-After": "17"})

    with pytest.raises(EntraUnreachable) as caught:
        graph.mailbox_settings()

    assert (caught.value.throttled, caught.value.retry_after) == (True, 17)


def test_silence_is_no_refusal(server, graph):
    server.answer = lambda request: b""

    with pytest.raises(EntraUnreachable, match="could not be reached"):
        graph.mailbox_settings()


# The token


@pytest.mark.parametrize(
    "answer",
    [b"", reply(403, {"error": {"code": "x", "message": TOKEN}}), reply(500, TOKEN), reply(200, TOKEN)],
    ids=["silence", "refused", "broken", "no JSON"],
)
def test_the_token_stands_in_no_repr_and_no_error(server, graph, answer, caplog):
    caplog.set_level("DEBUG")
    server.answer = lambda request: answer
    with pytest.raises((GraphRefused, EntraUnreachable)) as caught:
        graph.mailbox_settings()

    told = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in repr(graph) + told + str(vars(caught.value)) + caplog.text
