"""A tenant ready to consent, and the steps that a browser takes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.db import connection as database
from django.http import HttpResponse
from django.test import Client

from oauth.models import ConsentAttempt, Link
from tenants.clouds import Cloud
from tenants.models import AppRegistration
from tests.factories import make_credential, make_link, make_registration
from tests.microsoft import Microsoft

FORM = "application/x-www-form-urlencoded"


@dataclass
class World:
    """One directory, one app of it with its registration here, one person, one link."""

    microsoft: Microsoft
    directory: dict[str, Any]
    app: dict[str, Any]
    secret: dict[str, Any]
    person: dict[str, Any]
    registration: AppRegistration
    link: Link
    token: str

    def sign_in(self, auth_uri: str, answer: str = "accept", oid: str = "") -> dict[str, str]:
        """What the person's browser carries back from Microsoft."""
        return self.microsoft.sign_in(auth_uri, oid or self.person["oid"], answer).fields

    def redemptions(self) -> list[dict[str, Any]]:
        return [each for each in self.microsoft.token_requests() if each["grant_type"] == "authorization_code"]


def make_world(
    microsoft: Microsoft,
    cloud: Cloud,
    *,
    audience: str = "AzureADMyOrg",
    domain: str = "contoso.example",
    **fields: Any,
) -> World:
    """A domain's directory is remembered for an hour: who asks by it needs one that no other test has."""
    directory = microsoft.add_directory(domain=domain)
    callback = f"{settings.SITE_URL}/oauth/callback/{cloud.key}/"
    app = microsoft.add_app(directory["id"], audience, redirect_uris=[callback], name="Example Sync")
    secret = microsoft.add_secret(app["client_id"])
    person = microsoft.add_person(directory["id"], "Ada Lovelace", "Ada@contoso.example")
    registration = make_registration(
        **{
            "cloud": cloud.key,
            "audience": audience,
            "directory": directory["id"],
            "client_id": app["client_id"],
            "name": "Example Sync",
            **fields,
        }
    )
    make_credential(registration, value=secret["value"])
    link, token = make_link(registration)
    return World(microsoft, directory, app, secret, person, registration, link, token)


def press(client: Client, link: Link) -> Any:
    """The button of the landing page."""
    return client.post(f"/connect/{link.public_id}/start/")


def go(client: Client, world: World) -> str:
    """From the link to Microsoft: where the browser is sent."""
    client.get(f"/c/{world.token}/")
    response = press(client, world.link)
    assert response.status_code == 303, response.content.decode()
    return str(response.headers["Location"])


def come_back(client: Client, fields: dict[str, Any] | str, cloud: str = "sandbox", **environ: Any) -> Any:
    """Microsoft's form, posted as a browser posts it from another site."""
    body = fields if isinstance(fields, str) else urlencode(fields, doseq=True)
    return client.post(f"/oauth/callback/{cloud}/", body, content_type=FORM, headers={"origin": "null"}, **environ)


def approve(client: Client, world: World) -> str:
    """From the link to the page where an administrator consents: where the browser is sent."""
    client.get(f"/c/{world.token}/")
    response = client.post(f"/connect/{world.link.public_id}/approve/")
    assert response.status_code == 303, response.content.decode()
    return str(response.headers["Location"])


def state_in(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


def report(client: Client, fields: dict[str, Any], cloud: str = "sandbox", **environ: Any) -> Any:
    """What comes back from there, in an address."""
    return client.get(f"/oauth/callback/{cloud}/", fields, **environ)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What these return when they run at the same moment, each in a thread with its own database connection."""
    all_ready = Barrier(len(calls), timeout=30)

    def in_thread(call: Callable[[], Any]) -> Any:
        try:
            database.ensure_connection()
            all_ready.wait()
            return call()
        finally:
            database.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(in_thread, calls))


def another_address(number: int) -> dict[str, str]:
    """Somebody else's address, for a test of more requests than one address may make in a minute."""
    return {"REMOTE_ADDR": f"198.51.{number // 250 % 250}.{number % 250}"}


def consent(client: Client, world: World, answer: str = "accept", oid: str = "") -> ConsentAttempt:
    """The whole way with one browser; the attempt as it ended."""
    response = come_back(client, world.sign_in(go(client, world), answer, oid), world.registration.cloud)
    assert response.status_code == 303, response.content.decode()
    attempt = response.headers["Location"].rstrip("/").rpartition("/")[2]
    return ConsentAttempt.objects.select_related("connection").get(pk=attempt)


def text_of(response: HttpResponse) -> str:
    return " ".join(response.content.decode().split())
