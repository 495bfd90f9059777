"""What every door shares: loopback hosts only, strict headers, pages from templates."""

import asyncio
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.typed import BadInput, from_json

HERE = Path(__file__).parent
LONGEST_BODY = 256 * 1024
LOOPBACK = ("localhost", "127.0.0.1")

TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Forbidden(Exception):
    """Another web page, or another host name, tried to drive the sandbox."""


class LoopbackOnly:
    """Answers only under a loopback name, so that no page elsewhere can reach in by rebinding its own name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _host(scope) not in LOOPBACK:
            refusal = PlainTextResponse("The sandbox answers on this machine only.\n", status_code=403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _host(scope: Scope) -> str:
    return Headers(scope=scope).get("host", "").rsplit(":", 1)[0].lower()


def page(template: str, *, status: int = 200, goes_to: str = "", only: bool = False, **context: Any) -> HTMLResponse:
    """A page of ours. goes_to: the origin its form ends up at, besides our own, or instead of it (only)."""
    form_action = " ".join(part for part in ("" if only else "'self'", goes_to) if part)
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        f"form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store, no-cache",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return HTMLResponse(TEMPLATES.get_template(template).render(context), status_code=status, headers=headers)


def same_origin(request: Request) -> None:
    """Only our own pages may post here."""
    if request.headers.get("origin") != f"{request.url.scheme}://{request.headers.get('host')}":
        raise Forbidden


async def body_of(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise BadInput("The request is too long.")
    return body


async def form_of(request: Request, lists: Collection[str] = ()) -> dict[str, str]:
    """The fields of a urlencoded form; anything else counts as an empty one. Those in lists have one value a line."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        return {}
    text = (await body_of(request)).decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=100)
    except ValueError:
        return {}
    several = {name: "\n".join(value for each, value in pairs if each == name) for name in lists}
    return {name: several.get(name, value) for name, value in pairs}


async def json_of(request: Request) -> dict[str, Any]:
    """The object a JSON request carries. Only that content type, which a foreign page cannot send unasked."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise BadInput("Send the request as application/json.")
    body = from_json(await body_of(request) or b"{}", "The request")
    if not isinstance(body, dict):
        raise BadInput("Send a JSON object.")
    return body


async def told(request: Request, exc: Exception) -> Response:
    """A fault of the sandbox itself, as opposed to one it was asked for."""
    logging.getLogger("sandbox").error("%s %s failed", request.method, request.url.path, exc_info=exc)
    return PlainTextResponse("The sandbox itself failed here. Its log says why.\n", status_code=500)


async def hang_up(request: Request) -> Response:
    """Close the line without a word."""
    request.scope["line"].abort()
    await asyncio.sleep(0)
    return Response()
