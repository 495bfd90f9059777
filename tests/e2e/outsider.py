"""Somebody outside on the way through a consent: what they press, here and at Microsoft, and what they read."""

import re
from itertools import count
from typing import Any

from tests.e2e.barriers import barriers_of
from tests.e2e.conftest import Person
from tests.e2e.site import Site

SCREENS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    "desk": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
}
_addresses = count(1)


class Outsider(Person):
    """Has an address of their own on the network, so that nobody uses up the requests of others."""

    def __init__(self, browser: Any, name: str, site: Site, screen: str = "phone", *, script: bool = True) -> None:
        super().__init__(
            browser,
            name,
            site,
            **SCREENS[screen],
            reduced_motion="reduce",
            java_script_enabled=script,
            extra_http_headers={"X-Forwarded-For": f"198.51.100.{next(_addresses)}"},
        )
        self.has_script = script
        self.barriers: list[str] = []

    def open(self, token: str) -> None:
        self.page.goto(f"{self.site.url}/c/{token}/")

    def press(self, words: str) -> None:
        """A button that leads to another page."""
        with self.page.expect_navigation():
            self.page.click(f"button:has-text('{words}'), a.button:has-text('{words}')")

    @property
    def heading(self) -> str:
        return str(self.page.inner_text("h1"))

    def choose(self, who: str) -> None:
        """Their account, on Microsoft's page, where another one may be proposed."""
        elsewhere = self.page.locator("details:not([open]) > summary:has-text('An account from elsewhere')")
        mine = self.page.locator(f"button.account:has-text('{who}')")
        self.page.wait_for_selector("button.account")
        if not mine.count():
            self.page.click("button:has-text('Use another account')")
        if elsewhere.count() and not mine.is_visible():
            elsewhere.click()
        mine.click()

    def come_back(self, answer: str = "") -> None:
        """Give Microsoft the answer it asks for, if it asks, and be carried back to where the outcome is read."""
        if answer:
            self.page.click(f"button:has-text('{answer}')")
        if not self.has_script:
            self.page.click("#carry button")
        self.page.wait_for_url(re.compile(r"/connect/attempt/"))

    def consent(self, token: str, who: str, answer: str = "Accept") -> None:
        """The whole way, by a link."""
        self.open(token)
        self.press("Continue with Microsoft")
        self.choose(who)
        self.come_back(answer)

    def approve(self, who: str, answer: str = "Accept") -> None:
        """From our page to Microsoft's, where an administrator consents for everybody, and back."""
        self.press("Approve for my organization")
        self.choose(who)
        self.come_back(answer)

    def go_back(self) -> None:
        """From a page of Microsoft's that leads nowhere, to the page of ours that led there."""
        while not self.page.url.startswith(f"{self.site.url}/connect/"):
            self.page.go_back()

    def ask_what_it_means(self, message: str) -> None:
        self.page.fill("#said-text", message)
        self.press("Explain this")

    def read(self, name: str) -> str:
        """The page that is open now, once it no longer looks again by itself."""
        self.page.get_by_text("looks again by itself").wait_for(state="detached")
        self.page.wait_for_load_state()
        self.picture(f"outcome-{name.replace(' ', '-').replace(',', '')}")
        if self.has_script:  # axe is one
            self.barriers += barriers_of(self.page, name)
        return str(self.page.inner_text("main"))

    def complaints_of_policy(self) -> list[str]:
        return [text for text in self.complaints if "Failed to load resource" not in text]
