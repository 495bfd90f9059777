import json
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from staff.models import User
from tenants.clouds import Cloud, clouds
from tenants.models import AppRegistration, Credential, Event, ScopeSelection, Tenant

OPERATOR = "demo"

# What the Microsoft in the box holds: a directory, its people (the first an administrator), and its app. An app whose
# secret ends in so many days is entered in Tenantry too; the last one is left for whoever tries the demo to enter.
# Where it is managed, Microsoft's policy holds: people need their administrator's approval.
DIRECTORIES: tuple[dict[str, Any], ...] = (
    {
        "name": "Alder Logistics",
        "domain": "alder.example",
        "people": ("Ana Costa", "Ben Okafor"),
        "app": "Alder Mail",
        "days": 300,
        "scopes": ("Mail.ReadWrite", "Mail.Send", "Calendar.ReadOnly"),
    },
    {
        "name": "Brook Dental",
        "domain": "brook.example",
        "people": ("Chloe Martin", "Dev Patel"),
        "app": "Brook Mail",
        "managed": True,
        "days": 12,
        "scopes": ("Mail.ReadOnly", "Contacts.ReadOnly"),
    },
    {
        "name": "Cedar Foods",
        "domain": "cedar.example",
        "people": ("Elif Kaya", "Finn Berg"),
        "app": "Cedar Mail",
        "days": None,
    },
)


class Sandbox:
    """The control API of a Microsoft in the box."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._url = f"{cloud.browser_origin}/control/api/"
        self._pool = urllib3.PoolManager(retries=False, timeout=10)

    def world(self) -> dict[str, Any]:
        return self._answer(self._pool.request("GET", f"{self._url}world"))

    def do(self, action: str, **arguments: Any) -> dict[str, Any]:
        return self._answer(self._pool.request("POST", f"{self._url}{action}", json=arguments))

    @staticmethod
    def _answer(response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        answer: dict[str, Any] = response.json()
        if response.status != 200:
            raise CommandError(f"The sandbox refused: {answer.get('error', response.status)}")
        return answer


class Command(BaseCommand):
    help = (
        "Load a small demo world, once: an operator, two tenants with their registrations, and in the sandbox the "
        "directories, people and apps that go with them. The operator's name and password go to demo.json in VAR_DIR."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(username=OPERATOR).exists():
            self.stdout.write("The demo world is already there.")
            return
        cloud = next((cloud for cloud in clouds().values() if cloud.sandbox), None)
        if cloud is None or not cloud.browser_origin:
            raise CommandError("The demo needs a sandbox: a cloud in EXTRA_CLOUDS with “sandbox” and “browser_origin”.")
        try:
            rows = [(row, *_register(Sandbox(cloud), row)) for row in DIRECTORIES]
        except urllib3.exceptions.HTTPError as exc:
            raise CommandError(f"The sandbox does not answer at {cloud.browser_origin}. Is it running?") from exc
        password = secrets.token_urlsafe(9)
        _keep(settings.VAR_DIR / "demo.json", {"username": OPERATOR, "password": password})
        with transaction.atomic():
            operator = User.objects.create_superuser(OPERATOR, "demo@example.com", password)
            for row, app, secret in rows:
                if secret:
                    _enter(operator, cloud, row, app, secret)
        self.stdout.write(f"The demo world is loaded. Sign in as {OPERATOR}.")


def _register(sandbox: Sandbox, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The directory, its people and its app at the sandbox, made where missing; and a fresh secret where one is due."""
    world = sandbox.world()
    directory = _named(world["directories"], row["name"]) or sandbox.do(
        "add_directory", name=row["name"], domain=row["domain"]
    )
    if row.get("managed"):
        sandbox.do("set_managed_policy", directory=directory["id"], on=True)
    for number, name in enumerate(row["people"]):
        if not _named(world["people"], name):
            address = f"{name.split()[0].lower()}@{row['domain']}"
            sandbox.do("add_person", directory=directory["id"], name=name, address=address, admin=number == 0)
    app = _named(world["apps"], row["app"]) or sandbox.do(
        "add_app",
        directory=directory["id"],
        name=row["app"],
        audience=AppRegistration.Audience.MY_ORG.value,
        redirect_uris=[AppRegistration(cloud=sandbox.cloud.key).redirect_uri],
    )
    if row["days"] is None:
        return app, None
    ends_on = timezone.now().date() + timedelta(days=row["days"])
    return app, sandbox.do("add_secret", client_id=app["client_id"], ends_at=ends_on.isoformat())


def _named(rows: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((row for row in rows if row["name"] == name), None)


def _enter(operator: User, cloud: Cloud, row: dict[str, Any], app: dict[str, Any], secret: dict[str, Any]) -> None:
    tenant = Tenant.objects.create(
        name=row["name"], slug=row["domain"].partition(".")[0], contact_emails=[f"it@{row['domain']}"]
    )
    registration = AppRegistration.objects.create(
        tenant=tenant,
        name=row["app"],
        cloud=cloud.key,
        directory=app["directory"],
        client_id=app["client_id"],
    )
    ScopeSelection.objects.bulk_create(
        ScopeSelection(registration=registration, scope=scope) for scope in row["scopes"]
    )
    Credential.objects.replace(registration, secret["value"], datetime.fromisoformat(secret["ends_at"]))
    for subject in (tenant, registration):
        Event.objects.record(verb="added", subject=subject, tenant=tenant, actor=operator, reason="demo world")


def _keep(path: Path, content: dict[str, str]) -> None:
    """Written for the owner alone, whole or not at all."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    part.replace(path)
