"""Alerts to chat and on-call services, in the shapes that Apprise knows, over connections of our own."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from apprise import NotifyFormat, NotifyType
from apprise.plugins.base import NotifyBase
from django.conf import settings
from django.views.decorators.debug import sensitive_variables
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from oauth.http import Answer
from tenants.outbox import NotTaken, Send

from .. import wording
from ..models import Delivery
from . import guard
from .catalogue import Service, Unusable, service_of

ASK_TO_WAIT = (429, 503)

# What chat services read as a call to somebody (<!channel>, <@U123>, @everyone), a tag, or a link with other words.
_CALLS = re.compile(r"<|\](?=[(\[])|(?<![\w.+-])@(?=\w)")
_OWN_LINK = re.compile(rf"^{re.escape(settings.SITE_URL)}/\S+$", re.MULTILINE)
_BLANK = "\u200b"  # a space of no width


@sensitive_variables()
def prepare(delivery: Delivery) -> Send:
    """The message of this delivery, to its channel's service."""
    channel = delivery.channel
    if channel is None or channel.url is None:
        raise NotTaken("the channel has no address")
    try:
        service, plugin = service_of(channel.url.reveal("to send an alert"))
    except Unusable as refusal:
        raise NotTaken(f"its address is refused: {refusal}") from None
    title, text, is_bad = message_of(delivery)
    return partial(send, service, plugin, title, text, is_bad=is_bad)


def message_of(delivery: Delivery) -> tuple[str, str, bool]:
    """Title, text, and whether it tells of something that is wrong now."""
    items = wording.items_of(delivery)
    title = uncalling(wording.title_of(delivery, items))
    if delivery.is_test:
        return title, "Nothing is wrong. Alerts that this channel asks for arrive like this message.", False
    many = len(items) > 1 or delivery.digest_at is not None
    text = "\n\n".join(_lines(item, with_headline=many) for item in items)
    # The same on every try, so that whoever gets it twice can tell.
    return title, f"{text}\n\nMessage {delivery.pk}", any(item.needs_somebody for item in items)


def _lines(item: wording.Item, *, with_headline: bool) -> str:
    finding = item.finding
    lines = []
    if with_headline:
        over = "Resolved: " if item.is_over else ""
        lines.append(f"{over}{wording.whose(finding)}: {item.headline}")
    if item.needs_somebody:
        lines.append(f"You: {finding.remedy}")
        lines += [f"It is then up to: {item.then_up_to}"] if item.then_up_to else []
    elif not with_headline:
        lines.append("Nobody needs to do anything.")
    return "\n".join([*map(uncalling, lines), item.link])


def _with_links(text: str) -> str:
    """The same for Teams, which makes no links of addresses by itself."""
    return _OWN_LINK.sub(lambda found: f"[Open in Tenantry]({found[0]})", text).replace("\n", "\n\n")


def uncalling(text: str) -> str:
    """The text, in which no name calls a person or a channel, or leads somewhere, any more."""
    return _CALLS.sub(lambda found: found[0] + _BLANK, text)


@sensitive_variables()
def send(
    service: Service,
    plugin: NotifyBase,
    title: str,
    text: str,
    *,
    is_bad: bool = True,
    sender: guard.Guard | None = None,
) -> None:
    """Hand it to the service, or raise NotTaken."""
    kind = NotifyType.FAILURE if is_bad else NotifyType.INFO
    text_format = NotifyFormat.TEXT
    if service.reads_markdown:
        text, text_format = _with_links(text), NotifyFormat.MARKDOWN
    with _session(service, sender or guard.guard_of_site()) as session:
        _go_through_us(plugin)
        is_taken = plugin.notify(body=text, title=title, notify_type=kind, body_format=text_format)
    if not is_taken:
        raise NotTaken(session.problem or "not sent: the service's address cannot be used")


# The requests that Apprise makes


class _Session(requests.Session):
    """Goes to the service's own hosts only, over the guard; no redirection, no proxy or CA from the environment."""

    def __init__(self, service: Service, sender: guard.Guard) -> None:
        super().__init__()
        self.problem = ""
        self._service = service
        self.trust_env = False
        # Who may name a host of their own may name one inside: that is what it is for.
        if service.hosts is not None:
            self.mount("https://", _GuardedAdapter(sender))
        self._verify = sender.ca_certs or True

    @sensitive_variables()
    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        parts = urlsplit(url)
        if not self._service.is_at(parts.hostname or "") or (self._service.hosts and parts.scheme != "https"):
            raise NotTaken("its address is refused: it is not one of the service's hosts")
        options |= {
            "allow_redirects": False,
            "verify": self._verify,
            "timeout": (guard.CONNECT_SECONDS, guard.READ_SECONDS),
        }
        try:
            response = super().request(method, url, *args, **options)
        except guard.Refused as refusal:
            raise NotTaken(f"its address is refused: {refusal}") from None
        except guard.Unreachable as problem:
            raise NotTaken(f"not reached: {problem}") from None
        except requests.RequestException as problem:
            self.problem = f"no answer: {type(problem).__name__}"
            raise
        self.problem = f"answered {response.status_code}"
        if response.status_code in ASK_TO_WAIT:
            wait = Answer(response.status_code, "", {"Retry-After": response.headers.get("Retry-After", "")})
            raise NotTaken(self.problem, retry_after=wait.retry_after)
        return response


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, sender: guard.Guard) -> None:
        self._sender = sender
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        plain = type("Pool", (HTTPConnectionPool,), {"ConnectionCls": self._sender.guarded(HTTPConnection)})
        tls = type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": self._sender.guarded(HTTPSConnection)})
        self.poolmanager.pool_classes_by_scheme = {"http": plain, "https": tls}


_current: ContextVar[_Session] = ContextVar("_current")


@contextmanager
def _session(service: Service, sender: guard.Guard) -> Iterator[_Session]:
    with _Session(service, sender) as session:
        token = _current.set(session)
        try:
            yield session
        finally:
            _current.reset(token)


class _Requests:
    """What Apprise's modules find under the name `requests`: the same, but every request is the current session's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    @staticmethod
    def request(method: str, url: str, **options: Any) -> requests.Response:
        return _current.get().request(method, url, **options)

    get = staticmethod(lambda url, **options: _Requests.request("GET", url, **options))
    post = staticmethod(lambda url, data=None, **options: _Requests.request("POST", url, data=data, **options))
    put = staticmethod(lambda url, data=None, **options: _Requests.request("PUT", url, data=data, **options))
    delete = staticmethod(lambda url, **options: _Requests.request("DELETE", url, **options))


_OURS = _Requests()


def _go_through_us(plugin: NotifyBase) -> None:
    """Apprise has no seam for connections: its plugins call the module `requests`, so we stand in for it there."""
    module: Any = sys.modules[type(plugin).__module__]
    if module.requests is not _OURS:
        module.requests = _OURS
