"""Every page that people outside see, in a real browser: nobody is kept out, on a phone, in the dark or at a desk."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.barriers import barriers_of
from tests.e2e.conftest import Person
from tests.e2e.site import Site
from tests.microsoft import Microsoft

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SCREENS = [("desk", 1280, 900, "light"), ("phone", 390, 844, "dark")]
NARROWEST = 320
SMALL_TARGETS = """
[...document.querySelectorAll("button, .button, .after a, textarea")]
    .filter(each => each.getBoundingClientRect().height < 44).map(each => each.textContent)
"""


class Reader(Person):
    """Somebody who looks at each page at a desk and on a phone, and notes what would keep others out."""

    def __init__(self, browser: Any, site: Site) -> None:
        super().__init__(browser, "reader", site)
        self.barriers: list[str] = []
        # A page that looks again by itself would do so while it is looked at.
        self.page.route(f"{site.url}/connect/attempt/**", self._hold)

    @staticmethod
    def _hold(route: Any) -> None:
        if route.request.method != "GET":
            route.continue_()
            return
        answer = route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "refresh"}
        route.fulfill(response=answer, headers=headers)

    def open(self, token: str) -> None:
        self.page.goto(f"{self.site.url}/c/{token}/")

    def read(self, name: str) -> str:
        """Look at the page that is open; what it says."""
        for screen, width, height, scheme in SCREENS:
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.picture(f"page-{name}-{screen}")
            self.barriers += barriers_of(self.page, f"{name}, {screen}")
        self.page.set_viewport_size({"width": NARROWEST, "height": 700})
        if (width := self.page.evaluate("document.documentElement.scrollWidth")) > NARROWEST:
            self.barriers.append(f"{name}: {width} pixels wide")
        if small := self.page.evaluate(SMALL_TARGETS):
            self.barriers.append(f"{name}: too small to touch: {small}")
        return str(self.page.inner_text("main"))

    def press(self, button: str) -> None:
        self.page.click(f"button:has-text('{button}')")


class Customer:
    """A directory of the sandbox with one app and one person, and the links that its tenant was sent."""

    def __init__(self, site: Site) -> None:
        self.microsoft = Microsoft(site.pages)
        self.directory = self.microsoft.add_directory("Alder Logistics", "alder.example")["id"]
        uri = f"{site.url}/oauth/callback/sandbox/"
        app = self.microsoft.add_app(self.directory, name="Alder Mail", redirect_uris=[uri])
        secret = self.microsoft.add_secret(app["client_id"])
        self.microsoft.add_person(self.directory, "Ana Costa", "ana@alder.example")
        self.tokens = run(site, f"set_up({self.directory!r}, {app['client_id']!r}, {secret['value']!r})")


def run(site: Site, call: str) -> dict[str, Any]:
    printed = site.manage("shell", "--verbosity=0", "-c", f"from tests.e2e import ends; ends.{call}")
    told: dict[str, Any] = json.loads(printed)
    return told


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site"), "http") as site:
        yield site


@pytest.fixture(scope="module")
def customer(site: Site) -> Customer:
    return Customer(site)


@pytest.fixture
def reader(chromium: Any, site: Site) -> Iterator[Reader]:
    reader = Reader(chromium, site)
    yield reader
    reader.context.close()
    assert reader.barriers == []
    assert [text for text in reader.complaints if "Content Security Policy" in text] == []


def notice_in(folder: Path, reader: Reader) -> str:
    """The token of the link in the mail that a connected mailbox is sent."""
    for _ in range(80):
        for file in (folder / "mail").glob("*.log"):
            if found := re.search(r"disconnect it here:\s+\S+/c/([\w-]+)/", file.read_text()):
                return found[1]
        reader.page.wait_for_timeout(250)
    raise AssertionError("no notice was sent")


def test_the_whole_way_can_be_gone_by_everybody(site: Site, customer: Customer, reader: Reader) -> None:
    reader.open(customer.tokens["consent"])
    request = reader.page.url
    assert "Connect your mailbox" in reader.read("landing")

    # Microsoft said something; an administrator is asked, and comes.
    reader.page.fill(
        "#said-text",
        "Sorry, but we’re having trouble signing you in. AADSTS90094: needs approval. Trace ID: "
        "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9 Correlation ID: 0f1a2b3c-4d5e-4f70-8a9b-c0d1e2f3a4b5",
    )
    reader.press("Explain this")
    assert "Ask my IT administrator" in reader.read("told")
    reader.press("Ask my IT administrator")
    assert "Or copy the text" in reader.read("hand-on")
    address = reader.page.input_value("#address")
    reader.page.goto(address)
    assert "Approve for your organization" in reader.read("approval-by-link")

    # The clean address is copied into another browser.
    reader.context.clear_cookies()
    reader.page.goto(request)
    assert "Alder" not in reader.read("elsewhere")
    reader.press("Show what I am to approve")
    assert "Which permissions it asks for" in reader.read("approval")

    # The person declines, thinks again, and connects.
    reader.open(customer.tokens["consent"])
    for answer, words in (("Cancel", "You did not accept"), ("Accept", "Your mailbox is connected")):
        reader.page.goto(request)
        reader.press("Continue with Microsoft")
        reader.press("Ana Costa")
        reader.press(answer)
        reader.page.wait_for_url(re.compile("/connect/attempt/"))
        assert words in reader.read(words.lower().replace(" ", "-"))

    # They disconnect by the link in the notice.
    reader.open(notice_in(site.folder, reader))
    assert "What disconnecting does" in reader.read("disconnect")
    reader.press("Disconnect this mailbox")
    assert "ana@alder.example" in reader.read("disconnected")
    reader.page.goto(reader.page.url.removesuffix("disconnect/"))
    assert "disconnected already" in reader.read("disconnected-already")


def test_every_request_can_be_read_by_everybody(customer: Customer, reader: Reader) -> None:
    words = {
        "pinned": "ana@alder.example",
        "reconnect": "What is still missing",
        "approval": "Which permissions it asks for",
        "disconnect": "bo@alder.example",
        "approved": "If Microsoft still asks for an approval",
    }
    for name, expected in words.items():
        reader.open(customer.tokens[name])
        assert expected in reader.read(f"request-{name}")
    reader.open("unknown")
    assert "This link does not work" in reader.read("unusable")
    reader.page.goto(f"{reader.site.url}/oauth/callback/sandbox/?state=x&error=access_denied")
    assert "cannot go on here" in reader.read("unmatched")
    reader.page.goto(f"{reader.site.url}/nothing")
    assert "There is no such page" in reader.read("not-found")


def test_every_end_can_be_read_by_everybody(customer: Customer, site: Site, reader: Reader) -> None:
    ends = run(site, "make_ends()")
    reader.open(customer.tokens["approval"])
    reader.open(customer.tokens["consent"])
    for name, (path, cookie, value) in ends.items():
        reader.context.add_cookies([{"name": cookie, "value": value, "url": site.url}])
        reader.page.goto(site.url + path)
        assert "works only in the browser" not in reader.read(f"end-{name.replace(' ', '-')}")
