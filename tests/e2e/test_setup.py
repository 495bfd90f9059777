"""From nothing to verified, by following only the Setup page: by hand, by manifest, and by secret drop."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from sandbox import app_rules
from tests.canary import find
from tests.e2e.conftest import Person
from tests.e2e.operator import Admin
from tests.e2e.site import Site
from tests.microsoft import Microsoft

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.parametrize("site", ["http"], indirect=True)]

PRODUCT = "https://mail.birch.example/"
AUDIENCES = {words: audience for audience, words in app_rules.AUDIENCES.items()}
ENDS = (date.today() + timedelta(days=180)).isoformat()


def entered(page: Any, step: str) -> list[str]:
    """The values that a step has copied into Entra, in its order."""
    return [value.inner_text() for value in page.query_selector_all(f"#step-{step} dd code")]


def by_hand(page: Any, microsoft: Microsoft, directory: str) -> dict[str, Any]:
    """What a person does in Entra who enters what stands on the page, and nothing else."""
    name, account_types, uri = entered(page, "register")
    app = microsoft.add_app(directory, AUDIENCES[account_types], redirect_uris=[uri], name=name)
    microsoft.set_redirect_uris(app["client_id"], [uri, *entered(page, "uris")])
    permissions = entered(page, "permissions")
    microsoft.required_access(app["client_id"], permissions)
    asked = [name for name in permissions if name not in ("openid", "profile", "email", "offline_access")]
    microsoft.grant_for_everybody(app["client_id"], directory, asked)
    return app


def by_manifest(page: Any, microsoft: Microsoft, directory: str) -> dict[str, Any]:
    """The same by pasting the manifest into an application that was just registered under some name."""
    app = microsoft.add_app(directory, name="New application")
    page.click("summary:has-text('Application manifest')")
    manifest = json.loads(page.inner_text("#manifest-text"))
    microsoft.set_manifest(app["client_id"], manifest)
    page.click("summary:has-text('Application manifest')")
    names = [name for name in entered(page, "permissions") if "." in name]
    microsoft.grant_for_everybody(app["client_id"], directory, names)
    return app


def world_of(site: Site) -> tuple[Microsoft, str]:
    microsoft = Microsoft(site.pages)
    return microsoft, microsoft.add_directory("Birch Homes", "birch.example")["id"]


def let_read(microsoft: Microsoft, app: dict[str, Any], directory: str) -> None:
    """What it takes to see all of it in Entra."""
    microsoft.may_read_applications(app["client_id"], directory)
    microsoft.may_read_grants(app["client_id"], directory)


def test_from_nothing_to_verified_by_hand_and_by_manifest(site: Site, operator: Person) -> None:
    microsoft, directory = world_of(site)
    admin = Admin(operator, site)
    admin.add_tenant("Birch Homes")
    for way, name in ((by_hand, "Birch Mail"), (by_manifest, "Birch Desk")):
        admin.add_draft("Birch Homes", name, PRODUCT)
        admin.setup(name)
        operator.picture(f"60-setup-{way.__name__}")
        app = way(operator.page, microsoft, directory)
        secret = microsoft.add_secret(app["client_id"])
        let_read(microsoft, app, directory)

        admin.open_registration(name)
        admin.paste(app["client_id"], directory, secret["value"])
        report = admin.verify(name, f"61-verified-{way.__name__}")
        assert "failed" not in report
        assert "not yet" not in report
        assert "skipped" not in report
        admin.setup(name)
        operator.picture(f"62-setup-done-{way.__name__}")
        assert "6 of 6 done" in operator.page.inner_text(".setup-lead")
    assert operator.complaints == []


def test_by_secret_drop(site: Site, operator: Person, visitor: Person) -> None:
    microsoft, directory = world_of(site)
    admin = Admin(operator, site)
    admin.add_tenant("Birch Homes")
    admin.add_draft("Birch Homes", "Birch Mail", PRODUCT)
    admin.setup("Birch Mail")
    operator.page.click("button[value=secret]")
    address = operator.page.inner_text("#link-address")

    page = visitor.page
    page.goto(address)
    visitor.picture("70-drop")
    app = by_hand(page, microsoft, directory)
    secret = microsoft.add_secret(app["client_id"])

    def fill(value: str) -> None:
        for field, text in {
            "client_id": app["client_id"],
            "directory": directory,
            "secret": value,
            "ends_on": ENDS,
        }.items():
            page.fill(f"#id_{field}", text)
        page.click("button:has-text('Store it and try it')")

    fill(secret["key_id"])
    assert "This is the Secret ID" in page.inner_text("main")
    visitor.picture("71-drop-secret-id")
    fill(secret["value"])
    page.wait_for_selector("h1:has-text('Microsoft takes the secret')", timeout=40_000)
    visitor.picture("72-drop-works")

    admin.open_registration("Birch Mail")
    operator.picture("73-registration-after-drop")
    assert operator.page.input_value("#id_client_id") == app["client_id"]
    assert "failed" not in admin.verify("Birch Mail", "74-verified-after-drop")
    assert operator.complaints == visitor.complaints == []
    sinks = [*operator.served(), *visitor.served(), *site.sinks()]
    assert find({"the secret": secret["value"]}, sinks) == []
