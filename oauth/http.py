"""HttpClient: the get, post and close MSAL asks for, over urllib3's pool, with our timeouts and limits."""

import json
import os
import re
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.views.decorators.debug import sensitive_variables
from urllib3 import BaseHTTPResponse, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError, SSLError
from urllib3.util import Retry, Url, parse_url

from tenants.clouds import Cloud

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
MAX_BODY = 1 << 20
MAX_RETRY_AFTER = 3600
DISCOVERY = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration")
DISCOVERY_LIFETIME = 3600
MAX_DISCOVERED = 20_000  # a night's directories, at about a kilobyte each
LEAST_KEPT = 32
_NEVER_AGAIN = Retry.from_int(False, redirect=False)
PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")


class RefusedAddress(ValueError):
    """Not an https address of this cloud's sign-in or Graph host; nothing was sent."""


class EndlessBody(HTTPError):
    """The body is larger or slower than any answer we could use."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, as MSAL reads it. Body and headers stay out of its repr."""

    status_code: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def retry_after(self) -> float | None:
        """Seconds the server asks us to wait, an hour at most; None if it names no time we can read."""
        value = (self.headers.get("Retry-After") or "").strip()
        if value.isascii() and value.isdigit():
            return float(min(int(value[:9]), MAX_RETRY_AFTER))
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), float(MAX_RETRY_AFTER))

    @property
    def json_object(self) -> dict[str, object] | None:
        """The body's JSON object, or None if it is anything else."""
        try:
            data = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return data if isinstance(data, dict) else None


class HttpClient:
    """Talks https to one cloud's sign-in and Graph hosts and to nothing else; follows no redirect, tries nothing twice.

    Raises urllib3's HTTPError when no answer comes in time. OpenID discovery of a built-in cloud is answered from a
    template, without the network; a good answer of another cloud is kept for an hour.
    """

    def __init__(self, cloud: Cloud, *, connect: float = CONNECT_SECONDS, read: float = READ_SECONDS) -> None:
        self._cloud = cloud
        self._timeout = Timeout(connect=connect, read=read)
        self._body_seconds = 2 * read  # the read timeout starts again with every byte
        self._hosts = {cloud.login_host.lower(), cloud.graph_host.lower()}
        self._origins = {f"https://{host}": host for host in self._hosts}
        self._discovered: dict[str, tuple[float, Answer]] = {}
        self._asking: dict[str, Future[Answer]] = {}
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_ignored: object,
    ) -> Answer:
        address = self._allowed(url, params)
        discovery = DISCOVERY.fullmatch(address[1].partition("?")[0])
        if discovery is None:
            return self._send("GET", address, headers)
        if self._cloud.built_in:
            return self._template(discovery[1])
        return self._discover(address, headers)

    @sensitive_variables()
    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_ignored: object,
    ) -> Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", self._allowed(url, params), {**(headers or {}), **form}, urlencode(data or {}))

    def close(self) -> None:
        """Let go of the idle connections of this process to every cloud that shares this one's CA."""
        for pool in _take_pools(self._cloud.ca_file):
            pool.close()

    def directory_of(self, domain: str) -> str:
        """The ID of the directory that holds this domain, in lower case, or empty if the cloud names none.

        Really asked, of a built-in cloud too; a good answer is kept for an hour. Raises urllib3's HTTPError.
        """
        address = self._allowed(f"{self._cloud.authority(domain)}/v2.0/.well-known/openid-configuration", None)
        answer = self._discover(address, None)
        document = answer.json_object or {}
        found = GUID.search(str(document.get("issuer", ""))) if answer.status_code == 200 else None
        return found[0].lower() if found else ""

    def openid_configuration(self, directory: str) -> Answer:
        """What the login host says of this directory, really asked now, of a built-in cloud too; nothing is kept.

        Takes an ID or a domain, which becomes part of an address. Raises urllib3's HTTPError.
        """
        url = f"{self._cloud.authority(directory)}/v2.0/.well-known/openid-configuration"
        return self._send("GET", self._allowed(url, None), None)

    def _allowed(self, url: str, params: Mapping[str, str] | None) -> tuple[str, str]:
        """The host it goes to and what is asked of it there."""
        query = f"?{urlencode(params)}" if params else ""
        # What nearly all addresses are like; reading one as urllib3 does costs a twentieth of a whole refresh.
        slash = url.find("/", len("https://"))
        if (host := self._origins.get(url[:slash])) is not None and PLAIN_PATH.fullmatch(url, slash):
            return host, url[slash:] + query
        try:
            parts = parse_url(url)
        except LocationParseError:
            parts = Url()
        if parts.scheme != "https" or parts.auth is not None or parts.netloc not in self._hosts:
            raise RefusedAddress(f"“{parts.netloc or ''}” is not an https host of the cloud “{self._cloud.key}”.")
        return parts.netloc, parts.request_uri + query

    @sensitive_variables()
    def _send(
        self, method: str, address: tuple[str, str], headers: Mapping[str, str] | None, form: str | None = None
    ) -> Answer:
        host, path = address
        response = _pool(self._cloud.ca_file, host).urlopen(
            method,
            path,
            body=form,
            headers=headers,
            timeout=self._timeout,
            retries=_NEVER_AGAIN,
            redirect=False,
            preload_content=False,
            decode_content=False,  # we ask for no compression, so a small answer cannot unpack into a large one
        )
        body = _read(response, self._body_seconds)
        return Answer(response.status, body.decode("utf-8", "replace"), response.headers)

    def _template(self, directory: str) -> Answer:
        endpoints = f"{self._cloud.authority(directory)}/oauth2/v2.0"
        document = {
            "issuer": self._cloud.issuer(directory.lower() if GUID.fullmatch(directory) else "{tenantid}"),
            "authorization_endpoint": f"{endpoints}/authorize",
            "token_endpoint": f"{endpoints}/token",
        }
        return Answer(200, json.dumps(document), {})

    def _discover(self, address: tuple[str, str], headers: Mapping[str, str] | None) -> Answer:
        """Kept, or asked once for all who want it now: they share the answer, or that there is none."""
        _, path = address
        with self._lock:
            expires, answer = self._discovered.get(path, (0.0, None))
            if answer is not None and time.monotonic() < expires:
                return answer
            theirs = self._asking.get(path)
            own: Future[Answer] = self._asking.setdefault(path, Future())
        if theirs is not None:
            with _others_turn:
                return theirs.result()
        try:
            answer = self._send("GET", address, headers)
        except BaseException as problem:
            own.set_exception(problem)
            raise
        else:
            self._keep(path, answer)
            own.set_result(answer)
            return answer
        finally:
            with self._lock:
                del self._asking[path]

    def _keep(self, path: str, answer: Answer) -> None:
        if answer.status_code != 200 or not answer.json_object:
            return
        with self._lock:
            self._discovered.pop(path, None)
            while len(self._discovered) >= MAX_DISCOVERED:
                del self._discovered[next(iter(self._discovered))]  # the oldest
            self._discovered[path] = (time.monotonic() + DISCOVERY_LIFETIME, answer)


@sensitive_variables()
def _read(response: BaseHTTPResponse, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    body = bytearray()
    try:
        while chunk := response.read1(65536):
            body += chunk
            if len(body) > MAX_BODY or time.monotonic() > deadline:
                raise EndlessBody("The answer is too long.")
    except BaseException:
        response.close()
        raise
    return bytes(body)


class Turns:
    """Lets one of many threads compute at a time and any number wait for an answer: enter it around what a thread does.

    There is one interpreter, and a thread that queues for it wakes up every few milliseconds to ask; one that waits
    here sleeps. One thread may go `first`: it waits for nobody but the one whose turn it is.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._turn = threading.Lock()
        self.first = self._turn

    def take(self) -> None:
        with self._gate:
            self._turn.acquire()

    def give(self) -> None:
        self._turn.release()

    def __enter__(self) -> None:
        self.take()
        _own.turns = self

    def __exit__(self, *_: object) -> None:
        _own.turns = None
        self.give()


_own = threading.local()


class _OthersTurn:
    """Entered by whoever has to wait: if it is this thread's turn, it is somebody else's meanwhile."""

    def __enter__(self) -> None:
        if (turns := getattr(_own, "turns", None)) is not None:
            turns.give()

    def __exit__(self, *_: object) -> None:
        if (turns := getattr(_own, "turns", None)) is not None:
            turns.take()


_others_turn = _OthersTurn()


class _Socket(ssl.SSLSocket):
    def recv_into(self, *into: Any) -> int:
        with _others_turn:
            return super().recv_into(*into)


class _Connection(HTTPSConnection):
    def connect(self) -> None:
        with _others_turn:
            super().connect()


class _Pool(HTTPSConnectionPool):
    """Whose connections wait in others' turn, and only there: for the other side, its handshake and its answer."""

    ConnectionCls = _Connection


_lock = threading.Lock()
_pools: dict[tuple[int, str | None, str], HTTPSConnectionPool] = {}
_clients: dict[Cloud, HttpClient] = {}


def client_for(cloud: Cloud) -> HttpClient:
    """This process's client for the cloud. Any number of threads may use it; its connections are kept and shared."""
    with _lock:
        return _clients.setdefault(cloud, HttpClient(cloud))


def _pool(ca_file: str | None, host: str) -> HTTPSConnectionPool:
    """The kept connections to a host, one for each check that may be in flight."""
    # Keyed by process: a forked worker must not talk into its parent's TLS connections. The parent's pools stay in the
    # dictionary, because letting them go would take locks that another thread may have held when the process forked.
    key = (os.getpid(), ca_file, host)
    with _lock:
        if key not in _pools:
            where = parse_url(f"https://{host}")
            most = max(settings.CHECKS_IN_FLIGHT, LEAST_KEPT)
            _pools[key] = _Pool(where.host or "", where.port, maxsize=most, ssl_context=_tls(ca_file))
        return _pools[key]


def _tls(ca_file: str | None) -> ssl.SSLContext:
    """Certificates are verified, by the system's authorities unless a file of others is named."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as problem:
        raise SSLError(problem) from None
    context.sslsocket_class = _Socket
    return context


def _take_pools(ca_file: str | None) -> list[HTTPSConnectionPool]:
    with _lock:
        own = [key for key in _pools if key[:2] == (os.getpid(), ca_file)]
        return [_pools.pop(key) for key in own]


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=_after_fork)
