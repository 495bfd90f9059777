"""The guard before addresses that operators typed: what is refused, and that nothing gets around it."""

import socket
import ssl
import time
from http.client import HTTPException
from typing import Any

import pytest
import trustme

from monitoring.transports import guard
from monitoring.transports.guard import Guard, Refused, Unreachable, is_public, parse

from .receiver import Receiver

BAD_ADDRESSES = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.1.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "localhost",
]

BAD_URLS = [
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/hosts",
    "gopher://hooks.example.com/",
    "//hooks.example.com/",
    "hooks.example.com",
    "https:hooks.example.com",
    "https:/hooks.example.com",
    "https://",
    "https:///path",
    "https://:443/",
    "https://hooks.example.com:80/",
    "https://hooks.example.com:22/",
    "https://hooks.example.com:6379/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:65536/",
    "https://hooks.example.com:-1/",
    "https://hooks.example.com:https/",
    "https://user@hooks.example.com/",
    "https://user:word@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1#@hooks.example.com/",
    "https://hooks.example.com/#part",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com\\.internal/",
    "https://hooks_.-example.com/",
    "https://-hooks.example.com/",
    "https://hooks..example.com/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0x7f.0.0.1/",
    "https://127.0.0.0x1/",
    "https://1.2.3.4.5/",
    "https://256.256.256.256/",
    "https://[::1/",
    "https://[::1]x/",
    "https://[fe80::1%25eth0]/",
    "https://[v1.x]/",
    "https://hooks.example.com/a|b",
    "https://hooks.example.com/<b>",
    "https://%31%32%37.0.0.1/",
    "https://hooks.example.com/%0d%0a\\",
    "https://ho%6fks.example.com/",
    'https://hooks.example.com/"x"',
]

# Taken apart as addresses, and refused once it is known where they lead.
BAD_BY_NUMBER = {
    "https://127.0.0.1/": "127.0.0.1",
    "https://127.0.0.1./": "127.0.0.1",
    "https://①②⑦.0.0.1/": "127.0.0.1",
    "https://１２７.０.０.１/": "127.0.0.1",
    "https://127。0。0。1/": "127.0.0.1",
    "https://[::1]/": "::1",
    "https://[::ffff:127.0.0.1]/": "::ffff:127.0.0.1",
    "https://[::ffff:7f00:1]:8443/": "::ffff:7f00:1",
    "https://[64:ff9b::7f00:1]/": "64:ff9b::7f00:1",
    "https://[2002:7f00:1::]/": "2002:7f00:1::",
    "https://169.254.169.254/latest/meta-data/": "169.254.169.254",
    "https://168.63.129.16/machine": "168.63.129.16",
    "https://localhost/": "127.0.0.1",
    "https://LOCALHOST./": "127.0.0.1",
    "https://internal.example.com:8443/": "10.1.2.3",
}


def answering(*addresses: str, port: int | None = None) -> guard.Resolve:
    """A resolver that has these addresses for every name."""

    def resolve(host: str, asked: int) -> list[Any]:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, port or asked),
            )
            for address in addresses
        ]

    return resolve


def nobody(*asked: Any) -> list[Any]:
    raise AssertionError("nobody should have asked for a name")


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority, tmp_path):
    """What a receiver with a certificate for hooks.example.com needs, and the file to trust it by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.com").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context, str(tmp_path / "ca.pem")


def test_the_corpus_is_large_enough():
    assert len(BAD_URLS) + len(BAD_BY_NUMBER) >= 60
    assert len(BAD_ADDRESSES) >= 45


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_an_address_that_is_not_on_the_internet_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_one_that_is_on_the_internet_is(address):
    assert is_public(address)


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_plain_https_address_is_refused(url):
    with pytest.raises(Refused) as refusal:
        parse(url)
    assert url not in str(refusal.value)


@pytest.mark.parametrize("character", [" ", "\t", "\n", "\r", "\x00", "\x7f", "\u2028"])
def test_no_address_holds_what_could_be_read_in_two_ways(character):
    with pytest.raises(Refused):
        parse(f"https://hooks.example.com/{character}x")


def test_a_very_long_address_is_refused():
    assert parse("https://hooks.example.com/" + "a" * 2000).port == 443
    with pytest.raises(Refused, match="2,048"):
        parse("https://hooks.example.com/" + "a" * 2048)


@pytest.mark.parametrize(("url", "address"), BAD_BY_NUMBER.items())
def test_a_name_or_number_that_leads_inside_is_refused_before_anything_is_sent(url, address):
    parsed = parse(url)
    with pytest.raises(Refused):
        Guard(resolve=answering(address)).post(parsed, b"", {})


def test_a_name_is_written_as_its_certificate_has_it():
    assert parse("https://Bücher.Example.COM./a?b=c").host == "xn--bcher-kva.example.com"
    assert parse("https://Hooks.Example.com:8443/a?b=c") == guard.Address("hooks.example.com", 8443, "/a?b=c")


def test_one_bad_address_among_good_ones_is_enough(tls):
    context, ca_file = tls
    with Receiver(context=context) as receiver:
        sender = Guard(
            resolve=answering("127.0.0.1", "10.0.0.1", port=receiver.port), allow_loopback=True, ca_certs=ca_file
        )
        with pytest.raises(Refused):
            sender.post(parse("https://hooks.example.com/"), b"{}", {})
    assert receiver.got == []


def test_a_name_that_changes_its_mind_between_two_questions_is_asked_once(tls):
    context, ca_file = tls
    with Receiver(context=context) as receiver:
        answers = [answering("127.0.0.1", port=receiver.port), answering("169.254.169.254")]
        asked = []

        def rebinding(host: str, port: int) -> list[Any]:
            asked.append(host)
            return answers[len(asked) - 1](host, port)

        sender = Guard(resolve=rebinding, allow_loopback=True, ca_certs=ca_file)
        assert sender.post(parse("https://hooks.example.com/"), b"{}", {}).status_code == 200
    assert asked == ["hooks.example.com"]


def test_a_name_that_has_turned_bad_since_it_was_checked_is_refused():
    parsed = parse("https://hooks.example.com/")
    with pytest.raises(Refused):
        Guard(resolve=answering("127.0.0.1")).post(parsed, b"", {})


def test_the_certificate_must_be_of_the_name_and_trusted(tls, tmp_path):
    context, ca_file = tls
    with Receiver(context=context) as receiver:
        resolve = answering("127.0.0.1", port=receiver.port)
        trusting = Guard(resolve=resolve, allow_loopback=True, ca_certs=ca_file)
        with pytest.raises(ssl.SSLError):
            Guard(resolve=resolve, allow_loopback=True).post(parse("https://hooks.example.com/"), b"", {})
        with pytest.raises(ssl.SSLError):
            trusting.post(parse("https://other.example.com/"), b"", {})
        assert trusting.post(parse("https://hooks.example.com/x?y=1"), b"{}", {}).status_code == 200
    assert [(got.host, got.path) for got in receiver.got] == [("hooks.example.com", "/x?y=1")]


def test_a_redirection_is_not_followed(tls):
    context, ca_file = tls
    with Receiver() as inside, Receiver(context=context, status=302, headers={"Location": inside.url}) as receiver:
        sender = Guard(resolve=answering("127.0.0.1", port=receiver.port), allow_loopback=True, ca_certs=ca_file)
        assert sender.post(parse("https://hooks.example.com/"), b"", {}).status_code == 302
    assert inside.got == []


def test_no_proxy_of_the_environment_is_used(tls, monkeypatch):
    context, ca_file = tls
    with Receiver() as proxy, Receiver(context=context) as receiver:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        sender = Guard(resolve=answering("127.0.0.1", port=receiver.port), allow_loopback=True, ca_certs=ca_file)
        sender.post(parse("https://hooks.example.com/"), b"", {})
    assert (len(receiver.got), proxy.got) == (1, [])


def test_who_keeps_silent_is_cut_off():
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = Guard(resolve=answering("127.0.0.1", port=server.getsockname()[1]), allow_loopback=True, seconds=0.3)
        address = guard.Address("localhost", 8000, "/", is_plain=True)
        began = time.monotonic()
        with pytest.raises((OSError, HTTPException)):
            sender.post(address, b"", {})

        assert time.monotonic() - began < guard.READ_SECONDS / 2


def test_a_name_nobody_knows_is_said_so():
    def unknown(host: str, port: int) -> list[Any]:
        raise socket.gaierror

    with pytest.raises(Unreachable, match="not known"):
        Guard(resolve=unknown).post(parse("https://hooks.example.com/"), b"", {})


@pytest.mark.parametrize("address", ["127.0.0.1"])
def test_this_machine_is_known_by_its_addresses(address):
    assert guard._is_own(socket.AF_INET, (address, 443))


def test_plain_http_is_for_receivers_on_this_machine_where_that_is_allowed(settings):
    with pytest.raises(Refused):
        parse("http://localhost:8000/")
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    assert parse("http://localhost:8000/").is_plain
    with pytest.raises(Refused):
        parse("http://hooks.example.com/")
