"""The pages people meet: choose an account, consent, or read why not."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.admin_consent import AdminConsent
from sandbox.entra import Entra
from sandbox.journey import Journey, origin_of
from sandbox.refusals import Refusal, Trail
from sandbox.sign_in import SignIn
from sandbox.steps import (
    ApprovalSent,
    Ask,
    AskAdminConsent,
    AskConsent,
    Carried,
    ChooseAccount,
    NeedAdmin,
    NeedApproval,
    SentAway,
    Step,
)
from sandbox.web import form_of, page, same_origin

PAGES: dict[type[Ask], str] = {
    AskConsent: "consent.html",
    AskAdminConsent: "admin_consent.html",
    NeedAdmin: "admin_needed.html",
    NeedApproval: "approval_required.html",
    ApprovalSent: "approval_sent.html",
}
NOT_KEPT = {"Cache-Control": "no-store, no-cache", "Referrer-Policy": "strict-origin-when-cross-origin"}
Form = dict[str, str]


class SignInDoor:
    def __init__(self, entra: Entra) -> None:
        self._approves = entra.dialect.admin_consent
        self._token_origin = entra.origins.tokens
        self._journey = Journey(entra)
        self._sign_in = SignIn(entra, self._journey)
        self._admin_consent = AdminConsent(entra, self._journey)

    def routes(self) -> list[Route]:
        approval = [Route("/{tenant}/v2.0/adminconsent", self.adminconsent)] if self._approves else []
        return [
            Route("/{tenant}/oauth2/v2.0/authorize", self.authorize),
            *approval,
            Route("/sign-in/federated", self.federated),
            Route("/sign-in/account", self._pressed(self._account), methods=["POST"]),
            Route("/sign-in/answer", self._pressed(self._journey.answer), methods=["POST"]),
        ]

    async def authorize(self, request: Request) -> Response:
        return self._shown(lambda: self._sign_in.start(request.path_params["tenant"], request.query_params))

    async def adminconsent(self, request: Request) -> Response:
        return self._shown(lambda: self._admin_consent.start(request.path_params["tenant"], request.query_params))

    async def federated(self, request: Request) -> Response:
        return self._shown(lambda: self._journey.come_back(request.query_params.get("page", "")))

    def _account(self, form: Form) -> Step:
        return self._journey.choose(form.get("page", ""), form.get("oid") or form.get("elsewhere", ""))

    def _pressed(self, answer: Callable[[Form], Step]) -> Callable[[Request], Awaitable[Response]]:
        async def posted(request: Request) -> Response:
            same_origin(request)
            form = await form_of(request)
            return self._shown(lambda: answer(form))

        return posted

    def _shown(self, step: Callable[[], Step]) -> Response:
        try:
            return self._show(step())
        except Refusal as refusal:
            return page("stopped.html", status=400, refusal=refusal, trail=Trail())

    def _show(self, step: Step) -> Response:
        match step:
            case ChooseAccount():
                # The answer may leave at once, for somebody who consented before: Chromium holds the redirect
                # against the policy of the page whose form was sent.
                away = f" {self._token_origin}" if step.sends_away else ""
                return page("account.html", goes_to=origin_of(step.redirect_uri) + away, step=step)
            case SentAway():
                return RedirectResponse(step.url, 302, NOT_KEPT)
            case Ask():
                return page(PAGES[type(step)], goes_to=origin_of(step.redirect_uri), step=step)
            case Carried(mode="form_post"):
                return page("carry.html", goes_to=origin_of(step.redirect_uri), only=True, step=step)
            case Carried():
                return _redirect(step)


def _redirect(step: Carried) -> Response:
    mark = "#" if step.mode == "fragment" else "&" if "?" in step.redirect_uri else "?"
    return RedirectResponse(f"{step.redirect_uri}{mark}{urlencode(step.fields)}", 302, NOT_KEPT)
