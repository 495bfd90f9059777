import pytest
from django.test import RequestFactory
from django.urls import reverse

from tenants.client_address import client_address
from tenants.models import Event
from tests.factories import make_superuser

CLIENT, PROXY, OUTER = "198.51.100.7", "10.0.0.1", "10.0.0.2"


@pytest.fixture
def seen(settings):
    """The address seen of a request from this peer, with this X-Forwarded-For."""
    settings.TRUSTED_PROXIES = ["10.0.0.0/30", "fd00::1"]

    def seen(peer: str, forwarded: str | None = None) -> str:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))

    return seen


def test_without_trusted_proxies_the_peer_is_the_client(seen, settings):
    settings.TRUSTED_PROXIES = []

    assert seen(CLIENT) == CLIENT
    assert seen(PROXY, CLIENT) == PROXY


def test_a_peer_that_is_no_trusted_proxy_is_not_believed(seen):
    assert seen("192.0.2.1", CLIENT) == "192.0.2.1"


@pytest.mark.parametrize("peer", [PROXY, "fd00::1", "::ffff:10.0.0.1"])
def test_a_trusted_proxy_is_believed(seen, peer):
    assert seen(peer, CLIENT) == CLIENT


@pytest.mark.parametrize("spoofed", ["192.0.2.9", f"192.0.2.9, {PROXY}", "garbage", "," * 5000, "192.0.2.9, " * 5000])
def test_what_the_client_wrote_itself_is_never_reached(seen, spoofed):
    assert seen(PROXY, f"{spoofed}, {CLIENT}") == CLIENT
    assert seen(PROXY, f"{spoofed}, {CLIENT}, {OUTER}") == CLIENT


def test_a_client_that_is_a_proxy_itself_is_the_farthest_trusted_one(seen):
    assert seen(PROXY, OUTER) == OUTER
    assert seen(PROXY) == PROXY


@pytest.mark.parametrize(
    "garbage", ["", " ", "unknown", "_hidden", "1.2.3", "010.0.0.1", "1.2.3.4:x", "[::1", "2001:db8::/64", "x" * 9000]
)
def test_something_unreadable_ends_the_way_at_the_last_good_address(seen, garbage):
    assert seen(PROXY, f"{CLIENT}, {garbage}, {OUTER}") == OUTER
    assert seen(PROXY, f"{CLIENT}, {garbage}") == PROXY


def test_the_way_is_not_followed_for_ever(seen):
    assert seen(PROXY, f"{CLIENT}, " + ", ".join([OUTER] * 5000)) == OUTER


@pytest.mark.parametrize(
    ("told", "address"),
    [
        (f"{CLIENT}:51234", CLIENT),
        (f"  {CLIENT}\t", CLIENT),
        ("::ffff:198.51.100.7", CLIENT),
        ("[::ffff:198.51.100.7]:51234", CLIENT),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:51234", "2001:db8::1"),
        ("fe80::1%<script>", "fe80::1"),
    ],
)
def test_an_address_is_read_however_it_is_written(seen, told, address):
    assert seen(PROXY, told) == address


def test_a_unix_socket_is_a_trusted_proxy_where_there_are_any(seen, settings):
    assert seen("", f"192.0.2.9, {CLIENT}, {OUTER}") == CLIENT
    settings.TRUSTED_PROXIES = []
    assert seen("", CLIENT) == ""


@pytest.mark.parametrize("peer", ["unix:", "/run/proxy.sock", "localhost"])
def test_a_peer_that_cannot_be_read_is_nobody_and_not_believed(seen, peer):
    assert seen(peer, CLIENT) == ""


def test_a_proxy_may_be_named_by_an_address_within_ipv6(seen, settings):
    settings.TRUSTED_PROXIES = ["::ffff:10.0.0.0/126"]

    assert seen(PROXY, CLIENT) == CLIENT


@pytest.mark.django_db
def test_history_names_the_client_and_not_the_proxy(client, settings):
    settings.TRUSTED_PROXIES = [PROXY]
    client.force_login(make_superuser())
    data = {"name": "Contoso", "slug": "contoso", "accesses-TOTAL_FORMS": 0, "accesses-INITIAL_FORMS": 0}
    told = f"192.0.2.9, {CLIENT}"
    client.post(reverse("admin:tenants_tenant_add"), data, headers={"X-Forwarded-For": told}, REMOTE_ADDR=PROXY)

    assert Event.objects.get().address == CLIENT
