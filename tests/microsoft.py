"""The tests' hand on the sandbox: sets up its world, breaks it, and signs people in."""

import json
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import urllib3

ANSWERS = {"accept": "accept", "everybody": "accept", "decline": "cancel", "cancel": "return", "ask": "ask"}


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
    boxes: dict[str, str]
    code: int
    text: str


class Microsoft:
    """What a test may do to the sandbox at pages_origin. Every method is one HTTP call, sign_in is several."""

    def __init__(self, pages_origin: str) -> None:
        self.pages_origin = pages_origin
        self._http = urllib3.PoolManager(retries=False, timeout=10)

    @cached_property
    def _https(self) -> urllib3.PoolManager:
        authority = self._http.request("GET", f"{self.pages_origin}/control/ca.pem").data.decode()
        return urllib3.PoolManager(ca_cert_data=authority, retries=False, timeout=10)

    # -- the world

    def add_directory(self, name: str = "Contoso", domain: str = "contoso.example", **more: Any) -> dict[str, Any]:
        return self._do("add_directory", name=name, domain=domain, **more)

    def users_may_consent(self, directory: str, allowed: bool) -> dict[str, Any]:
        return self._do("set_users_may_consent", directory=directory, allowed=allowed)

    def managed_policy(self, directory: str, on: bool = True) -> dict[str, Any]:
        """People there may consent to what Microsoft's managed policy lets them; off is to everything."""
        return self._do("set_managed_policy", directory=directory, on=on)

    def approval_workflow(self, directory: str, on: bool = True) -> dict[str, Any]:
        """Who may not consent is offered to ask an administrator."""
        return self._do("set_approval_workflow", directory=directory, on=on)

    def federate(self, directory: str, on: bool = True) -> dict[str, Any]:
        """Its people are redirected to sign in at a page on the https host; sign_in walks that, too."""
        return self._do("set_federated", directory=directory, on=on)

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

    def set_app(self, client_id: str, name: str | None = None, audience: str | None = None) -> dict[str, Any]:
        """What is None stays."""
        return self._do("set_app", client_id=client_id, name=name, audience=audience)

    def required_access(self, client_id: str, permissions: list[str]) -> dict[str, Any]:
        """The delegated permissions of Graph it lists, by name, as under the portal's API permissions."""
        return self._do("set_required_access", client_id=client_id, permissions=permissions)

    def set_manifest(self, client_id: str, manifest: dict[str, Any] | str) -> dict[str, Any]:
        """What saving in the portal's manifest editor does."""
        return self._do("set_manifest", client_id=client_id, manifest=manifest)

    def manifest(self, client_id: str) -> dict[str, Any]:
        """What the portal's manifest editor shows."""
        return self._get(f"manifest?{urlencode({'client_id': client_id})}")

    def disable_app(self, client_id: str, directory: str | None = None, disabled: bool = True) -> dict[str, Any]:
        """In one directory, or everywhere."""
        return self._do("set_app_disabled", client_id=client_id, directory=directory, disabled=disabled)

    def require_assignment(self, client_id: str, directory: str, required: bool = True) -> dict[str, Any]:
        return self._do("set_assignment_required", client_id=client_id, directory=directory, required=required)

    def assign(self, client_id: str, oid: str, assigned: bool = True) -> dict[str, Any]:
        return self._do("set_assigned", client_id=client_id, oid=oid, assigned=assigned)

    def may_read_grants(self, client_id: str, directory: str, allowed: bool = True) -> dict[str, Any]:
        """Whether the app, signed in as itself, reads service principals and grants of the directory through Graph."""
        return self._do("set_may_read_grants", client_id=client_id, directory=directory, allowed=allowed)

    def may_read_applications(self, client_id: str, directory: str, allowed: bool = True) -> dict[str, Any]:
        """Application.Read.All: whether the app, signed in as itself, reads every app registered in the directory."""
        return self._do("set_may_read_applications", client_id=client_id, directory=directory, allowed=allowed)

    def owns_itself(self, client_id: str, owns: bool = True) -> dict[str, Any]:
        """Application.ReadWrite.OwnedBy and an owner of itself: whether it reads its own registration at home."""
        return self._do("set_owns_itself", client_id=client_id, owns=owns)

    def microsoft_status(self, client_id: str, status: str) -> dict[str, Any]:
        """Graph's disabledByMicrosoftStatus; empty for null."""
        return self._do("set_microsoft_status", client_id=client_id, status=status)

    def add_secret(self, client_id: str, ends_at: Any = None, name: str = "", hint: str = "") -> dict[str, Any]:
        """ends_at is ISO text, a date or a datetime. hint: three characters that its value is to begin with."""
        text = ends_at if ends_at is None or isinstance(ends_at, str) else ends_at.isoformat()
        return self._do("add_secret", client_id=client_id, ends_at=text, name=name, hint=hint)

    def expire_secret(self, client_id: str, key_id: str) -> dict[str, Any]:
        return self._do("expire_secret", client_id=client_id, key_id=key_id)

    def remove_secret(self, client_id: str, key_id: str) -> dict[str, Any]:
        return self._do("remove_secret", client_id=client_id, key_id=key_id)

    def add_person(self, directory: str, name: str, address: str, admin: bool = False, **more: Any) -> dict[str, Any]:
        return self._do("add_person", directory=directory, name=name, address=address, admin=admin, **more)

    def add_guest(self, directory: str, oid: str) -> dict[str, Any]:
        """Their row in this directory, with an object ID of its own; their account stays at home."""
        return self._do("add_guest", directory=directory, oid=oid)

    def add_personal_account(self, name: str, address: str) -> dict[str, Any]:
        return self.add_person("consumers", name, address)

    def set_admin(self, oid: str, admin: bool) -> dict[str, Any]:
        return self._do("set_admin", oid=oid, admin=admin)

    def disable_person(self, oid: str) -> dict[str, Any]:
        return self._do("disable_person", oid=oid)

    def enable_person(self, oid: str) -> dict[str, Any]:
        return self._do("enable_person", oid=oid)

    def set_mailbox(self, oid: str, has: bool) -> dict[str, Any]:
        return self._do("set_mailbox", oid=oid, has=has)

    def set_mail(self, oid: str, mail: str) -> dict[str, Any]:
        """Where mail reaches them and what the email claim says; empty is their sign-in name."""
        return self._do("set_mail", oid=oid, mail=mail)

    def revoke_sessions(self, oid: str) -> dict[str, Any]:
        return self._do("revoke_sessions", oid=oid)

    def withdraw_consent(self, client_id: str, oid: str) -> dict[str, Any]:
        return self._do("withdraw_consent", client_id=client_id, oid=oid)

    def grant_for_everybody(self, client_id: str, directory: str, scopes: list[str]) -> dict[str, Any]:
        """What an administrator's consent does, without the pages."""
        return self._do("grant_for_everybody", client_id=client_id, directory=directory, scopes=scopes)

    def withdraw_for_everybody(self, client_id: str, directory: str) -> dict[str, Any]:
        return self._do("withdraw_for_everybody", client_id=client_id, directory=directory)

    def approve(self, approval: str) -> dict[str, Any]:
        """A request in world()["approvals"]: everybody in the directory gets what was asked for."""
        return self._do("approve", id=approval)

    def deny(self, approval: str) -> dict[str, Any]:
        return self._do("deny", id=approval)

    def set_spread(self, seconds: float) -> None:
        """For so long after a consent the token endpoint does not know it yet; the sign-in pages do."""
        self._do("set_spread", seconds=seconds)

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
        """what: an AADSTS number; a word ("down", "throttled", "slow", "html", "empty", "garbage", "drop"); "cancel"
        (sent back from the sign-in pages, and nobody says why); a code of Graph ("MailboxNotEnabledForRESTAPI", ...);
        "id_token" / "answer" with change={...}, remove=[...] or missing=True; or "partial" with remove=[permissions],
        for tokens without these. more: seconds (of slow), times.

        grant_type: one of the token endpoint's, or "discovery", "authorize" or "graph", which no other fault touches.
        """
        scope = {"client_id": client_id, "oid": oid, "directory": directory, "grant_type": grant_type}
        return self._do("set_fault", what=what, **scope, **more)

    def clear_faults(self) -> None:
        self._do("clear_faults")

    def set_trailers(self, style: str) -> None:
        """ "spaces", as Entra's are today, or "lines", as they were."""
        self._do("set_trailers", style=style)

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

        auth_uri is an authorize address or an admin consent one. answer is what they press when asked: "accept",
        "everybody" (accept, with the administrator's box ticked), "decline", or on the page that says an administrator
        must approve "cancel" or (where there is a workflow) "ask". Raises Stopped where Microsoft keeps the person.
        """
        page = self._past_federation(self._page("GET", auth_uri))
        if isinstance(page, Page) and ("oid", oid) not in page.buttons and ("oid", "") in page.buttons:
            page = self._press(page, "oid", "")
        if isinstance(page, Page) and any(name == "oid" for name, _ in page.buttons):
            page = self._past_federation(self._press(page, "oid", oid))
        if isinstance(page, Page) and any(name == "answer" for name, _ in page.buttons):
            pressed = ANSWERS[answer]
            assert ("answer", pressed) in page.buttons, f"nothing on the page means {answer}: {page.buttons}"
            if answer == "everybody":
                page.fields["everybody"] = page.boxes["everybody"]
            if answer == "ask":
                page.fields["reason"] = "I need my mail there."
            page = self._press(page, "answer", pressed)
        if isinstance(page, Page) and ("answer", "return") in page.buttons:
            page = self._press(page, "answer", "return")
        if isinstance(page, Page):
            return Answer(page.action, page.fields)
        return page

    def _past_federation(self, page: Page | Answer) -> Page | Answer:
        """Where a federated directory has its people sign in, they do."""
        if isinstance(page, Page) and ("federated", "sign in") in page.buttons:
            return self._press(page, "federated", "sign in")
        return page

    def _press(self, page: Page, name: str, value: str) -> Page | Answer:
        return self._page("POST", page.action, {**page.fields, name: value})

    def _page(self, method: str, url: str, fields: dict[str, str] | None = None) -> Page | Answer:
        # As a browser would: the page's own origin on every post.
        body = urlencode(fields) if fields is not None else None
        headers = {"Origin": _origin_of(url), "Content-Type": "application/x-www-form-urlencoded"} if body else {}
        http = self._https if url.startswith("https:") else self._http
        response = http.request(method, url, body=body, headers=headers, redirect=False)
        target = response.headers.get("Location")
        if target is not None:
            parts = urlsplit(target)
            if parts.path.startswith(("/federated/", "/sign-in/federated")):
                return self._page("GET", target)
            return Answer(target.split("?")[0].split("#")[0], dict(parse_qsl(parts.query or parts.fragment)))
        reader = _FormReader()
        reader.feed(response.data.decode())
        code = int(reader.code)
        if response.status != 200:
            raise Stopped(code, " ".join("".join(reader.text).split()))
        action, text = urljoin(url, reader.action), "".join(reader.text)
        return Page(url, action, reader.fields, reader.buttons, reader.boxes, code, text)

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


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class _FormReader(HTMLParser):
    """The first form's action, hidden fields, boxes and buttons, and the number on a page that stops."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.code = "", "0"
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []
        self.boxes: dict[str, str] = {}
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        elif tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"]] = given["value"]
        elif tag == "input" and given.get("type") == "checkbox":
            self.boxes[given["name"]] = given.get("value", "on")
        elif tag == "button" and "name" in given:
            self.buttons.append((given["name"], given["value"]))
        self.code = given.get("data-code", self.code)

    def handle_data(self, data: str) -> None:
        self.text.append(data)
