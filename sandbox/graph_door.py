"""Graph's addresses, on the https door."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dialect import NO_STORE
from sandbox.entra import Entra
from sandbox.graph import Caller, Graph
from sandbox.graph_errors import GRAPH_ERRORS, GraphError
from sandbox.refusals import Trail
from sandbox.token_door import broken

FAILURES = {"down": "serviceNotAvailable", "throttled": "TooManyRequests"}
Ask = Callable[[Caller, Request], dict[str, Any]]


class GraphDoor:
    def __init__(self, entra: Entra) -> None:
        self._graph = Graph(entra)

    def routes(self) -> list[Route]:
        graph = self._graph
        asked: dict[str, Ask] = {
            "/v1.0/me": lambda caller, request: graph.me(caller, request.query_params),
            "/v1.0/me/mailboxSettings": lambda caller, request: graph.mailbox_settings(caller, request.query_params),
            "/v1.0/me/mailFolders/inbox": lambda caller, request: graph.inbox(caller, request.query_params),
            "/v1.0/applications(appId='{app_id}')": lambda caller, request: graph.application(
                caller, request.path_params["app_id"], request.query_params
            ),
            "/v1.0/servicePrincipals(appId='{app_id}')": lambda caller, request: graph.service_principal(
                caller, request.path_params["app_id"], request.query_params
            ),
            "/v1.0/oauth2PermissionGrants": lambda caller, request: graph.permission_grants(
                caller, request.query_params
            ),
        }
        return [Route(path, self._answer(ask)) for path, ask in asked.items()]

    def _answer(self, ask: Ask) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            trail = Trail(request.headers.get("client-request-id", ""))
            headers = {**NO_STORE, "request-id": trail.trace_id, "client-request-id": trail.correlation_id}
            try:
                caller = self._graph.caller(request.headers.get("authorization", ""))
                slow = self._graph.fault("slow", caller)
                if slow:
                    await asyncio.sleep(slow.seconds)
                fault = self._graph.fault("instead", caller)
                if fault:
                    code = FAILURES.get(str(fault.what), str(fault.what))
                    if code not in GRAPH_ERRORS:
                        return await broken(request, fault, headers)
                    raise GraphError(code)
                return JSONResponse(ask(caller, request), headers=headers)
            except GraphError as error:
                return JSONResponse(error.body(trail), error.status, {**headers, **error.headers})

        return answer
