"""How Graph says no: a status, a code of its own and a sentence."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.refusals import Trail  # which needs faults, which need the words of this module

# code -> (status, message)
GRAPH_ERRORS: dict[str, tuple[int, str]] = {
    "InvalidAuthenticationToken": (401, "The access token is empty, malformed or has expired."),
    "BadRequest": (400, "The /me request is only valid with the delegated authentication flow."),
    "Request_UnsupportedQuery": (400, "This filter is not supported."),
    "Authorization_RequestDenied": (403, "Insufficient privileges to complete the operation."),
    "ErrorAccessDenied": (403, "Access is denied. Check credentials and try again."),
    "Request_ResourceNotFound": (
        404,
        "The resource does not exist or one of its queried reference-property objects are not present.",
    ),
    "MailboxNotEnabledForRESTAPI": (404, "The mailbox is either inactive, soft-deleted, or is hosted on-premise."),
    "TooManyRequests": (429, "Too many requests. Try again later."),
    "serviceNotAvailable": (503, "The service is temporarily unavailable."),
}
RETRY_AFTER = "10"


class GraphError(Exception):
    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        self.status, usual = GRAPH_ERRORS[code]
        super().__init__(message or usual)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": RETRY_AFTER} if self.status == 429 else {}

    def body(self, trail: Trail) -> dict[str, Any]:
        inner = {
            "date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
            "request-id": trail.trace_id,
            "client-request-id": trail.correlation_id,
        }
        return {"error": {"code": self.code, "message": str(self), "innerError": inner}}
