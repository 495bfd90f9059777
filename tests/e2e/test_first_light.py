"""Steps 2 to 5 of a first day, as people do them, in real browsers against real processes; then a look for leaks."""

import re
import secrets
from urllib.parse import parse_qs

import pytest

from tests.canary import find
from tests.e2e.conftest import Person
from tests.e2e.operator import Admin
from tests.e2e.site import Site
from tests.microsoft import Microsoft

pytestmark = [pytest.mark.browser, pytest.mark.processes]

REVEAL = """
from oauth.models import Connection
from tenants.models import Credential
for c in Connection.objects.all(): print("token", c.refresh_token.reveal("test"))
for c in Credential.objects.all(): print("secret", c.value.reveal("test"))
"""


def consent(visitor: Person, address: str, who: str, picture: str, *, asked: bool = True) -> str:
    """Open the link, read, go on to Microsoft, accept where one is asked to; what the last page says."""
    page = visitor.page
    page.goto(address)
    assert page.url.startswith(f"{visitor.site.url}/connect/"), "the token has left the address"
    visitor.picture(f"{picture}-landing")
    page.click("text=Continue with Microsoft")
    visitor.picture(f"{picture}-choose")
    page.click(f"button:has-text('{who}')")
    if asked:
        page.wait_for_selector("button:has-text('Accept')")
        visitor.picture(f"{picture}-accept")
        page.click("button:has-text('Accept')")
    page.wait_for_url(re.compile(r"/connect/attempt/"))
    visitor.picture(f"{picture}-outcome")
    return str(page.inner_text("main"))


def test_first_light(site: Site, operator: Person, visitor: Person) -> None:
    microsoft = Microsoft(site.pages)
    directory = microsoft.add_directory("Alder Logistics", "alder.example")["id"]
    uri = f"{site.url}/oauth/callback/sandbox/"
    app = microsoft.add_app(directory, name="Alder Mail", redirect_uris=[uri])
    secret = microsoft.add_secret(app["client_id"])
    ana = microsoft.add_person(directory, "Ana Costa", "ana@alder.example")

    def mails(about: str = "Tenantry") -> list[str]:
        operator.page.goto(f"{site.pages}/control/mail/")
        subjects = [item.inner_text() for item in operator.page.query_selector_all(".mail summary strong")]
        return [subject for subject in subjects if about in subject]

    def wait_for_mails(number: int) -> list[str]:
        for _ in range(60):
            if len(found := mails()) >= number:
                return found
            operator.page.wait_for_timeout(250)
        raise AssertionError(f"{number} mails were expected, there are {mails()}")

    def at_control_page(page: str, button: str, notice: str) -> None:
        operator.page.goto(f"{site.pages}/control/{page}/")
        operator.page.click(f"button:has-text('{button}')")
        operator.page.wait_for_selector(f"text={notice}")

    # 2. The operator sets a tenant up.
    admin = Admin(operator, site)
    admin.add_tenant("Alder Logistics")
    admin.add_registration("Alder Logistics", app, directory, secret["value"])

    # 3. The mailbox's owner consents.
    first_link = admin.make_link("Alder Mail")
    said = consent(visitor, first_link, "Ana Costa", "10")
    assert "ana@alder.example" in said
    admin.open("oauth/connection/")
    assert "active" in operator.page.inner_text("#result_list")
    operator.picture("06-connections")
    operator.page.click("#result_list tbody th a")
    operator.picture("07-connection")
    assert "Mail.Send" in operator.page.inner_text("#content")

    # 4. All is well.
    assert "Nothing is wrong" in admin.check("Alder Mail", "08-check-green")
    assert mails() == []

    # 5. The secret expires: one finding, one mail, and none after a second check.
    at_control_page("apps", "Expire now", "now counts as expired")
    operator.picture("20-control-apps")
    assert "Microsoft refuses it" in admin.check("Alder Mail", "21-check-secret-expired")
    admin.open("monitoring/finding/")
    operator.picture("22-findings")
    operator.page.click("#result_list tbody th a")
    operator.picture("23-finding")
    told = operator.page.inner_text("#content")
    assert "Create a new client secret" in told
    assert "7000222" in told
    assert len(wait_for_mails(1)) == 1
    operator.picture("24-mail")
    admin.open("")
    operator.picture("25-index-finding")
    admin.check("Alder Mail", "26-check-again")
    admin.open("oauth/connection/")
    assert "active" in operator.page.inner_text("#result_list"), "a wrong secret touches no connection"
    assert len(mails()) == 1

    # Mended: resolved, and said once.
    second = microsoft.add_secret(app["client_id"])
    admin.replace_secret("Alder Mail", second["value"])
    assert "Nothing is wrong" in admin.check("Alder Mail", "27-check-mended")
    assert len(wait_for_mails(2)) == 2

    # The grant is revoked: the connection is dead, its owner must act; consenting again mends it.
    at_control_page("people", "Revoke sessions", "are revoked")
    assert "the mailbox owner" in admin.check("Alder Mail", "30-check-revoked")
    admin.open("oauth/connection/")
    assert "dead" in operator.page.inner_text("#result_list")
    operator.picture("31-connection-dead")
    assert len(wait_for_mails(3)) == 3
    second_link = admin.make_link("Alder Mail")
    consent(visitor, second_link, "Ana Costa", "40", asked=False)
    admin.open("oauth/connection/")
    assert "active" in operator.page.inner_text("#result_list")
    assert len(wait_for_mails(4)) == 4
    assert len(mails("Your mailbox was connected")) == 2
    visitor.page.goto(first_link)
    visitor.picture("41-used-link")
    assert "Alder" not in visitor.page.inner_text("body"), "a used link tells an outsider nothing"
    admin.open("oauth/link/")
    operator.picture("42-links")
    admin.open("tenants/event/")
    operator.picture("43-events")

    # Nothing leaked, and no page broke the Content-Security-Policy.
    revealed = site.manage("shell", "--verbosity=0", "-c", REVEAL).split()
    assert revealed.count("token") == 1
    assert revealed.count("secret") == 2
    callbacks = [parse_qs(posted) for posted in visitor.posted]
    assert len(callbacks) == 2
    canaries = {
        "the first client secret": secret["value"],
        "the second client secret": second["value"],
        "the refresh token": revealed[revealed.index("token") + 1],
        "the first link's token": first_link.rstrip("/").rpartition("/")[2],
        "the second link's token": second_link.rstrip("/").rpartition("/")[2],
        **{f"code {n}": fields["code"][0] for n, fields in enumerate(callbacks)},
        **{f"state {n}": fields["state"][0] for n, fields in enumerate(callbacks)},
        "the encryption key": site.environment["FIELD_ENCRYPTION_KEYS"],
        "the site's key": site.environment["SECRET_KEY"],
    }
    # A link's token stands on the page that shows it once; a state travels in the address the browser is sent to.
    handed_out = {
        "the first link's token in an answer to operator: POST /admin/oauth/link/add/",
        "the second link's token in an answer to operator: POST /admin/oauth/link/add/",
        "state 0 in an answer to visitor: POST /connect/LINK/start/",
        "state 1 in an answer to visitor: POST /connect/LINK/start/",
    }
    found = find(canaries, [*site.sinks(), *operator.served(), *visitor.served()])
    assert {
        re.sub(r"/connect/[0-9a-f-]{36}/", "/connect/LINK/", leak.partition("?")[0]) for leak in found
    } == handed_out
    refused = [text for text in operator.complaints + visitor.complaints if "/c/" not in text and "404" not in text]
    assert refused == []
    assert ana["oid"]


def test_the_search_sees_every_sink(site: Site) -> None:
    """A leak planted in each place the search looks at is found there."""
    leak = f"not-a-real-secret-{secrets.token_urlsafe(20)}"
    site.manage(
        "shell",
        "--verbosity=0",
        "-c",
        f"from tenants.models import Tenant; Tenant.objects.create(name='{leak}', slug='x')",
    )
    site.manage(
        "shell",
        "--verbosity=0",
        "-c",
        f"from django.core.mail import send_mail; send_mail('{leak}', '', None, ['a@example.com'])",
    )
    ring = f"from config.celery import app; app.send_task('nothing', args=['{leak}'], queue='nobody')"
    site.manage("shell", "--verbosity=0", "-c", ring)
    with (site.folder / "web.log").open("a") as log:
        log.write(leak)
    found = " ".join(find({"the leak": leak}, site.sinks()))
    site.forget_queue("nobody")
    assert "the leak in the database" in found
    assert "the leak in mail/" in found
    assert "the leak in web.log" in found
    assert ("the leak in Redis" if site.environment["REDIS_URL"] else "the leak in queue/") in found
