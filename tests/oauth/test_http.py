"""The client over real TLS on loopback: what it sends, where it refuses to go, and when it gives up."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError, SSLError

from oauth import http
from oauth.http import Answer, EndlessBody, HttpClient, RefusedAddress, client_for
from tenants.clouds import BUILT_IN, Cloud

from .tls_server import reply, tls_server

DIRECTORY = "11111111-2222-3333-4444-555555555555"
DISCOVERY = f"/{DIRECTORY}/v2.0/.well-known/openid-configuration"
DOCUMENT = {"issuer": "https://localhost/x/v2.0"}


@pytest.fixture
def server(tmp_path):
    with tls_server(tmp_path) as server:
        yield server


@pytest.fixture
def cloud(server):
    return Cloud(key="test", name="Test", login_host=server.host, graph_host=server.host, ca_file=server.ca_file)


@pytest.fixture
def client(cloud):
    client = HttpClient(cloud, connect=1, read=0.3)
    yield client
    client.close()


@pytest.fixture
def url(server):
    return f"https://{server.host}/x"


def test_a_post_sends_a_form_and_gives_back_status_text_and_headers(server, client, url):
    server.answer = lambda request: reply(400, {"error": "no"}, {"X-Ms-Request-Id": "7"})
    answer = client.post(url, data={"scope": "a b", "secret": "x&y=1"}, headers={"client-request-id": "1"})
    assert (answer.status_code, answer.text) == (400, '{"error": "no"}')
    assert dict(answer.headers.items())["X-Ms-Request-Id"] == "7"
    sent = server.requests[0]
    assert (sent.method, sent.body) == ("POST", "scope=a+b&secret=x%26y%3D1")
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert sent.headers["client-request-id"] == "1"


def test_a_get_carries_its_parameters(server, client, url):
    assert client.get(url, params={"q": "a&b"}).text == "hello"
    assert server.requests[0].path == "/x?q=a%26b"


def test_msal_would_not_take_it_for_nothing(client):
    assert client  # MSAL replaces a client that is false by one of its own


def test_it_waits_five_seconds_for_a_connection_and_fifteen_for_an_answer(cloud):
    timeout = HttpClient(cloud)._timeout
    assert (timeout.connect_timeout, timeout.read_timeout) == (5, 15)


def test_a_server_that_says_nothing_is_left(server, client, url):
    server.answer = lambda request: iter([time.sleep(1) or b""])
    with pytest.raises(ReadTimeoutError):
        client.get(url)


def test_a_server_that_trickles_is_left(server, client, url):
    def trickle():
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        for _ in range(20):
            time.sleep(0.1)
            yield b"x"

    server.answer = lambda request: trickle()
    started = time.monotonic()
    with pytest.raises(EndlessBody):
        client.get(url)
    assert time.monotonic() - started < 1.5


def test_a_body_without_end_is_left(server, client, url):
    server.answer = lambda request: reply(200, "x" * (http.MAX_BODY + 1))
    with pytest.raises(EndlessBody):
        client.get(url)


def test_a_body_as_large_as_allowed_is_read(server, client, url):
    server.answer = lambda request: reply(200, "x" * http.MAX_BODY)
    assert len(client.get(url).text) == http.MAX_BODY


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"??\r\n\r\n"])
def test_an_answer_that_breaks_off_is_an_error(server, client, url, cut):
    server.answer = lambda request: iter([cut, b""])
    with pytest.raises(ProtocolError):
        client.get(url)


def test_a_broken_answer_does_not_spoil_the_next_one(server, client, url):
    server.answer = lambda request: iter([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b""])
    with pytest.raises(ProtocolError):
        client.get(url)
    server.answer = lambda request: reply(200, "whole")
    assert client.get(url).text == "whole"


def test_nobody_listening_is_an_error(client, cloud):
    with pytest.raises(HTTPError):
        HttpClient(replace(cloud, login_host="localhost:1"), connect=1).get("https://localhost:1/x")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(server, client, url, status):
    server.answer = lambda request: reply(status, "", {"Location": url})
    assert client.post(url, data={"a": "b"}).status_code == status
    assert len(server.requests) == 1


def test_nothing_is_tried_twice(server, client, url):
    server.answer = lambda request: reply(503, "busy", {"Retry-After": "0"})
    assert client.post(url, data={"a": "b"}).status_code == 503
    assert len(server.requests) == 1


def test_a_certificate_of_another_authority_is_refused(server, cloud, url, tmp_path):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with pytest.raises(SSLError):
        HttpClient(replace(cloud, ca_file=str(tmp_path / "other.pem"))).get(url)
    assert server.requests == []


def test_without_an_authority_of_its_own_the_systems_are_asked(server, cloud, url):
    with pytest.raises(SSLError):
        HttpClient(replace(cloud, ca_file=None)).get(url)


def test_the_environment_cannot_swap_the_authority(server, cloud, url, tmp_path, monkeypatch):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "other.pem"))
    assert HttpClient(cloud).get(url).status_code == 200


def test_a_certificate_for_another_name_is_refused(server, cloud):
    host = server.host.replace("localhost", "127.0.0.1")
    with pytest.raises(SSLError):
        HttpClient(replace(cloud, login_host=host)).get(f"https://{host}/x")


@pytest.mark.parametrize(
    "address",
    [
        "http://{host}/x",
        "ftp://{host}/x",
        "//{host}/x",
        "https://{host}.evil.example/x",
        "https://evil.example/{host}",
        "https://{host}@evil.example/x",
        "https://user:word@{host}/x",
        "https://evil.example#{host}",
        "https://evil.example\\@{host}/x",
        "https://localhost:1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https:///x",
        "",
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_nothing_goes_anywhere_else(server, client, address, method):
    with pytest.raises(RefusedAddress):
        getattr(client, method)(address.format(host=server.host))
    assert server.requests == []


def test_both_hosts_of_the_cloud_are_served(server, cloud):
    client = HttpClient(replace(cloud, login_host="login.example"))
    assert client.get(f"https://{server.host}/x").status_code == 200


def test_connections_are_kept_and_shared_by_threads(server, cloud, url):
    clients = [client_for(cloud) for _ in range(200)]
    assert len(set(clients)) == 1
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda client: client.post(url, data={"a": "b"}).status_code, clients))
    assert answers == [200] * 200
    assert len(server.connections) <= 16
    clients[0].close()


def test_clouds_of_one_authority_share_one_pool(server, cloud, url):
    client_for(cloud).get(url)
    client_for(replace(cloud, key="other")).get(url)
    assert len(server.connections) == 1
    client_for(cloud).close()


FORKS = """
import os, sys
from tenants.clouds import Cloud
from oauth.http import client_for
cloud = Cloud(key="t", name="T", login_host=sys.argv[1], graph_host=sys.argv[1], ca_file=sys.argv[2])
url = f"https://{sys.argv[1]}/"
assert client_for(cloud).get(url + "parent").text == "hello"
child = os.fork()
if child == 0:
    os._exit(0 if client_for(cloud).get(url + "child").text == "hello" else 1)
assert os.waitpid(child, 0)[1] == 0
assert client_for(cloud).get(url + "parent-again").text == "hello"
"""


def test_a_forked_worker_opens_connections_of_its_own(server, cloud):
    command = [sys.executable, "-W", "error", "-c", FORKS, cloud.login_host, cloud.ca_file]
    root = Path(__file__).parents[2]
    subprocess.run(command, check=True, timeout=30, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    assert [request.path for request in server.requests] == ["/parent", "/child", "/parent-again"]
    assert len(server.connections) == 2


@pytest.mark.parametrize("cloud", BUILT_IN, ids=lambda cloud: cloud.key)
def test_discovery_of_a_built_in_cloud_needs_no_network(cloud):
    answer = HttpClient(cloud).get(f"https://{cloud.login_host}{DISCOVERY}")
    assert answer.json_object == {
        "issuer": f"https://{cloud.login_host}/{DIRECTORY}/v2.0",
        "authorization_endpoint": f"https://{cloud.login_host}/{DIRECTORY}/oauth2/v2.0/authorize",
        "token_endpoint": f"https://{cloud.login_host}/{DIRECTORY}/oauth2/v2.0/token",
    }


@pytest.mark.parametrize("directory", ["common", "organizations", "contoso.example"])
def test_the_template_leaves_open_which_directory_answers(directory):
    answer = HttpClient(BUILT_IN[0]).get(
        f"https://login.microsoftonline.com/{directory}/v2.0/.well-known/openid-configuration"
    )
    assert answer.json_object["issuer"] == "https://login.microsoftonline.com/{tenantid}/v2.0"


def test_discovery_of_another_cloud_is_asked_once_an_hour(server, client, monkeypatch):
    assert http.DISCOVERY_LIFETIME == 3600
    monkeypatch.setattr(http, "DISCOVERY_LIFETIME", 0.5)
    url = f"https://{server.host}{DISCOVERY}"
    server.answer = lambda request: reply(200, DOCUMENT)
    assert client.get(url).json_object == DOCUMENT
    server.answer = lambda request: reply(200, {"issuer": "moved"})
    assert client.get(url).json_object == DOCUMENT
    assert len(server.requests) == 1
    time.sleep(0.5)
    assert client.get(url).json_object == {"issuer": "moved"}


@pytest.mark.parametrize("turns", [nullcontext, http.Turns])
def test_discovery_wanted_by_many_at_once_is_asked_once(server, client, turns):
    server.answer = lambda request: iter([time.sleep(0.2) or reply(200, DOCUMENT), b""])
    url, own = f"https://{server.host}{DISCOVERY}", turns()

    def ask(_: int) -> dict[str, object] | None:
        with own:
            return client.get(url).json_object

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8), timeout=5)) == [DOCUMENT] * 8
    assert len(server.requests) == 1


def test_discovery_that_fails_fails_for_all_who_waited(server, client):
    server.answer = lambda request: iter([time.sleep(0.1) or b"", b""])
    url = f"https://{server.host}{DISCOVERY}"

    def ask(_: int) -> str:
        try:
            client.get(url)
        except HTTPError:
            return "failed"
        return "answered"

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(4))) == ["failed"] * 4
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "bad", [reply(503), reply(400, {"error": "invalid_tenant"}), reply(200, "<html>"), reply(200, {})]
)
def test_a_bad_discovery_is_not_kept(server, client, bad):
    url = f"https://{server.host}{DISCOVERY}"
    server.answer = lambda request: bad
    client.get(url)
    server.answer = lambda request: reply(200, DOCUMENT)
    assert client.get(url).json_object == DOCUMENT


def test_only_so_many_discoveries_are_kept(server, client, monkeypatch):
    monkeypatch.setattr(http, "MAX_DISCOVERED", 2)
    server.answer = lambda request: reply(200, DOCUMENT)
    for name in "abcacb":
        client.get(f"https://{server.host}/{name}/v2.0/.well-known/openid-configuration")
    assert [request.path[1] for request in server.requests] == ["a", "b", "c", "a", "b"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60", 60),
        ("0", 0),
        ("999999999999", 3600),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("1 Jan 99999999999999999999 10:00:00 GMT", None),
    ],
)
def test_the_pause_a_server_asks_for_is_read_and_bounded(header, seconds):
    assert Answer(429, "", {"Retry-After": header}).retry_after == seconds


def test_the_pause_may_be_a_date():
    answer = Answer(429, "", {"Retry-After": formatdate(time.time() + 90, usegmt=True)})
    assert 85 < answer.retry_after <= 91
    assert Answer(429, "", {"Retry-After": formatdate(0, usegmt=True)}).retry_after == 0
    assert Answer(429, "", {"Retry-After": formatdate(4e9, usegmt=True)}).retry_after == 3600


def test_no_header_is_no_pause(server, client, url):
    assert client.get(url).retry_after is None


@pytest.mark.parametrize("text", ["", "<html>", "[]", "null", "7", '"x"', "{", "[" * 100_000])
def test_only_an_object_is_an_object(text):
    assert Answer(200, text, {}).json_object is None


def test_an_answer_shows_neither_body_nor_headers():
    assert repr(Answer(200, "canary", {"Set-Cookie": "canary"})) == "Answer(status_code=200)"
