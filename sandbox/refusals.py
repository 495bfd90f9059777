"""How Entra says no: the numbers, the OAuth error each comes with, and the shape of the body. Texts: refusals.json."""

import datetime
import json
import uuid
from pathlib import Path
from typing import Any

from sandbox.things import iso

# One row a number. "text" is a short paraphrase of the public one, {…} filled by whoever refuses; "status" where it is
# not 400, "suberror" where Entra sends one, "stays" where a person at the sign-in pages is not sent back with it.
ROWS: dict[int, dict[str, Any]] = {
    row["code"]: row for row in json.loads(Path(__file__).with_name("refusals.json").read_text("utf-8"))["refusals"]
}
UNLISTED = {"error": "invalid_grant", "text": "The request was refused."}
NEVER_REDIRECTED = frozenset(code for code, row in ROWS.items() if "stays" in row)
NO_SUCH_DIRECTORY = (90002, 900023)
BLOCKED_BY_CONDITIONAL_ACCESS = 53003
CONDITIONAL_ACCESS = (
    '{"access_token":{"capolids":{"essential":true,"values":["00000000-0000-4000-8000-000000053003"]}}}'
)
HEADERS = {307: {"Location": "token"}, 429: {"Retry-After": "60"}}  # by status
# How the three ids at the end of a description are set off from it and from each other. Lines are the older way.
TRAILERS = {"spaces": " ", "lines": "\r\n"}


class Refusal(Exception):
    """Entra's no, with its number. `facts` fill the text."""

    def __init__(self, code: int, *, error: str = "", **facts: object) -> None:
        row = ROWS.get(code, UNLISTED)
        self.code = code
        self.error: str = error or row["error"]
        self.status: int = row.get("status", 400)
        self.headers: dict[str, str] = HEADERS.get(self.status, {})
        self.suberror: str = row.get("suberror", "")
        self.text: str = row["text"].format_map(_Facts(facts))
        super().__init__(f"AADSTS{code}: {self.text}")

    def at_discovery(self) -> "Refusal":
        """The same no from the discovery document, which has an error of its own for a directory it cannot find."""
        if self.code in NO_SUCH_DIRECTORY:
            self.error = "invalid_tenant"
        return self

    def body(self, trail: "Trail", login_origin: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "error": self.error,
            "error_description": trail.after(str(self)),
            "error_codes": [self.code],
            "timestamp": trail.stamp,
            "trace_id": trail.trace_id,
            "correlation_id": trail.correlation_id,
            "error_uri": f"{login_origin}/error?code={self.code}",
        }
        if self.suberror:
            body["suberror"] = self.suberror
        if self.code == BLOCKED_BY_CONDITIONAL_ACCESS:
            body["claims"] = CONDITIONAL_ACCESS
        return body

    def redirect_fields(self, trail: "Trail", login_origin: str) -> dict[str, str]:
        fields = {
            "error": self.error,
            "error_description": trail.after(str(self)),
            "error_uri": f"{login_origin}/error?code={self.code}",
        }
        if self.error == "access_denied":
            fields["error_subcode"] = "cancel"
        return fields


class _Facts(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "unknown"


class Trail:
    """The three ids support asks for; correlation is the caller's own where it sent a GUID."""

    def __init__(self, client_request_id: str = "", style: str = "spaces") -> None:
        self.trace_id = str(uuid.uuid4())
        try:
            self.correlation_id = str(uuid.UUID(client_request_id))
        except ValueError:
            self.correlation_id = str(uuid.uuid4())
        self.stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        self._between = TRAILERS[style]

    def after(self, text: str) -> str:
        ids = (f"Trace ID: {self.trace_id}", f"Correlation ID: {self.correlation_id}", f"Timestamp: {self.stamp}")
        return self._between.join((text, *ids))


def iso7(moment: float) -> str:
    """With seven digits after the point, as Entra writes it inside its texts."""
    return iso(moment).replace("Z", f".{int(moment % 1 * 10_000_000):07d}Z")
