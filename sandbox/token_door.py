"""The https door: discovery, keys, tokens, and the smallest of Graph."""

import asyncio
import time
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.answers import Answer, TokenEndpoint
from sandbox.directory import BadInput
from sandbox.entra import Entra
from sandbox.faults import Fault
from sandbox.keys import Unsealable
from sandbox.refusals import Refusal, Trail
from sandbox.things import iso
from sandbox.web import form_of, hang_up, told

NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Expires": "-1"}
OPEN = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, OPTIONS"}
JSON_TYPE = "application/json; charset=utf-8"


def headers_for(trail: Trail) -> dict[str, str]:
    return {
        **NO_STORE,
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "x-ms-request-id": trail.trace_id,
        "x-ms-clitelem": "1,0,0,,",
        "X-XSS-Protection": "0",
    }


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

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/{tenant}/oauth2/v2.0/token", self.token, methods=["POST"]),
                Route("/{tenant}/v2.0/.well-known/openid-configuration", self.discovery),
                Route("/{tenant}/discovery/v2.0/keys", self.keys),
                Route("/v1.0/me", self.me),
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
        headers = headers_for(answer.trail)
        if answer.broken:
            return await broken(request, answer.broken, headers)
        return JSONResponse(answer.body, answer.status, headers, media_type=JSON_TYPE)

    async def discovery(self, request: Request) -> Response:
        tenant, trail = request.path_params["tenant"], Trail(request.headers.get("client-request-id", ""))
        faulty = self._endpoint.faulty_discovery(tenant, trail)
        if faulty:
            return await self._send(request, faulty)
        try:
            body = self._entra.discovery(tenant)
        except Refusal as refusal:
            wrong = Refusal(refusal.code, error="invalid_tenant", tenant=tenant)
            return self._refused(wrong, trail)
        headers = {**OPEN, "Cache-Control": "max-age=86400, private", "x-ms-request-id": trail.trace_id}
        return JSONResponse(body, headers=headers, media_type=JSON_TYPE)

    async def keys(self, request: Request) -> Response:
        try:
            self._entra.directory(request.path_params["tenant"])
        except Refusal as refusal:
            return self._refused(refusal, Trail(request.headers.get("client-request-id", "")))
        headers = {**OPEN, "Cache-Control": "max-age=86400, private"}
        return JSONResponse(self._entra.tokens.jwks(), headers=headers, media_type=JSON_TYPE)

    def _refused(self, refusal: Refusal, trail: Trail) -> Response:
        body = refusal.body(trail, self._entra.origins.tokens)
        return JSONResponse(body, refusal.status, headers_for(trail), media_type=JSON_TYPE)

    async def me(self, request: Request) -> Response:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        trail = Trail(request.headers.get("client-request-id", ""))
        try:
            token = self._entra.tokens.read_access_token(text if kind.lower() == "bearer" else "")
        except Unsealable:
            return _graph_error(401, "InvalidAuthenticationToken", "The access token is empty or malformed.", trail)
        person = self._entra.world.people.get(token["oid"])
        if token["exp"] < time.time():
            return _graph_error(401, "InvalidAuthenticationToken", "The access token has expired.", trail)
        if person is None or "User.Read" not in token["scp"]:
            text = "Insufficient privileges to complete the operation."
            return _graph_error(403, "Authorization_RequestDenied", text, trail)
        given, _, surname = person.name.rpartition(" ")
        body: dict[str, Any] = {
            "@odata.context": f"{self._entra.origins.tokens}/v1.0/$metadata#users/$entity",
            "businessPhones": [],
            "displayName": person.name,
            "givenName": given or person.name,
            "jobTitle": None,
            "mail": person.address,
            "mobilePhone": None,
            "officeLocation": None,
            "preferredLanguage": "en-US",
            "surname": surname,
            "userPrincipalName": person.address,
            "id": person.oid,
        }
        return JSONResponse(body, headers={**NO_STORE, "request-id": trail.trace_id})


def _graph_error(status: int, code: str, message: str, trail: Trail) -> Response:
    inner: dict[str, Any] = {
        "date": iso(time.time()).rstrip("Z"),
        "request-id": trail.trace_id,
        "client-request-id": trail.correlation_id,
    }
    body = {"error": {"code": code, "message": message, "innerError": inner}}
    return JSONResponse(body, status, {**NO_STORE, "request-id": trail.trace_id})
