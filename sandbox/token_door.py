"""The https door: discovery, keys and tokens; others have more addresses on it."""

import asyncio
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.answers import Answer, TokenEndpoint
from sandbox.entra import Entra
from sandbox.faults import Fault
from sandbox.refusals import Refusal, Trail
from sandbox.typed import BadInput
from sandbox.web import form_of, hang_up, told

OPEN = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, OPTIONS"}
JSON_TYPE = "application/json; charset=utf-8"


async def broken(request: Request, fault: Fault, headers: dict[str, str]) -> Response:
    match fault.what:
        case "down":
            return PlainTextResponse("The service is unavailable.", status_code=503, headers=headers)
        case "throttled":
            text = '{"error":"temporarily_unavailable","error_description":"Too many requests."}'
            return Response(text, 429, {**headers, "Retry-After": "60"}, media_type=JSON_TYPE)
        case "html":
            return HTMLResponse("<!doctype html><title>Sign in</title><p>This is a web page.", headers=headers)
        case "garbage":
            return Response('{"token_type":"Bearer","access_tok', headers=headers, media_type=JSON_TYPE)
        case "drop":
            return await hang_up(request)
        case _:
            return Response("{}", headers=headers, media_type=JSON_TYPE)


class TokenDoor:
    def __init__(self, entra: Entra, endpoint: TokenEndpoint) -> None:
        self._entra = entra
        self._endpoint = endpoint

    def app(self, more: Sequence[BaseRoute]) -> Starlette:
        return Starlette(
            routes=[
                Route("/{tenant}/oauth2/v2.0/token", self.token, methods=["POST"]),
                Route("/{tenant}/v2.0/.well-known/openid-configuration", self.discovery),
                Route("/{tenant}/discovery/v2.0/keys", self.keys),
                *more,
            ],
            exception_handlers={Exception: told},
        )

    async def token(self, request: Request) -> Response:
        try:
            form = await form_of(request)
        except BadInput:
            form = {}
        answer = self._endpoint.answer(request.path_params["tenant"], form, request.headers)
        return await self._send(request, answer)

    async def _send(self, request: Request, answer: Answer) -> Response:
        if answer.slow:
            await asyncio.sleep(answer.slow)
        headers = self._entra.dialect.headers(answer.trail, answer.code) | answer.headers
        if answer.broken:
            return await broken(request, answer.broken, headers)
        return JSONResponse(answer.body, answer.status, headers, media_type=JSON_TYPE)

    async def discovery(self, request: Request) -> Response:
        tenant, trail = request.path_params["tenant"], self._trail(request)
        faulty = self._endpoint.faulty_discovery(tenant, trail)
        if faulty:
            return await self._send(request, faulty)
        try:
            body = self._entra.discovery(tenant)
        except Refusal as refusal:
            return await self._send(request, self._endpoint.refused(refusal.at_discovery(), trail))
        headers = {**OPEN, "Cache-Control": "max-age=86400, private"}
        return JSONResponse(body, headers=headers, media_type=JSON_TYPE)

    async def keys(self, request: Request) -> Response:
        try:
            self._entra.directory(request.path_params["tenant"])
        except Refusal as refusal:
            return await self._send(request, self._endpoint.refused(refusal, self._trail(request)))
        headers = {**OPEN, "Cache-Control": "max-age=86400, private"}
        return JSONResponse(self._entra.tokens.jwks(), headers=headers, media_type=JSON_TYPE)

    def _trail(self, request: Request) -> Trail:
        return self._entra.trail(request.headers.get("client-request-id", ""))
