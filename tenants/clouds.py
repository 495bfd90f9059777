"""Microsoft's clouds: which hosts to talk to. No database, no network.

Hosts of the four built-in clouds: Microsoft, "National clouds" (entra-docs, authentication-national-cloud) and
"Microsoft Graph deployments". EXTRA_CLOUDS in the environment adds others: new sovereign clouds, a proxy, a sandbox.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings


class UnknownCloud(LookupError):
    """No cloud of that key is configured here."""


@dataclass(frozen=True)
class Cloud:
    """One cloud's hosts (a host may carry a port). Where Tenantry sends secrets: only to login_host and graph_host.

    `admin_consent`: an administrator can consent for a whole directory there.
    """

    key: str
    name: str
    login_host: str
    graph_host: str
    outlook_host: str | None = None
    portal_host: str | None = None
    ca_file: str | None = None
    browser_origin: str | None = None
    sandbox: bool = False
    admin_consent: bool = True
    built_in: bool = False
    personal_accounts: bool = False

    def authority(self, directory: str) -> str:
        return f"https://{self.login_host}/{directory}"

    def issuer(self, tid: str) -> str:
        return f"https://{self.login_host}/{tid}/v2.0"

    @property
    def sign_in_origin(self) -> str:
        """Where people's browsers meet this cloud's sign-in pages."""
        return self.browser_origin or f"https://{self.login_host}"

    @property
    def portal_origin(self) -> str:
        """Where people's browsers meet its admin center; empty where there is none."""
        if not self.portal_host:
            return ""
        theirs = self.browser_origin or ""
        return theirs if theirs.partition("://")[2] == self.portal_host else f"https://{self.portal_host}"


BUILT_IN = (
    Cloud(
        key="global",
        name="Microsoft 365 worldwide",
        login_host="login.microsoftonline.com",
        graph_host="graph.microsoft.com",
        outlook_host="outlook.office.com",
        portal_host="entra.microsoft.com",
        built_in=True,
        personal_accounts=True,
    ),
    Cloud(
        key="usgov_l4",
        name="US Government L4 (GCC High)",
        login_host="login.microsoftonline.us",
        graph_host="graph.microsoft.us",
        outlook_host="outlook.office365.us",
        portal_host="entra.microsoft.us",
        built_in=True,
    ),
    Cloud(
        key="usgov_l5",
        name="US Government L5 (DoD)",
        login_host="login.microsoftonline.us",  # L5 shares L4's sign-in; only Graph differs
        graph_host="dod-graph.microsoft.us",
        outlook_host="outlook.office365.us",
        portal_host="entra.microsoft.us",
        built_in=True,
    ),
    Cloud(
        key="china",
        name="China, operated by 21Vianet",
        login_host="login.partner.microsoftonline.cn",
        graph_host="microsoftgraph.chinacloudapi.cn",
        outlook_host="partner.outlook.cn",
        portal_host="entra.microsoftonline.cn",
        built_in=True,
    ),
)

SWITCHES = frozenset(["sandbox", "admin_consent"])
EXTRA_FIELDS = SWITCHES | {
    "key", "name", "login_host", "graph_host", "outlook_host", "portal_host", "ca_file", "browser_origin",
}  # fmt: skip


def extra_cloud(row: dict[str, Any]) -> Cloud:
    """One entry of EXTRA_CLOUDS. A relative ca_file is meant from the project's folder."""
    ca_file = row.get("ca_file")
    if ca_file:
        row = {**row, "ca_file": str(settings.BASE_DIR / ca_file)}
    return Cloud(**row, personal_accounts=bool(row.get("sandbox")))


def clouds() -> dict[str, Cloud]:
    """Every cloud there is here, built-in ones first, by key."""
    return {c.key: c for c in (*BUILT_IN, *map(extra_cloud, settings.EXTRA_CLOUDS))}


def cloud(key: str) -> Cloud:
    """The cloud of that key, or UnknownCloud."""
    try:
        return clouds()[key]
    except KeyError:
        raise UnknownCloud(f"No cloud “{key}” is configured. Add it to EXTRA_CLOUDS.") from None
