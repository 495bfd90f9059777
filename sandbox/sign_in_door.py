"""The pages people meet: choose an account, consent, or read why not."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.entra import Entra
from sandbox.refusals import Refusal, Trail
from sandbox.sign_in import AskConsent, Carried, ChooseAccount, SignIn, Step, origin_of
from sandbox.web import form_of, page, same_origin


class SignInDoor:
    def __init__(self, entra: Entra) -> None:
        self._sign_in = SignIn(entra)

    def routes(self) -> list[Route]:
        return [
            Route("/{tenant}/oauth2/v2.0/authorize", self.authorize),
            Route("/sign-in/account", self.account, methods=["POST"]),
            Route("/sign-in/consent", self.consent, methods=["POST"]),
        ]

    async def authorize(self, request: Request) -> Response:
        try:
            return self._show(self._sign_in.start(request.path_params["tenant"], request.query_params))
        except Refusal as refusal:
            return _stopped(refusal)

    async def account(self, request: Request) -> Response:
        same_origin(request)
        form = await form_of(request)
        try:
            return self._show(self._sign_in.choose(form.get("page", ""), form.get("oid", "")))
        except Refusal as refusal:
            return _stopped(refusal)

    async def consent(self, request: Request) -> Response:
        same_origin(request)
        form = await form_of(request)
        try:
            return self._show(self._sign_in.consent(form.get("page", ""), form.get("answer", "")))
        except Refusal as refusal:
            return _stopped(refusal)

    def _show(self, step: Step) -> Response:
        match step:
            case ChooseAccount():
                # The answer may leave at once, for somebody who consented before: Chromium holds the redirect
                # against the policy of the page whose form was sent.
                return page("account.html", goes_to=origin_of(step.redirect_uri), step=step)
            case AskConsent():
                name = "admin_needed.html" if step.needs_admin else "consent.html"
                return page(name, goes_to=origin_of(step.redirect_uri), step=step)
            case Carried(mode="form_post"):
                return page("carry.html", goes_to=origin_of(step.redirect_uri), only=True, step=step)
            case Carried():
                return _redirect(step)


def _redirect(step: Carried) -> Response:
    mark = "#" if step.mode == "fragment" else "&" if "?" in step.redirect_uri else "?"
    headers = {"Cache-Control": "no-store, no-cache", "Referrer-Policy": "strict-origin-when-cross-origin"}
    return RedirectResponse(f"{step.redirect_uri}{mark}{urlencode(step.fields)}", 302, headers)


def _stopped(refusal: Refusal) -> Response:
    return page("stopped.html", status=400, refusal=refusal, trail=Trail())
