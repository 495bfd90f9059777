"""What happens between the authorize request and the answer the browser carries back to the app."""

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox import permissions
from sandbox.entra import Entra
from sandbox.keys import Unsealable
from sandbox.permissions import BadScope
from sandbox.refusals import NEVER_REDIRECTED, Refusal, Trail
from sandbox.things import App, Organization, Person
from sandbox.tokens import client_info

PAGE_LIFETIME = 3600.0
PROMPTS = ("", "login", "none", "consent", "select_account")
MODES = ("query", "fragment", "form_post")


class PageTooOld(Exception):
    """The form on the page is from another sandbox, or from too long ago."""


@dataclass(frozen=True)
class Carried:
    """What the browser takes back to the app, and how."""

    redirect_uri: str
    mode: str
    fields: dict[str, str]


@dataclass(frozen=True)
class ChooseAccount:
    app: App
    directory: Organization | None
    people: list[Person]
    hint: str
    page: str
    redirect_uri: str


@dataclass(frozen=True)
class AskConsent:
    app: App
    person: Person
    directory: Organization
    wanted: list[tuple[str, str]]
    page: str
    redirect_uri: str
    needs_admin: bool


Step = ChooseAccount | AskConsent | Carried


class SignIn:
    def __init__(self, entra: Entra) -> None:
        self._entra = entra
        self._world = entra.world
        self._tokens = entra.tokens

    def start(self, tenant: str, query: Mapping[str, str]) -> Step:
        """The first page. Raises Refusal for what stays on Microsoft's own page."""
        client_id = query.get("client_id", "")
        if not client_id:
            raise Refusal(900144, parameter="client_id")
        app, directory = self._entra.app_for(tenant, client_id)
        page = {
            "tenant": tenant,
            "app": app.client_id,
            "redirect_uri": _matching_redirect(app, query.get("redirect_uri", "")),
            "mode": query.get("response_mode") or "query",
            "state": query.get("state"),
            "scope": query.get("scope", ""),
            "nonce": query.get("nonce", ""),
            "challenge": query.get("code_challenge", ""),
            "method": query.get("code_challenge_method") or "plain",
            "prompt": query.get("prompt", ""),
            "client_info": query.get("client_info") == "1",
        }
        try:
            self._check(page, query.get("response_type", ""), app)
        except Refusal as refusal:
            return self._carry_refusal(page, refusal)
        hint = "" if page["prompt"] == "select_account" else query.get("login_hint", "").strip()
        return self._choose_account(page, app, directory, hint)

    def choose(self, sealed: str, oid: str) -> Step:
        """A person was chosen: ask for consent, or send them back where that is not needed."""
        page = self._page(sealed)
        app, directory = self._entra.app_for(page["tenant"], page["app"])
        if not oid:
            return self._choose_account(page, app, directory, "")
        person = self._world.people.get(oid)
        if person is None:
            raise Refusal(50034, tenant=directory.name if directory else page["tenant"])
        if directory and person.directory != directory.id:
            facts = {"app": app.client_id, "name": app.name}
            raise Refusal(50020, address=person.address, tenant=directory.name, **facts)
        if person.disabled:
            raise Refusal(50057)
        refusal = self._fault(app, person)
        if refusal:
            return self._carry_refusal(page, refusal)
        asked = permissions.read(page["scope"], self._entra.origins.tokens).names
        grant = self._world.grant(app.client_id, person.oid)
        missing = tuple(name for name in asked if grant is None or name not in grant.scopes)
        if not missing and page["prompt"] != "consent":
            return self._carry_code(page, app, person)
        home = self._world.organization(person.directory)
        needs_admin = bool(missing) and not (person.admin or home.users_may_consent)
        return AskConsent(
            app=app,
            person=person,
            directory=home,
            wanted=permissions.in_words(asked),
            page=self._tokens.page_state({**page, "oid": oid, "needs_admin": needs_admin}),
            redirect_uri=page["redirect_uri"],
            needs_admin=needs_admin,
        )

    def consent(self, sealed: str, answer: str) -> Carried:
        """Accept, or anything else for no."""
        page = self._page(sealed)
        if "oid" not in page:
            raise PageTooOld
        app, _ = self._entra.app_for(page["tenant"], page["app"])
        person = self._world.people.get(page["oid"])
        if person is None or person.disabled:
            raise Refusal(50057 if person else 50034)
        if page["needs_admin"]:
            # The bare cancel: the app is told neither why nor a number.
            return self._carry(page, {"error": "access_denied", "error_subcode": "cancel"})
        if answer != "accept":
            return self._carry_refusal(page, Refusal(65004))
        asked = permissions.read(page["scope"], self._entra.origins.tokens)
        self._world.consent(app, person, asked.names)
        return self._carry_code(page, app, person)

    # -- the request

    def _check(self, page: dict[str, Any], response_type: str, app: App) -> None:
        if page["mode"] not in MODES:
            mode, page["mode"] = page["mode"], "query"
            raise Refusal(70007, value=mode)
        if not response_type:
            raise Refusal(900144, parameter="response_type")
        if response_type != "code":
            raise Refusal(70005, value=response_type)
        if page["prompt"] not in PROMPTS:
            raise Refusal(90023, parameter="prompt", value=page["prompt"])
        if page["challenge"] and page["method"] not in ("S256", "plain"):
            raise Refusal(90023, parameter="code_challenge_method", value=page["method"])
        self._entra.scopes(page["scope"], app, page["tenant"])
        if page["prompt"] == "none":
            raise Refusal(50058)

    def _choose_account(
        self, page: dict[str, Any], app: App, directory: Organization | None, hint: str
    ) -> ChooseAccount:
        people = [each for each in self._world.people.values() if directory is None or each.directory == directory.id]
        return ChooseAccount(
            app=app,
            directory=directory,
            people=sorted(people, key=lambda each: (each.address.lower() != hint.lower(), each.name)),
            hint=hint,
            page=self._tokens.page_state({**page, "at": time.time()}),
            redirect_uri=page["redirect_uri"],
        )

    def _page(self, sealed: str) -> dict[str, Any]:
        try:
            page = self._tokens.read_page_state(sealed)
        except Unsealable:
            raise PageTooOld from None
        try:
            permissions.read(page["scope"], self._entra.origins.tokens)
        except BadScope:
            raise PageTooOld from None  # the sandbox moved to another port since
        if time.time() - page["at"] > PAGE_LIFETIME:
            raise PageTooOld
        return page

    def _fault(self, app: App, person: Person) -> Refusal | None:
        request = {"client_id": app.client_id, "oid": person.oid, "directory": person.directory}
        for fault in self._world.faults.values():
            if isinstance(fault.what, int) and fault.strikes(place="authorize", **request):
                refusal = Refusal(fault.what, app=app.client_id, name=app.name, address=person.address)
                if fault.what in NEVER_REDIRECTED:
                    raise refusal
                return refusal
        return None

    # -- the way back

    def _carry_code(self, page: dict[str, Any], app: App, person: Person) -> Carried:
        code = self._tokens.code(
            {
                "app": app.client_id,
                "oid": person.oid,
                "session": person.session,
                "at": self._world.now(),
                "redirect_uri": page["redirect_uri"],
                "scope": page["scope"],
                "nonce": page["nonce"],
                "challenge": page["challenge"],
                "method": page["method"],
            }
        )
        info = {"client_info": client_info(person)} if page["client_info"] else {}
        return self._carry(page, {"code": code, **info}, session_state=str(uuid.uuid4()))

    def _carry_refusal(self, page: dict[str, Any], refusal: Refusal) -> Carried:
        return self._carry(page, refusal.redirect_fields(Trail(), self._entra.origins.tokens))

    def _carry(self, page: dict[str, Any], fields: dict[str, str], **after: str) -> Carried:
        state = {"state": page["state"]} if page["state"] is not None else {}
        return Carried(page["redirect_uri"], page["mode"], {**fields, **state, **after})


def _matching_redirect(app: App, uri: str) -> str:
    if not app.redirect_uris:
        raise Refusal(500113)
    if not uri:
        return app.redirect_uris[0]
    if uri in app.redirect_uris or _without_port(uri) in {_without_port(each) for each in app.redirect_uris}:
        return uri
    raise Refusal(50011, uri=uri, app=app.client_id)


def _without_port(uri: str) -> str:
    """For localhost, and only there, the port does not count."""
    return re.sub(r"^(https?://localhost):\d{1,5}(?=/|$)", r"\1", uri)


def origin_of(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"
