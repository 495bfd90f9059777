"""What happens between the authorize request and the answer the browser carries back to the app."""

import uuid
from collections.abc import Mapping

from sandbox import grants, permissions
from sandbox.consent_policy import may_consent
from sandbox.entra import Entra
from sandbox.journey import Journey
from sandbox.refusals import Refusal
from sandbox.steps import AskConsent, Carried, NeedAdmin, NeedApproval, Page, Step
from sandbox.things import App, Person
from sandbox.tokens import client_info

PROMPTS = ("", "login", "none", "consent", "select_account")
MODES = ("query", "fragment", "form_post")
PURPOSE = "sign in"


class SignIn:
    def __init__(self, entra: Entra, journey: Journey) -> None:
        self._entra = entra
        self._world = entra.world
        self._tokens = entra.tokens
        self._journey = journey
        journey.purposes[PURPOSE] = self

    def start(self, tenant: str, query: Mapping[str, str]) -> Step:
        """The first page. Raises Refusal for what stays on Microsoft's own page."""
        client_id = query.get("client_id", "")
        if not client_id:
            raise Refusal(900144, parameter="client_id")
        app, directory = self._entra.app_for(tenant, client_id)
        page = self._journey.new_page(PURPOSE, tenant, app, query) | {
            "nonce": query.get("nonce", ""),
            "challenge": query.get("code_challenge", ""),
            "method": query.get("code_challenge_method") or "plain",
            "prompt": query.get("prompt", ""),
            "client_info": self._entra.dialect.client_info and query.get("client_info") == "1",
        }
        try:
            self._check(page, query.get("response_type", ""), app)
        except Refusal as refusal:
            return self._journey.refused(page, refusal)
        hint = "" if page["prompt"] == "select_account" else query.get("login_hint", "").strip()
        return self._journey.begin(page, app, directory, hint)

    def chosen(self, page: Page, app: App, person: Person) -> Step:
        """Ask for consent, or send them back where that is not needed."""
        asked = permissions.read(page["scope"], self._entra.origins.tokens).names
        granted = grants.of_person(self._world, app, person)
        missing = tuple(name for name in asked if name not in granted)
        if not missing and page["prompt"] != "consent":
            return self._carry_code(page, app, person)
        directory = self._world.organization(person.directory)
        is_free = not self._entra.dialect.admin_consent  # where no administrator can consent, everybody can
        if is_free or may_consent(directory, person, asked if page["prompt"] == "consent" else missing):
            return self._journey.ask(AskConsent, page, app, person, asked)
        if not missing:
            # An administrator accepted for them, and the app asks them all the same.
            raise Refusal(90095, name=app.name)
        return self._journey.ask(NeedApproval if directory.approval_workflow else NeedAdmin, page, app, person, asked)

    def answered(self, page: Page, app: App, person: Person, form: Mapping[str, str]) -> Step:
        """Accept, for everybody where an administrator says so; anything else is no."""
        if form.get("answer") != "accept":
            return self._journey.refused(page, Refusal(65004))
        names = permissions.read(page["scope"], self._entra.origins.tokens).names
        if "everybody" in form and person.admin:
            grants.consent_for_everybody(self._world, app, self._world.organization(person.directory), names)
        else:
            grants.consent(self._world, app, person, names)
        return self._carry_code(page, app, person)

    def _check(self, page: Page, response_type: str, app: App) -> None:
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

    def _carry_code(self, page: Page, app: App, person: Person) -> Carried:
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
        return self._journey.carry(page, {"code": code, **info}, session_state=str(uuid.uuid4()))
