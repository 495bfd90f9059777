"""The tests' hand on the sandbox: sets up its world, breaks it, and signs people in."""

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import urllib3


class Refused(Exception):
    """The control API said no; the message is its sentence."""


class Stopped(Exception):
    """The sign-in ended on a page of Microsoft's own, so the application hears nothing."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Answer:
    """What the browser carries back: where to, and the fields of the form or of the query."""

    url: str
    fields: dict[str, str]


@dataclass
class Page:
    """The one form of a sandbox page, as a person meets it."""

    url: str
    action: str
    fields: dict[str, str]
    buttons: list[tuple[str, str]]
    code: int
    text: str


class Microsoft:
    """What a test may do to the sandbox at pages_origin. Every method is one HTTP call, sign_in is several."""

    def __init__(self, pages_origin: str) -> None:
        self.pages_origin = pages_origin
        self._http = urllib3.PoolManager(retries=False, timeout=10)

    # -- the world

    def add_directory(self, name: str = "Contoso", domain: str = "contoso.example", **more: Any) -> dict[str, Any]:
        return self._do("add_directory", name=name, domain=domain, **more)

    def users_may_consent(self, directory: str, allowed: bool) -> dict[str, Any]:
        return self._do("set_users_may_consent", directory=directory, allowed=allowed)

    def add_app(
        self,
        directory: str,
        audience: str = "AzureADMyOrg",
        redirect_uris: list[str] | None = None,
        name: str = "Contoso Mail",
        client_id: str | None = None,
    ) -> dict[str, Any]:
        return self._do(
            "add_app",
            directory=directory,
            audience=audience,
            redirect_uris=redirect_uris or [],
            name=name,
            client_id=client_id,
        )

    def set_redirect_uris(self, client_id: str, redirect_uris: list[str]) -> dict[str, Any]:
        return self._do("set_redirect_uris", client_id=client_id, redirect_uris=redirect_uris)

    def add_secret(self, client_id: str, ends_at: Any = None, name: str = "") -> dict[str, Any]:
        """ends_at is ISO text, a date or a datetime."""
        text = ends_at if ends_at is None or isinstance(ends_at, str) else ends_at.isoformat()
        return self._do("add_secret", client_id=client_id, ends_at=text, name=name)

    def expire_secret(self, client_id: str, key_id: str) -> dict[str, Any]:
        return self._do("expire_secret", client_id=client_id, key_id=key_id)

    def remove_secret(self, client_id: str, key_id: str) -> dict[str, Any]:
        return self._do("remove_secret", client_id=client_id, key_id=key_id)

    def add_person(self, directory: str, name: str, address: str, admin: bool = False, **more: Any) -> dict[str, Any]:
        return self._do("add_person", directory=directory, name=name, address=address, admin=admin, **more)

    def set_admin(self, oid: str, admin: bool) -> dict[str, Any]:
        return self._do("set_admin", oid=oid, admin=admin)

    def disable_person(self, oid: str) -> dict[str, Any]:
        return self._do("disable_person", oid=oid)

    def enable_person(self, oid: str) -> dict[str, Any]:
        return self._do("enable_person", oid=oid)

    def revoke_sessions(self, oid: str) -> dict[str, Any]:
        return self._do("revoke_sessions", oid=oid)

    def withdraw_consent(self, client_id: str, oid: str) -> dict[str, Any]:
        return self._do("withdraw_consent", client_id=client_id, oid=oid)

    def reset(self) -> None:
        self._do("reset")

    def world(self) -> dict[str, Any]:
        return self._get("world")

    # -- what goes wrong, and when

    def set_fault(
        self,
        what: int | str,
        client_id: str | None = None,
        oid: str | None = None,
        directory: str | None = None,
        grant_type: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """what: an AADSTS number, a word ("down", "throttled", "slow", "html", "empty", "garbage", "drop"), or
        "id_token" / "answer" with change={...}, remove=[...] or missing=True. more: seconds (of slow), times.

        grant_type: one of the token endpoint's, or "discovery" or "authorize", which no other fault touches.
        """
        scope = {"client_id": client_id, "oid": oid, "directory": directory, "grant_type": grant_type}
        return self._do("set_fault", what=what, **scope, **more)

    def clear_faults(self) -> None:
        self._do("clear_faults")

    def advance(self, seconds: float) -> None:
        self._do("advance", seconds=seconds)

    def real_time(self) -> None:
        self._do("real_time")

    def token_requests(self) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = self._get("token_requests")["requests"]
        return requests

    # -- a person at a browser

    def sign_in(self, auth_uri: str, oid: str, answer: str = "accept") -> Answer:
        """Walk the pages as a person would and return what the browser would carry back to the application.

        answer is what they press when asked for consent: "accept", "decline", or "cancel" on the page that says an
        administrator must approve. Raises Stopped where Microsoft keeps the person.
        """
        page = self._page("GET", auth_uri)
        if isinstance(page, Page) and ("oid", oid) not in page.buttons and ("oid", "") in page.buttons:
            page = self._press(page, "oid", "")
        if isinstance(page, Page) and any(name == "oid" for name, _ in page.buttons):
            page = self._press(page, "oid", oid)
        if isinstance(page, Page) and any(name == "answer" for name, _ in page.buttons):
            pressed = {"accept": "accept", "decline": "cancel", "cancel": "return"}[answer]
            assert ("answer", pressed) in page.buttons, f"nothing on the page means {answer}: {page.buttons}"
            page = self._press(page, "answer", pressed)
        if isinstance(page, Page):
            return Answer(page.action, page.fields)
        return page

    def _press(self, page: Page, name: str, value: str) -> Page | Answer:
        return self._page("POST", page.action, {**page.fields, name: value})

    def _page(self, method: str, url: str, fields: dict[str, str] | None = None) -> Page | Answer:
        # As a browser would: our own origin on every post.
        body = urlencode(fields) if fields is not None else None
        headers = {"Origin": self.pages_origin, "Content-Type": "application/x-www-form-urlencoded"} if body else {}
        response = self._http.request(method, url, body=body, headers=headers, redirect=False)
        target = response.headers.get("Location")
        if target is not None:
            parts = urlsplit(target)
            return Answer(target.split("?")[0].split("#")[0], dict(parse_qsl(parts.query or parts.fragment)))
        reader = _FormReader()
        reader.feed(response.data.decode())
        code = int(reader.code)
        if response.status != 200:
            raise Stopped(code, " ".join("".join(reader.text).split()))
        return Page(url, urljoin(url, reader.action), reader.fields, reader.buttons, code, "".join(reader.text))

    # -- the control API

    def _do(self, verb: str, **given: Any) -> dict[str, Any]:
        return self._json("POST", verb, body=json.dumps(given), headers={"Content-Type": "application/json"})

    def _get(self, what: str) -> dict[str, Any]:
        return self._json("GET", what)

    def _json(self, method: str, what: str, **request: Any) -> dict[str, Any]:
        response = self._http.request(method, f"{self.pages_origin}/control/api/{what}", **request)
        answer: dict[str, Any] = response.json()
        if response.status != 200:
            raise Refused(answer["error"])
        return answer


class _FormReader(HTMLParser):
    """The first form's action, hidden fields and buttons, and the number on a page that stops."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.code = "", "0"
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        elif tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"]] = given["value"]
        elif tag == "button" and "name" in given:
            self.buttons.append((given["name"], given["value"]))
        self.code = given.get("data-code", self.code)

    def handle_data(self, data: str) -> None:
        self.text.append(data)
