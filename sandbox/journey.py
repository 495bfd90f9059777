"""What every sign-in shares, whatever it is for: the page a person is on, the account they choose, the way back."""

import re
import time
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from sandbox import approvals, faults, permissions
from sandbox.accounts import account_in, is_offered
from sandbox.entra import Entra
from sandbox.keys import Unsealable
from sandbox.permissions import BadScope
from sandbox.refusals import NEVER_REDIRECTED, Refusal
from sandbox.steps import ApprovalSent, Ask, Carried, ChooseAccount, NeedAdmin, NeedApproval, Page, SentAway, Step
from sandbox.things import App, Organization, Person

PAGE_LIFETIME = 3600.0
WITHOUT_CONSENT = {kind.__name__ for kind in (NeedAdmin, NeedApproval, ApprovalSent)}


class Purpose(Protocol):
    """What a person signs in for."""

    def chosen(self, page: Page, app: App, person: Person) -> Step:
        """The step after the choice of an account."""

    def answered(self, page: Page, app: App, person: Person, form: Mapping[str, str]) -> Step:
        """The step after a page that asked them something."""


class PageTooOld(Exception):
    """The form on the page is from another sandbox, or from too long ago."""


class Journey:
    def __init__(self, entra: Entra) -> None:
        self._entra = entra
        self._world = entra.world
        self._tokens = entra.tokens
        self.purposes: dict[str, Purpose] = {}

    # -- the page

    def new_page(self, purpose: str, tenant: str, app: App, query: Mapping[str, str]) -> Page:
        return {
            "purpose": purpose,
            "at": time.time(),
            "tenant": tenant,
            "app": app.client_id,
            "redirect_uri": _matching_redirect(app, query.get("redirect_uri", "")),
            "mode": query.get("response_mode") or "query",
            "state": query.get("state"),
            "scope": query.get("scope", ""),
            "leads": {},  # fields that lead every answer
        }

    def _open(self, sealed: str) -> Page:
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

    # -- the account

    def choose_account(self, page: Page, app: App, directory: Organization | None, hint: str) -> ChooseAccount:
        everyone = sorted(self._world.people.values(), key=lambda each: each.name)
        people = [each for each in everyone if is_offered(app, page["tenant"], directory, each)]
        here = {each.home or each.oid for each in people}
        return ChooseAccount(
            app=app,
            directory=directory,
            people=sorted(people, key=lambda each: each.address.lower() != hint.lower()),
            others=[each for each in everyone if not each.home and each.oid not in here],
            hint=hint,
            page=self._tokens.page_state(page),
            redirect_uri=page["redirect_uri"],
            sends_away=any(each.federated for each in self._world.organizations.values()),
        )

    def begin(self, page: Page, app: App, directory: Organization | None, hint: str) -> Step:
        """The first page; for the person the app expects, where a federated directory signs them in, that one's."""
        expected = self.choose_account(page, app, directory, hint)
        first = expected.people[:1] if hint else []
        away = self._away(page, first[0]) if first and first[0].address.lower() == hint.lower() else None
        return away or expected

    def choose(self, sealed: str, oid: str) -> Step:
        """An account was chosen, or (no oid) another is wanted than the one the app expected."""
        page = self._open(sealed)
        if not oid:
            app, directory = self._entra.app_for(page["tenant"], page["app"])
            return self.choose_account(page, app, directory, "")
        return self._come_in(page, oid)

    def _come_in(self, page: Page, oid: str) -> Step:
        app, directory = self._entra.app_for(page["tenant"], page["app"])
        person = account_in(self._world, app, page["tenant"], directory, oid)
        away = self._away(page, person)
        if away:
            return away
        return self._fault(page, app, person) or self.purposes[page["purpose"]].chosen(page, app, person)

    # -- a directory that signs its people in elsewhere

    def _away(self, page: Page, person: Person) -> SentAway | None:
        oid, home = person.home or person.oid, person.home_directory or person.directory
        if not self._world.organization(home).federated or page.get("proven") == oid:
            return None
        visit = urlencode({"visit": self._tokens.page_state({**page, "visits": oid})})
        return SentAway(f"{self._entra.origins.tokens}/federated/{home}?{visit}")

    def visited(self, sealed: str) -> tuple[Person, Organization, str]:
        """Who is expected there, and where the app waits."""
        page = self._open(sealed)
        person = self._world.people.get(page.get("visits", ""))
        if person is None:
            raise PageTooOld
        return person, self._world.organization(person.directory), page["redirect_uri"]

    def proven(self, sealed: str) -> str:
        """What the browser brings back from there."""
        person, _, _ = self.visited(sealed)
        return self._tokens.page_state({**self._open(sealed), "proven": person.oid})

    def come_back(self, sealed: str) -> Step:
        page = self._open(sealed)
        if "proven" not in page:
            raise PageTooOld
        return self._come_in(page, page["proven"])

    # -- what a page asks

    def answer(self, form: Mapping[str, str]) -> Step:
        """A button of a page that asks something was pressed."""
        page = self._open(form.get("page", ""))
        if "oid" not in page:
            raise PageTooOld
        app, directory = self._entra.app_for(page["tenant"], page["app"])
        person = account_in(self._world, app, page["tenant"], directory, page["oid"])
        if page["asks"] not in WITHOUT_CONSENT:
            return self.purposes[page["purpose"]].answered(page, app, person, form)
        if form.get("answer") == "admin":
            return self.choose_account(page, app, directory, "")
        if form.get("answer") == "ask" and page["asks"] == NeedApproval.__name__:
            names = permissions.read(page["scope"], self._entra.origins.tokens).names
            approvals.ask(self._world, app, person, names, form.get("reason", ""))
            return self.ask(ApprovalSent, page, app, person, names)
        return self._cancelled(page)

    def _fault(self, page: Page, app: App, person: Person) -> Step | None:
        request = {"client_id": app.client_id, "oid": person.oid, "directory": person.directory}
        fault = faults.first(self._world.faults.values(), "instead", place="authorize", **request)
        if fault is None:
            return None
        self._world.struck(fault)
        if not isinstance(fault.what, int):
            return self._cancelled(page)
        refusal = self._entra.faulted(fault.what, **request)
        if fault.what in NEVER_REDIRECTED:
            raise refusal
        return self.refused(page, refusal)

    # -- what is asked of them

    def ask(self, kind: type[Ask], page: Page, app: App, person: Person, names: tuple[str, ...]) -> Ask:
        return kind(
            app=app,
            person=person,
            directory=self._world.organization(person.directory),
            wanted=permissions.in_words(names),
            page=self._tokens.page_state({**page, "oid": person.oid, "asks": kind.__name__}),
            redirect_uri=page["redirect_uri"],
        )

    # -- the way back

    def _cancelled(self, page: Page) -> Carried:
        """The bare cancel: the app is told neither why nor a number."""
        return self.carry({**page, "leads": {}}, {"error": "access_denied", "error_subcode": "cancel"})

    def refused(self, page: Page, refusal: Refusal) -> Carried:
        return self.carry(page, self._entra.sent_back(refusal))

    def carry(self, page: Page, fields: dict[str, str], **after: str) -> Carried:
        state = {"state": page["state"]} if page["state"] is not None else {}
        by = self._entra.dialect.answered_by(self._entra.issuer(page["tenant"]))
        return Carried(page["redirect_uri"], page["mode"], {**page["leads"], **fields, **state, **after, **by})


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
