"""An administrator accepts an app for everybody in their directory; the answer is a redirect without a code."""

from collections.abc import Mapping

from sandbox import grants, permissions, required_access
from sandbox.entra import Entra
from sandbox.journey import Journey
from sandbox.permissions import Scopes
from sandbox.refusals import Refusal, Trail
from sandbox.steps import AskAdminConsent, NeedAdmin, Page, Step
from sandbox.things import App, Person

PURPOSE = "admin consent"


class AdminConsent:
    def __init__(self, entra: Entra, journey: Journey) -> None:
        self._entra = entra
        self._world = entra.world
        self._journey = journey
        journey.purposes[PURPOSE] = self

    def start(self, tenant: str, query: Mapping[str, str]) -> Step:
        """The first page. Raises Refusal for what stays on Microsoft's own page."""
        for parameter in ("client_id", "redirect_uri", "scope"):
            if not query.get(parameter, "").strip():
                raise Refusal(900144, parameter=parameter)
        if tenant.lower() in ("common", "consumers"):
            raise Refusal(90130, app=query["client_id"], tenant=tenant)
        app, directory = self._entra.app_for(tenant, query["client_id"])
        page = self._journey.new_page(PURPOSE, tenant, app, {**query, "response_mode": "query"})
        page["leads"] = {"admin_consent": "True"}
        self._entra.scopes(page["scope"], app, tenant)
        return self._journey.begin(page, app, directory, "")

    def chosen(self, page: Page, app: App, person: Person) -> Step:
        asked = self._asked(page)
        names = (*asked.names, *_listed(app, asked))
        return self._journey.ask(AskAdminConsent if person.admin else NeedAdmin, page, app, person, names)

    def answered(self, page: Page, app: App, person: Person, form: Mapping[str, str]) -> Step:
        """Accept, or anything else for no."""
        if form.get("answer") != "accept":
            fields = {"error": "consent_required", "error_description": _declined()}
            return self._journey.carry(page, fields)
        asked = self._asked(page)
        names = (*asked.permissions, *_listed(app, asked))
        grants.consent_for_everybody(self._world, app, self._world.organization(person.directory), names)
        fields = {"tenant": person.directory, "scope": " ".join(page["scope"].split())}
        return self._journey.carry(page, fields)

    def _asked(self, page: Page) -> Scopes:
        return permissions.read(page["scope"], self._entra.origins.tokens)


def _listed(app: App, asked: Scopes) -> tuple[str, ...]:
    """What .default stands for."""
    return required_access.delegated(app.required) if asked.default else ()


def _declined() -> str:
    trail = Trail()
    return (
        "AADSTS65004: The resource owner or authorization server denied the request.\r\n"
        f"Trace ID: {trail.trace_id}\r\nCorrelation ID: {trail.correlation_id}\r\nTimestamp: {trail.stamp}"
    )
