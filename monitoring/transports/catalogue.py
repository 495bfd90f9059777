"""Which chat and on-call services a channel may use, and where those are."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import apprise
from django.views.decorators.debug import sensitive_variables


@dataclass(frozen=True)
class Service:
    """A service by its Apprise schemes. `hosts`: where it is; one that begins with a dot stands for all below it.

    None: on a host of its own, which the address names.
    """

    name: str
    schemes: tuple[str, ...]
    hosts: tuple[str, ...] | None
    reads_markdown: bool = False

    def is_at(self, host: str) -> bool:
        host = host.lower().rstrip(".")
        return self.hosts is None or any(host.endswith(own) if own[0] == "." else host == own for own in self.hosts)


_FLOWS = (".logic.azure.com", ".logic.azure.us", ".logic.azure.cn", ".powerplatform.com", ".powerplatform.microsoft.us")
FIXED = (
    Service("Microsoft Teams", ("workflow", "workflows"), _FLOWS, reads_markdown=True),
    Service("Slack", ("slack",), ("hooks.slack.com", "hooks.slack-gov.com", "slack.com")),
    Service("PagerDuty", ("pagerduty",), ("events.pagerduty.com", "events.eu.pagerduty.com")),
    Service("Opsgenie", ("opsgenie",), ("api.opsgenie.com", "api.eu.opsgenie.com")),
    Service("Splunk On-Call", ("splunk", "victorops"), ("alert.victorops.com",)),
    Service("Squadcast", ("squadcast",), ("api.squadcast.com", "api.eu.squadcast.com")),
    Service("PagerTree", ("pagertree",), ("api.pagertree.com",)),
    Service("SIGNL4", ("signl4",), ("connect.signl4.com",)),
    Service("Discord", ("discord",), ("discord.com",)),
    Service("Telegram", ("tgram",), ("api.telegram.org",)),
    Service("Pushover", ("pover",), ("api.pushover.net",)),
    Service("Google Chat", ("gchat",), ("chat.googleapis.com",)),
    Service("Webex", ("wxteams", "webex"), ("api.ciscospark.com", "webexapis.com")),
)
ON_OWN_HOST = (
    Service("Mattermost", ("mmost", "mmosts"), None),
    Service("Rocket.Chat", ("rocket", "rockets"), None),
    Service("ntfy", ("ntfy", "ntfys"), None),
    Service("Gotify", ("gotify", "gotifys"), None),
)
_BY_SCHEME = {scheme: service for service in (*FIXED, *ON_OWN_HOST) for scheme in service.schemes}

# Apprise's ways to read a file or fetch an address of one's choice, and to leave out what keeps a message safe.
REFUSED_OPTIONS = frozenset(["template", "attach", "verify", "redirect", "rto", "cto", "format", "overflow", "emojis"])

# Nothing kept on disk, nothing fetched for show, nobody followed.
ASSET = apprise.AppriseAsset(
    app_id="Tenantry",
    app_desc="Tenantry",
    async_mode=False,
    http_redirects=False,
    image_url_mask=None,
    image_url_logo=None,
    secure_logging=True,
    storage_mode="memory",
)


class Unusable(ValueError):
    """Not the address of a service that may be used. The message says why, without the address."""


@sensitive_variables()
def service_of(url: str) -> tuple[Service, apprise.NotifyBase]:
    """The service of an Apprise address, or of an https address that the service itself gave out, ready to send.

    Raises Unusable.
    """
    _refuse_options(url)
    plugin = apprise.Apprise.instantiate(url, asset=ASSET)
    if plugin is None:
        raise Unusable(f"This is not an address of a known service. Known are: {named(FIXED)}.")
    scheme = _scheme_of(plugin)
    service = _BY_SCHEME.get(scheme)
    if service is None:
        raise Unusable(f"This service may not be used here. These may: {named(FIXED)}.")
    host = str(getattr(plugin, "host", "") or "")
    if "workflows" in service.schemes and not service.is_at(host):
        raise Unusable(f"An address of {service.name} leads to one of Microsoft's hosts; this one does not.")
    return service, plugin


def _scheme_of(plugin: apprise.NotifyBase) -> str:
    """The name it was made by: of what Apprise makes of an https address, that of its own."""
    kind: Any = type(plugin)
    schemes: list[str] = []
    for names in (kind.protocol, kind.secure_protocol):
        schemes += [names] if isinstance(names, str) else names or []
    return next((scheme for scheme in schemes if scheme in _BY_SCHEME), "")


@sensitive_variables()
def _refuse_options(url: str) -> None:
    if any(character.isspace() or not character.isprintable() for character in url):
        raise Unusable("It holds a space or another character that no address has.")
    try:
        options = {name.strip().lower() for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    except ValueError:
        raise Unusable("It is not an address.") from None
    if refused := sorted(options & REFUSED_OPTIONS):
        raise Unusable(f"The option {', '.join(refused)} may not be used here. Remove it from the address.")


def place_of(service: Service, plugin: apprise.NotifyBase) -> str:
    """What may be shown of where it goes."""
    host = getattr(plugin, "host", "")
    return f"{service.name} at {host}" if service.hosts is None and host else service.name


def named(services: Collection[Service]) -> str:
    return ", ".join(service.name for service in services)
