from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from monitoring import sweep as ledger
from monitoring.models import Sweep
from oauth.entra import EntraClient
from oauth.models import Connection
from tenants.models import AppRegistration, Credential
from tenants.scopes import request_scopes
from tests.factories import make_connection, make_credential, make_registration

if TYPE_CHECKING:
    from tenants.clouds import Cloud
    from tests.microsoft import Microsoft


@dataclass
class World:
    """One directory with one app at the sandbox, and its registration here."""

    microsoft: Microsoft
    cloud: Cloud
    directory: dict[str, Any]
    app: dict[str, Any]
    secret: dict[str, Any]
    registration: AppRegistration
    credential: Credential

    def connect(self, name: str = "Anna", **fields: Any) -> Connection:
        """A person of the directory who consented, through the real pages, with the token that gave."""
        address = f"{name.lower()}@contoso.example"
        person = self.microsoft.add_person(self.directory["id"], name, address)
        client = EntraClient(self.cloud, self.directory["id"], self.app["client_id"], self.secret["value"])
        scopes = request_scopes(["Mail.ReadOnly"], self.cloud)
        flow = client.begin(scopes=scopes, redirect_uri=self.app["redirect_uris"][0])
        grant = client.redeem(flow, self.microsoft.sign_in(flow["auth_uri"], person["oid"]).fields)
        return make_connection(
            self.registration,
            refresh_token=grant.refresh_token,
            tid=self.directory["id"],
            oid=person["oid"],
            address=address,
            scopes_granted=list(grant.scopes),
            **fields,
        )

    def new_secret(self) -> None:
        """A new one at Microsoft, entered here."""
        self.secret = self.microsoft.add_secret(self.app["client_id"])
        self.credential = make_credential(self.registration, value=self.secret["value"])


@pytest.fixture
def world(microsoft: Microsoft, cloud: Cloud, db: Any) -> World:
    directory = microsoft.add_directory("Contoso", "contoso.example")
    uri = f"http://localhost:8000/oauth/callback/{cloud.key}/"
    app = microsoft.add_app(directory=directory["id"], redirect_uris=[uri], name="Contoso Mail")
    secret = microsoft.add_secret(app["client_id"])
    registration = make_registration(
        cloud=cloud.key, directory=directory["id"], client_id=app["client_id"], name="Contoso Mail"
    )
    credential = make_credential(registration, value=secret["value"])
    return World(microsoft, cloud, directory, {**app, "redirect_uris": [uri]}, secret, registration, credential)


def work(sweep: Sweep) -> Sweep:
    """What one worker does with a sweep, until there is nothing to claim."""
    for _ in ledger.work(sweep.pk):
        pass
    sweep.refresh_from_db()
    return sweep


def check(scope: Any = Sweep.ALL) -> Sweep:
    """What "Check now" comes to."""
    return work(Sweep.objects.start_manual(scope))
