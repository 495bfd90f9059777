"""Answers in the shapes of Microsoft's token endpoint, and answers that are none."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store, no-cache",
    "Pragma": "no-cache",
    "x-ms-ests-server": "2.1.0.0 - FAULTS ProdSlices",
}
PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests", 503: "Service Unavailable"}


def reply(status: int, body: Any, **headers: str) -> bytes:
    """A whole HTTP answer; what is not text is sent as JSON."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    named = {**HEADERS, "x-ms-request-id": str(uuid.uuid4()), **headers, "Content-Length": str(len(content))}
    lines = [f"HTTP/1.1 {status} {PHRASES.get(status, 'Other')}", *(f"{name}: {text}" for name, text in named.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


def discovery(origin: str, directory: str) -> bytes:
    endpoints = f"{origin}/{directory}/oauth2/v2.0"
    return reply(
        200,
        {
            "issuer": f"{origin}/{directory}/v2.0",
            "authorization_endpoint": f"{endpoints}/authorize",
            "token_endpoint": f"{endpoints}/token",
            "jwks_uri": f"{origin}/{directory}/discovery/v2.0/keys",
        },
    )


def signed_in() -> bytes:
    return reply(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "not-real"})


def refreshed(token: str, scope: str) -> bytes:
    names = [name for name in scope.split() if name != "offline_access"]
    body = {
        "token_type": "Bearer",
        "scope": " ".join(names),
        "expires_in": 4300,
        "ext_expires_in": 4300,
        "access_token": "not-real",
        "refresh_token": token,
    }
    return reply(200, body)


def refused(status: int, error: str, code: int, text: str) -> bytes:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
    body = {
        "error": error,
        "error_description": (
            f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        ),
        "error_codes": [code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return reply(status, body)


def used_token() -> bytes:
    """How a provider that is not Microsoft's refuses a refresh token that was used before."""
    return reply(400, {"error": "invalid_grant", "error_description": "The refresh token is invalid or was used."})


def wait(seconds: int) -> bytes:
    body = {"error": "temporarily_unavailable", "error_description": "Too many requests."}
    return reply(429, body, **{"Retry-After": str(seconds)})


DOWN = "The service is unavailable."
GARBAGE = '{"token_type":"Bearer","access_tok'
