from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msal
import pytest
import requests
import urllib3

from sandbox.server import Sandbox
from tests.microsoft import Answer, Microsoft

REDIRECT = "http://localhost:8000/oauth/callback/sandbox/"


@dataclass
class Contoso:
    """One directory with an app, its secret and a person, and ways to ask the sandbox as that app."""

    box: Sandbox
    microsoft: Microsoft
    directory: str = ""
    client_id: str = ""
    secret: str = ""
    key_id: str = ""
    oid: str = ""
    http: Any = field(init=False)

    def __post_init__(self) -> None:
        self.http = urllib3.PoolManager(ca_certs=self.box.ca_file, retries=False, timeout=10)

    @property
    def host(self) -> str:
        return f"https://{self.box.token_host}"

    def scopes(self, *names: str) -> list[str]:
        return [f"{self.host}/{name}" for name in names or ("Mail.Read",)]

    def msal(self, tenant: str = "", secret: str = "", session: Any = None) -> msal.ConfidentialClientApplication:
        """An unmodified MSAL; only the certificate it trusts is ours."""
        session = session or requests.Session()
        session.verify = self.box.ca_file
        session.trust_env = False
        return msal.ConfidentialClientApplication(
            self.client_id,
            client_credential=secret or self.secret,
            authority=f"{self.host}/{tenant or self.directory}",
            instance_discovery=False,
            http_client=session,
        )

    def authorize(self, tenant: str = "", **changes: str | None) -> str:
        """An authorize address, with parameters changed or (None) left out."""
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": f"openid profile offline_access {self.host}/Mail.Read",
            "state": "the state",
            "response_mode": "form_post",
            **changes,
        }
        sent = urlencode({name: value for name, value in query.items() if value is not None})
        return f"{self.box.pages_origin}/{tenant or self.directory}/oauth2/v2.0/authorize?{sent}"

    def adminconsent(self, tenant: str = "", **changes: str | None) -> str:
        """An admin consent address, with parameters changed or (None) left out."""
        query = {
            "client_id": self.client_id,
            "redirect_uri": REDIRECT,
            "scope": f"{self.host}/Mail.Read {self.host}/Mail.Send",
            "state": "the state",
            **changes,
        }
        sent = urlencode({name: value for name, value in query.items() if value is not None})
        return f"{self.box.pages_origin}/{tenant or self.directory}/v2.0/adminconsent?{sent}"

    def administrator(self) -> str:
        """Somebody there who may consent for everybody."""
        address = "megan@contoso.example"
        return str(self.microsoft.add_person(self.directory, "Megan Bowen", address, admin=True)["oid"])

    def sign_in(self, answer: str = "accept", **changes: str | None) -> Answer:
        return self.microsoft.sign_in(self.authorize(**changes), self.oid, answer)

    def token(self, grant_type: str, tenant: str = "", **fields: str | None) -> Reply:
        """One call of the token endpoint as this app; None leaves a field out."""
        form = {"client_id": self.client_id, "client_secret": self.secret, "grant_type": grant_type, **fields}
        body = urlencode({name: value for name, value in form.items() if value is not None})
        return self.post(f"/{tenant or self.directory}/oauth2/v2.0/token", body)

    def post(self, path: str, body: str, **headers: str) -> Reply:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return Reply(self.http.request("POST", f"{self.host}{path}", body=body, headers=headers))

    def get(self, path: str, **headers: str) -> Reply:
        return Reply(self.http.request("GET", f"{self.host}{path}", headers=headers))

    def redeem(self, code: str, **fields: str | None) -> Reply:
        return self.token("authorization_code", **{"code": code, "redirect_uri": REDIRECT, **fields})

    def refresh(self, refresh_token: str, **fields: str | None) -> Reply:
        scope = f"openid profile offline_access {self.host}/Mail.Read"
        return self.token("refresh_token", **{"refresh_token": refresh_token, "scope": scope, **fields})

    def app_token(self, **fields: str | None) -> Reply:
        return self.token("client_credentials", **{"scope": f"{self.host}/.default", **fields})

    def granted(self, **changes: str | None) -> dict[str, Any]:
        """The tokens of a person who just consented."""
        reply = self.redeem(self.sign_in(**changes).fields["code"])
        assert reply.status == 200, reply.body
        return reply.body


class Reply:
    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.data.decode()

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.text)
        return body

    @property
    def refusal(self) -> tuple[int, str, int]:
        """(status, error, number)"""
        return self.status, self.body["error"], self.body["error_codes"][0]


def claims_of(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return claims


def settle(box: Sandbox) -> Contoso:
    """Contoso, new in this box."""
    microsoft = Microsoft(box.pages_origin)
    here = Contoso(box, microsoft)
    here.directory = microsoft.add_directory("Contoso", "contoso.example")["id"]
    here.client_id = microsoft.add_app(here.directory, redirect_uris=[REDIRECT])["client_id"]
    secret = microsoft.add_secret(here.client_id)
    here.secret, here.key_id = secret["value"], secret["key_id"]
    here.oid = microsoft.add_person(here.directory, "Adele Vance", "adele@contoso.example")["oid"]
    return here


@pytest.fixture
def contoso(sandbox: Sandbox, microsoft: Microsoft) -> Contoso:
    return settle(sandbox)
