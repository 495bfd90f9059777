"""Customers of one site: an app each in the sandbox's directories, its registration here, and the links to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from oauth.id_token import PERSONAL
from tenants.scopes import permissions_for
from tests.e2e.site import Site
from tests.microsoft import Microsoft

SCOPES = ["Mail.ReadWrite", "Mail.Send", "Calendar.ReadOnly"]

# Who is in each directory; the first is its administrator.
PEOPLE = {
    "Alder Logistics": ["Ira Novak", "Ana Costa", "Ben Dahl", "Noor Aziz", "Dora Lind"],
    "Birch Legal": ["Ivo Brandt", "Bea Moreau"],  # keeps consent to administrators, as Microsoft's policy has it
    "Cedar Clinic": ["Ida Clark", "Cem Yilmaz"],  # so does this one, and people may ask there
    "Dogwood Foods": ["Iris Duval", "Dan Okafor"],  # signs its people in on a server of its own
    "Elm Estates": ["Ines Silva", "Eli Berger"],
    "Fir Foundation": ["Ilse Haas", "Finn Roy"],
}
KIM = "Kim Lund"  # has a personal account


@dataclass(frozen=True)
class Wanted:
    """What is special about a customer: where its app is, for whom, and what its links are."""

    directory: str = "Alder Logistics"
    audience: str = "AzureADMyOrg"
    shared: bool = False
    redirect_uris: tuple[str, ...] = ()  # of the app at Microsoft; none means ours
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"link": {}})
    expected_directory: str = ""  # that the link pins
    connected: str = ""  # whose mailbox was connected once
    return_url: str = ""


@dataclass(frozen=True)
class Customer:
    """One of them, and what its operator can look up."""

    site: Site
    microsoft: Microsoft
    client_id: str
    secret_id: str
    directory: str
    tokens: Mapping[str, str]

    def fault(self, what: int | str, **more: Any) -> None:
        """Something goes wrong at Microsoft, for this customer's app only."""
        self.microsoft.set_fault(what, client_id=self.client_id, **more)

    def attempts(self) -> list[tuple[str, str, int | None]]:
        """Outcome, kind of fault and told number of each, the oldest first."""
        return self._rows("SELECT outcome, fault_kind, told_code FROM oauth_consentattempt {} ORDER BY created_at")

    def connections(self) -> list[tuple[str, str]]:
        return self._rows("SELECT address, token_status FROM oauth_connection {}")

    def grants(self) -> list[str]:
        """How far each administrator's approval can be trusted."""
        return [status for (status,) in self._rows("SELECT status FROM oauth_admingrant {}")]

    def connection_id(self) -> str:
        """As others know the connection."""
        return str(UUID(str(self._rows("SELECT id FROM oauth_connection {}")[0][0])))

    def kept_tokens(self) -> int:
        return len(self._rows("SELECT id FROM oauth_connection {} AND refresh_token IS NOT NULL"))

    def findings(self) -> list[str]:
        """What the open ones say of its secret."""
        of_its_secret = (
            "SELECT what FROM monitoring_finding WHERE resolved_at IS NULL AND credential_id IN (SELECT id FROM "
            "tenants_credential WHERE registration_id IN (SELECT id FROM tenants_appregistration {}))"
        )
        return [what for (what,) in self._rows(of_its_secret)]

    def _rows(self, sql: str) -> list[Any]:
        return self.site.query(sql.format(f"WHERE client_id = '{self.client_id}'"))


class Customers:
    """All that a module wants, made in one go: a command of the site takes as long as a whole consent."""

    def __init__(self, site: Site, wanted: Mapping[str, Wanted]) -> None:
        self.microsoft = Microsoft(site.pages)
        self.people: dict[str, str] = {}
        self._site = site
        self._directories = {name: self._directory(name) for name in PEOPLE}
        self.microsoft.managed_policy(self._directories["Birch Legal"])
        self.microsoft.managed_policy(self._directories["Cedar Clinic"])
        self.microsoft.approval_workflow(self._directories["Cedar Clinic"])
        self.microsoft.federate(self._directories["Dogwood Foods"])
        self.people[KIM] = self.microsoft.add_personal_account(KIM, "kim@outlook.example")["oid"]
        apps = {name: self._app(each) for name, each in wanted.items()}
        given = {name: self._given(number, apps[name], wanted[name]) for number, name in enumerate(wanted, start=1)}
        command = "from tests.e2e import mint; mint.make_customers()"
        tokens = json.loads(site.manage("shell", "--verbosity=0", "-c", command, input=json.dumps(given)))
        self._all = {
            name: Customer(site, self.microsoft, app["client_id"], secret["key_id"], app["directory"], tokens[name])
            for name, (app, secret) in apps.items()
        }

    def __getitem__(self, name: str) -> Customer:
        return self._all[name]

    @property
    def token_origin(self) -> str:
        return self._site.tokens

    def directory(self, name: str) -> str:
        """Its ID."""
        return PERSONAL if name == "consumers" else self._directories[name]

    def invite(self, person: str, directory: str) -> None:
        """As a guest."""
        self.microsoft.add_guest(self._directories[directory], self.people[person])

    def _directory(self, name: str) -> str:
        domain = f"{name.split()[0].lower()}.example"
        made: str = self.microsoft.add_directory(name, domain)["id"]
        for number, person in enumerate(PEOPLE[name]):
            address = f"{person.split()[0].lower()}@{domain}"
            self.people[person] = self.microsoft.add_person(made, person, address, admin=number == 0)["oid"]
        return made

    def _app(self, wanted: Wanted) -> tuple[dict[str, Any], dict[str, Any]]:
        uris = list(wanted.redirect_uris) or [f"{self._site.url}/oauth/callback/sandbox/"]
        app = self.microsoft.add_app(self._directories[wanted.directory], wanted.audience, uris, self._app_name(wanted))
        return app, self.microsoft.add_secret(app["client_id"])

    @staticmethod
    def _app_name(wanted: Wanted) -> str:
        return f"{wanted.directory.split()[0]} Mail"

    def _given(self, number: int, app: tuple[dict[str, Any], dict[str, Any]], wanted: Wanted) -> dict[str, Any]:
        directory = self._directories[wanted.directory]
        links = {name: dict(fields) for name, fields in wanted.links.items()}
        if wanted.expected_directory:
            links["link"]["expected_directory"] = self._directories[wanted.expected_directory]
        connection = {}
        if wanted.connected:
            address = f"{wanted.connected.split()[0].lower()}@{wanted.directory.split()[0].lower()}.example"
            connection = {
                "tid": directory,
                "oid": self.people[wanted.connected],
                "address": address,
                "person": wanted.connected,
                "token_status": "dead",
                "scopes_asked": permissions_for(SCOPES),
                "scopes_granted": permissions_for(SCOPES),
            }
        return {
            "tenant": wanted.directory,
            "registration": {
                "shared": wanted.shared,
                "name": self._app_name(wanted) if wanted.shared else f"{self._app_name(wanted)} {number}",
                "cloud": "sandbox",
                "audience": wanted.audience,
                "directory": directory if wanted.audience == "AzureADMyOrg" else "",
                "client_id": app[0]["client_id"],
                "scopes": SCOPES,
            },
            "secret": app[1]["value"],
            "links": links,
            "connection": connection,
            "return_url": wanted.return_url,
        }
