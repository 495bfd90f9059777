"""Two providers side by side, each a process of its own: one browser consents at both, and a check keeps both alive."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Person
from tests.e2e.site import Site
from tests.microsoft import Microsoft

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SET_UP = """
import json
from datetime import timedelta
from django.utils import timezone
from oauth.mails import address_of
from oauth.models import Link
from tenants.models import AppRegistration, Credential, ScopeSelection, Tenant
given = json.loads('''{given}''')
tenant = Tenant.objects.create(name=given["tenant"], slug=given["cloud"])
registration = AppRegistration.objects.create(
    tenant=tenant, name="Alder Mail", cloud=given["cloud"], directory=given["directory"], client_id=given["client_id"]
)
ScopeSelection.objects.create(registration=registration, scope="Mail.ReadOnly")
Credential.objects.replace(registration, given["secret"], timezone.now() + timedelta(days=200))
print(address_of(Link.objects.mint(tenant=tenant, registration=registration, created_by=None)[1]))
"""
TOLD = """
from oauth.models import Connection
for c in Connection.objects.select_related("registration").order_by("registration__cloud"):
    print(c.registration.cloud, c.address, c.token_status, len(c.scopes_missing), c.refresh_token.reveal("test"))
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, "https", plain=True) as site:
        yield site


def set_up(site: Site, cloud: str) -> str:
    """A directory, an app and a person at the provider, and their registration here; the address of a link."""
    provider = Microsoft(site.providers[cloud].pages)
    directory = provider.add_directory("Alder Logistics", "alder.example")["id"]
    app = provider.add_app(directory, name="Alder Mail", redirect_uris=[f"{site.url}/oauth/callback/{cloud}/"])
    provider.add_person(directory, "Ana Costa", f"ana@{cloud}.example")
    given = {"tenant": f"Alder {cloud}", "cloud": cloud, "directory": directory, "client_id": app["client_id"]}
    given["secret"] = provider.add_secret(app["client_id"])["value"]
    return site.manage("shell", "--verbosity=0", "-c", SET_UP.replace("{given}", json.dumps(given))).strip()


def told(site: Site) -> list[list[str]]:
    return [line.split() for line in site.manage("shell", "--verbosity=0", "-c", TOLD).splitlines()]


def test_one_browser_consents_at_both_and_a_check_keeps_both_alive(site: Site, visitor: Person) -> None:
    page = visitor.page
    ways = {}
    for cloud in site.providers:
        page.goto(set_up(site, cloud))
        ways[cloud] = page.locator("form[action$='/approve/'], form[action$='/hand-on/']").count()
        visitor.picture(f"50-{cloud}-landing")
        page.click("text=Continue with Microsoft")
        assert page.url.startswith(site.providers[cloud].pages)
        page.click("button:has-text('Ana Costa')")
        page.click("button:has-text('Accept')")
        page.wait_for_url(re.compile(r"/connect/attempt/"))
        visitor.picture(f"51-{cloud}-outcome")
        assert f"ana@{cloud}.example" in page.inner_text("main")
    assert (ways["sandbox"] > 0, ways["plain"]) == (True, 0)

    before = told(site)
    assert [row[:4] for row in before] == [
        ["plain", "ana@plain.example", "active", "0"],
        ["sandbox", "ana@sandbox.example", "active", "0"],
    ]
    tokens = {before[0][4]}
    for _ in range(2):
        site.manage("sweep")  # its exit status says that all is well
        after = told(site)
        assert [row[2] for row in after] == ["active", "active"]
        tokens.add(after[0][4])
    assert len(tokens) == 3, "each token works once, so each check keeps the next"
    assert [text for text in visitor.complaints if "/c/" not in text] == []
