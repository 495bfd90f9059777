import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.site import Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LONGEST = ("tests/e2e/", "tests/test_visibility.py", "tests/test_admin_pages.py")
SCREENSHOTS = Path(__file__).resolve().parents[1] / "screenshots"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: of several workers none is left with them alone at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """A real browser. While Playwright runs, its loop keeps Django's database from being asked in this thread."""
    if CHROMIUM is None:
        reason = "Chromium is not installed (Debian: apt install chromium), so no browser test can run."
        if os.environ.get("REQUIRE_SERVICES"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(params=["http", "https"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, request.param) as site:
        yield site


class Person:
    """Somebody with a browser of their own. Keeps what they were served, and what the browser complained about."""

    def __init__(self, browser: Any, name: str, site: Site, **options: Any) -> None:
        self.record = site.folder.with_name(f"{site.folder.name}-{name}.har")
        self.context = browser.new_context(ignore_https_errors=True, record_har_path=self.record, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.name = name
        self.site = site
        self.complaints: list[str] = []
        self.posted: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note_post)

    def picture(self, name: str) -> None:
        scheme = self.site.url.partition(":")[0]
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{scheme}-{name}.png", full_page=True)

    def served(self) -> Iterator[tuple[str, bytes]]:
        """Closes the browser; then every answer the site gave it, headers and all."""
        self.context.close()
        for entry in json.loads(self.record.read_text())["log"]["entries"]:
            url, answer = entry["request"]["url"], entry["response"]
            if url.startswith(self.site.url):
                name = f"an answer to {self.name}: {entry['request']['method']} {url.removeprefix(self.site.url)[:60]}"
                text = answer["content"].get("text", "")
                body = base64.b64decode(text) if answer["content"].get("encoding") == "base64" else text.encode()
                yield name, json.dumps(answer["headers"]).encode() + body

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _note_post(self, request: Any) -> None:
        if "/oauth/callback/" in request.url and request.post_data:
            self.posted.append(request.post_data)


def _last_picture(request: pytest.FixtureRequest, person: Person) -> None:
    if getattr(request.node, "failed", False) and not person.page.is_closed():
        person.picture(f"failed-{person.name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    item.failed = report.failed  # type: ignore[attr-defined]
    return report


@pytest.fixture
def operator(chromium: Any, site: Site, request: pytest.FixtureRequest) -> Iterator[Person]:
    person = Person(chromium, "operator", site, viewport={"width": 1280, "height": 900})
    yield person
    _last_picture(request, person)
    person.context.close()


@pytest.fixture
def visitor(chromium: Any, site: Site, request: pytest.FixtureRequest) -> Iterator[Person]:
    """The mailbox's owner, on a phone."""
    person = Person(chromium, "visitor", site, viewport={"width": 390, "height": 844})
    yield person
    _last_picture(request, person)
    person.context.close()
