"""Which chat and on-call services a channel may use, and where those are."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from apprise import AppriseAsset
from apprise.plugins.base import NotifyBase
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.google_chat import NotifyGoogleChat
from apprise.plugins.gotify import NotifyGotify
from apprise.plugins.mattermost import NotifyMattermost
from apprise.plugins.ntfy import NotifyNtfy
from apprise.plugins.opsgenie import NotifyOpsgenie
from apprise.plugins.pagerduty import NotifyPagerDuty
from apprise.plugins.pagertree import NotifyPagerTree
from apprise.plugins.pushover import NotifyPushover
from apprise.plugins.rocketchat import NotifyRocketChat
from apprise.plugins.signl4 import NotifySIGNL4
from apprise.plugins.slack import NotifySlack
from apprise.plugins.splunk import NotifySplunk
from apprise.plugins.squadcast import NotifySquadcast
from apprise.plugins.telegram import NotifyTelegram
from apprise.plugins.webexteams import NotifyWebexTeams
from apprise.plugins.workflows import NotifyWorkflows
from django.views.decorators.debug import sensitive_variables


@dataclass(frozen=True)
class Service:
    """A service as Apprise speaks to it. `hosts`: where it is; one that begins with a dot stands for all below it.

    None: on a host of its own, which the address names.
    """

    name: str
    plugin: Any
    hosts: tuple[str, ...] | None
    reads_markdown: bool = False

    def is_at(self, host: str) -> bool:
        host = host.lower().rstrip(".")
        return self.hosts is None or any(host.endswith(own) if own[0] == "." else host == own for own in self.hosts)

    @property
    def schemes(self) -> list[str]:
        """How its Apprise addresses begin."""
        schemes: list[str] = []
        for names in (self.plugin.protocol, self.plugin.secure_protocol):
            schemes += [names] if isinstance(names, str) else names or []
        return schemes


_FLOWS = (".logic.azure.com", ".logic.azure.us", ".logic.azure.cn", ".powerplatform.com", ".powerplatform.microsoft.us")
TEAMS = Service("Microsoft Teams", NotifyWorkflows, _FLOWS, reads_markdown=True)
# Apprise's other plugins are not even loaded: no address leads to what is not in these two.
FIXED = (
    TEAMS,
    Service("Slack", NotifySlack, ("hooks.slack.com", "hooks.slack-gov.com", "slack.com")),
    Service("PagerDuty", NotifyPagerDuty, ("events.pagerduty.com", "events.eu.pagerduty.com")),
    Service("Opsgenie", NotifyOpsgenie, ("api.opsgenie.com", "api.eu.opsgenie.com")),
    Service("Splunk On-Call", NotifySplunk, ("alert.victorops.com",)),
    Service("Squadcast", NotifySquadcast, ("api.squadcast.com", "api.eu.squadcast.com")),
    Service("PagerTree", NotifyPagerTree, ("api.pagertree.com",)),
    Service("SIGNL4", NotifySIGNL4, ("connect.signl4.com",)),
    Service("Discord", NotifyDiscord, ("discord.com",)),
    Service("Telegram", NotifyTelegram, ("api.telegram.org",)),
    Service("Pushover", NotifyPushover, ("api.pushover.net",)),
    Service("Google Chat", NotifyGoogleChat, ("chat.googleapis.com",)),
    Service("Webex", NotifyWebexTeams, ("api.ciscospark.com", "webexapis.com")),
)
ON_OWN_HOST = (
    Service("Mattermost", NotifyMattermost, None),
    Service("Rocket.Chat", NotifyRocketChat, None),
    Service("ntfy", NotifyNtfy, None),
    Service("Gotify", NotifyGotify, None),
)

# Apprise's ways to read a file or fetch an address of one's choice, and to leave out what keeps a message safe.
REFUSED_OPTIONS = frozenset(["template", "attach", "verify", "redirect", "rto", "cto", "format", "overflow", "emojis"])

# Nothing kept on disk, nothing fetched for show, nobody followed.
ASSET = AppriseAsset(
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
def service_of(url: str) -> tuple[Service, NotifyBase]:
    """The service of an Apprise address, or of an https address that the service itself gave out, ready to send.

    Raises Unusable.
    """
    _refuse_options(url)
    scheme = url.partition(":")[0].lower()
    for service in (*FIXED, *ON_OWN_HOST):
        parts: Any = None
        if scheme in service.schemes:
            parts = service.plugin.parse_url(url)
        elif scheme == "https":
            parts = service.plugin.parse_native_url(url)
        if parts:
            return service, _made(service, parts)
    raise Unusable(f"This is not an address of a service that may be used here. These may: {named(FIXED)}.")


@sensitive_variables()
def _made(service: Service, parts: dict[str, Any]) -> NotifyBase:
    try:
        plugin: NotifyBase = service.plugin(**{**parts, "asset": ASSET})
    except Exception:  # each of these classes has errors of its own for what is missing, with the address in them
        plugin = None  # type: ignore[assignment]
    if plugin is None:
        raise Unusable(f"Something is missing in this address of {service.name}. Copy the whole of it.")
    if service is TEAMS and not service.is_at(str(getattr(plugin, "host", ""))):
        raise Unusable(f"An address of {service.name} leads to one of Microsoft's hosts; this one does not.")
    return plugin


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


def place_of(service: Service, plugin: NotifyBase) -> str:
    """What may be shown of where it goes."""
    host = getattr(plugin, "host", "")
    return f"{service.name} at {host}" if service.hosts is None and host else service.name


def named(services: Collection[Service]) -> str:
    return ", ".join(service.name for service in services)
