"""Requests to addresses that operators typed: only to public hosts, whatever a name resolves to.

A name is resolved once, by us; if any of its addresses is one that must not be reached, nothing is sent, and otherwise
the connection goes to an address that was looked at. A name that changes its mind between check and use gains nothing.
"""

import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import idna
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from oauth.http import Answer

LONGEST = 2048
PORTS = frozenset([443, 8443])
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
TOTAL_SECONDS = 25.0
MOST_READ = 4096

_BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+\](:\d+)?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")

_REFUSED_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' own
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform, reachable from every machine there
        "169.254.0.0/16",  # link-local, with the metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
# Of IPv6 only what is given out for use on the internet; outside it are loopback, link-local, unique and site-local,
# multicast, NAT64, and IPv4 addresses in another dress.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = [
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")  # Teredo and others, examples, 6to4
]

Resolve = Callable[[str, int], list[Any]]


class Refused(ValueError):
    """This address is not sent to. The message says why, without the address."""


class Unreachable(Exception):
    """Nobody took the connection, or not in time."""


@dataclass(frozen=True)
class Address:
    """Where a request goes: exactly what is connected to and asked for, with nothing left to interpretation."""

    host: str
    port: int
    path: str
    is_plain: bool = False  # http, which only receivers on this machine may speak

    @property
    def place(self) -> str:
        """What may be shown of it."""
        port = "" if self.port == 443 and not self.is_plain else f":{self.port}"
        return f"{'http' if self.is_plain else 'https'}://{self.host}{port}"


def parse(url: str) -> Address:
    """Take an https address apart, or raise Refused."""
    if len(url) > LONGEST:
        raise Refused(f"It is longer than {LONGEST:,} characters.")
    if any(character.isspace() or not character.isprintable() or character == "\\" for character in url):
        raise Refused("It holds a space or another character that no address has.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("It is not an address.") from None
    if "@" in parts.netloc:
        raise Refused("It holds a user name. Remove what stands before the @.")
    if "[" in parts.netloc and not _BRACKETED.fullmatch(parts.netloc):
        raise Refused("Its host is not an address of IPv6.")
    if "#" in url:
        raise Refused("It holds a #.")
    host = _host(parts.hostname or "")
    is_plain = parts.scheme == "http" and _is_loopback_name(host) and settings.WEBHOOK_ALLOW_LOOPBACK
    if parts.scheme != "https" and not is_plain:
        raise Refused("It must begin with https://.")
    if port is None:
        port = 80 if is_plain else 443
    if port not in PORTS and not (settings.WEBHOOK_ALLOW_LOOPBACK and _is_loopback_name(host)):
        raise Refused("Only the ports 443 and 8443 are sent to.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _PATH.fullmatch(path) or not path.startswith("/"):
        raise Refused("Its path holds a character that must be percent-encoded.")
    return Address(host, port, path, is_plain)


def _host(name: str) -> str:
    """The name as it is resolved and as its certificate has it."""
    if ":" in name:
        try:
            return str(ipaddress.IPv6Address(name))
        except ValueError:
            raise Refused("Its host is not an address of IPv6.") from None
    try:
        name = idna.encode(name.rstrip("."), uts46=True).decode() if not name.isascii() else name.rstrip(".").lower()
    except idna.IDNAError:
        raise Refused("Its host is not a name.") from None
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise Refused("Its host is not a name.")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):  # what a resolver would read as a number
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise Refused("Its host is a number, but not an address of IPv4 in four parts.") from None
    return name


def _is_loopback_name(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(text: str) -> bool:
    """Whether this address belongs to somebody on the internet, as far as its number tells."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # also one with a zone, which is of a network here
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def _is_own(family: int, address: tuple[Any, ...]) -> bool:
    """Whether it leads back to this machine: then we would come from it, too. Nothing is sent to find out."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(address)
        return bool(probe.getsockname()[0] == address[0])
    return False


def resolve_here(host: str, port: int) -> list[Any]:
    """Every address of the name, as the system's resolver has them."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


@dataclass(frozen=True)
class Guard:
    """Connects to public addresses only. `resolve` answers as `socket.getaddrinfo` does.

    `allow_loopback` lets receivers on this machine through, for a demo and for tests; `ca_certs` names a file with
    authorities to trust instead of the usual ones.
    """

    resolve: Resolve = resolve_here
    allow_loopback: bool = False
    ca_certs: str | None = None
    seconds: float = TOTAL_SECONDS

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection to an address of this name; Refused where any of them must not be reached."""
        try:
            found = self.resolve(host, port)
        except (OSError, UnicodeError):
            raise Unreachable("its name is not known") from None
        if not found:
            raise Unreachable("its name is not known")
        for family, _, _, _, address in found:
            self._refuse_bad(family, address)
        problem: OSError | None = None
        for family, kind, protocol, _, address in found[:3]:
            sock = socket.socket(family, kind or socket.SOCK_STREAM, protocol)
            sock.settimeout(timeout / min(len(found), 3))
            try:
                sock.connect(address)
                sock.settimeout(timeout)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as refusal:
                sock.close()
                problem = refusal
        raise Unreachable("nobody answers there") from problem

    def _refuse_bad(self, family: int, address: tuple[Any, ...]) -> None:
        text = str(address[0])
        with suppress(ValueError):
            if self.allow_loopback and ipaddress.ip_address(text).is_loopback:
                return
        if not is_public(text) or _is_own(family, address):
            raise Refused("The name leads to an address that is not on the internet.")

    def guarded(self, base: type[HTTPConnection]) -> type[HTTPConnection]:
        """urllib3's connection, but it goes where this guard lets it. TLS is asked for by name, as ever."""
        guard = self

        class Guarded(base):  # type: ignore[misc,valid-type]
            def _new_conn(self) -> socket.socket:
                return guard.connect(self.host, self.port, CONNECT_SECONDS)

        return Guarded

    def _connection(self, address: Address) -> HTTPConnection:
        """Not opened yet."""
        if address.is_plain:
            return self.guarded(HTTPConnection)(address.host, address.port, timeout=CONNECT_SECONDS)
        tls: dict[str, Any] = {"ca_certs": self.ca_certs, "ssl_minimum_version": ssl.TLSVersion.TLSv1_2}
        return self.guarded(HTTPSConnection)(address.host, address.port, timeout=CONNECT_SECONDS, **tls)

    def post(self, address: Address, body: bytes, headers: dict[str, str]) -> Answer:
        """Send it and read how it was taken. Follows nothing, tries nothing twice, takes its `seconds` at most.

        Raises Refused, Unreachable, or urllib3's and the socket's own.
        """
        connection = self._connection(address)
        with _ended_within(self.seconds, connection):
            connection.connect()
            connection.timeout = READ_SECONDS
            connection.sock.settimeout(READ_SECONDS)
            connection.request("POST", address.path, body, headers, preload_content=False)
            response = connection.getresponse()
            with suppress(HTTPError, OSError):  # how it was taken is known; what more is said does not matter
                response.read(MOST_READ)
            # What was answered besides is nobody's business.
            return Answer(response.status, "", {"Retry-After": response.headers.get("Retry-After", "")})


@contextmanager
def _ended_within(seconds: float, connection: HTTPConnection) -> Iterator[None]:
    """Timeouts begin anew with each byte; this ends a connection that trickles."""

    def end() -> None:
        sock = connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        connection.close()


def guard_of_site() -> Guard:
    """The guard as the settings want it."""
    return Guard(allow_loopback=settings.WEBHOOK_ALLOW_LOOPBACK, ca_certs=settings.WEBHOOK_CA_FILE or None)
