"""Whose address a request came from. What a proxy says of it counts only where TRUSTED_PROXIES names that proxy."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

LONGEST_CHAIN = 20  # proxies; no site has as many, and a header may be made very long
WITH_PORT = re.compile(r"\[(?P<v6>[^\[\]]+)\](:[0-9]{1,5})?|(?P<v4>[0-9.]+):[0-9]{1,5}")


def client_address(request: HttpRequest) -> str:
    """The nearest address that is no trusted proxy's, as the trusted ones before it tell.

    Whatever a client writes into X-Forwarded-For stands further away and is never reached. Something unreadable ends
    the way at the last address before it. Empty where nobody knows: a unix socket without TRUSTED_PROXIES.
    """
    proxies = _networks(tuple(settings.TRUSTED_PROXIES))
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").rsplit(",", LONGEST_CHAIN)[-LONGEST_CHAIN:]
    peer = request.META.get("REMOTE_ADDR", "")
    if peer or not proxies:  # a unix socket has no address; only a proxy on this machine speaks through it
        hops.append(peer)
    nearest = None
    for hop in reversed(hops):
        address = _parsed(hop)
        if address is None:
            break
        nearest = address
        if not any(address in network for network in proxies):
            break
    return str(nearest or "")


def proxy_network(text: str) -> IPv4Network | IPv6Network:
    """One entry of TRUSTED_PROXIES, or ValueError."""
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


@lru_cache(maxsize=4)
def _networks(entries: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [proxy_network(entry) for entry in entries]


def _parsed(hop: str) -> IPv4Address | IPv6Address | None:
    hop = hop.strip()
    parts = WITH_PORT.fullmatch(hop)
    try:
        address = ip_address(parts["v6"] or parts["v4"] if parts else hop)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))  # the number has no zone, which may be any text
    return address
