"""What Microsoft's refusals mean: whose fault, what it does to a connection, who must act. Words are in aadsts.json.

Microsoft asks clients not to rely on AADSTS numbers, so status and `error` decide the class and numbers only refine it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

Scope = Literal["registration", "connection", "request", "service"]
Actor = Literal["operator", "tenant_admin", "mailbox_owner", "nobody"]
Verdict = Literal["", "invalid", "dead"]

ACTORS: dict[str, str] = {
    "operator": "you, the operator",
    "tenant_admin": "the tenant's Microsoft 365 administrator",
    "mailbox_owner": "the mailbox owner",
    "nobody": "nobody; it is tried again",
}


def then_up_to(actor: str) -> str:
    """Who it is up to once the operator has done what the remedy says; empty where that is nobody else."""
    return ACTORS[actor] if actor in ("tenant_admin", "mailbox_owner") else ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row of the table: a kind, and what follows from it.

    `verdict` is what it does to a connection's token_status; only scope "connection" has one. `blocked` recovers by
    itself once somebody else acts. `what` and `remedy` are sentences for the operator.
    """

    kind: str
    scope: Scope
    actor: Actor
    what: str
    remedy: str
    verdict: Verdict = ""
    blocked: bool = False
    retryable: bool = False


def _table() -> dict[str, list[dict[str, Any]]]:
    table: dict[str, list[dict[str, Any]]] = json.loads(Path(__file__).with_name("aadsts.json").read_text("utf-8"))
    return table


def _faults(rows: list[dict[str, Any]], key: str) -> dict[Any, Fault]:
    return {row[key]: Fault(**{name: value for name, value in row.items() if name != key}) for row in rows}


_TABLE = _table()
CODES: dict[int, Fault] = _faults(_TABLE["codes"], "code")
SUBERRORS: dict[str, Fault] = _faults(_TABLE["suberrors"], "suberror")
ERRORS: dict[str, Fault] = _faults(_TABLE["errors"], "error")

VERDICTS: tuple[Verdict, ...] = ("", "invalid", "dead")
SPEAKS_OF_A_LOST_TOKEN = frozenset(["", "bad_token", "token_expired"])


def fault_for(*, status: int, error: str, suberror: str = "", codes: Sequence[int] = ()) -> Fault:
    """The one reading of a refusal, the most cautious where Microsoft says several things at once.

    - Status and `error` give the class, and what the class forbids no number brings back: 429 and 5xx are never a
      verdict, invalid_client is about the registration and touches no connection, only connections have verdicts.
    - A suberror refines that, a known number refines it further. Of several known numbers the softest counts: what can
      be retried, then what touches no connection, then `invalid`, then `dead`; the first of equals.
    - `dead` takes a row that says so, in a plain invalid_grant (400), with nothing beside it that says otherwise:
      no number we do not know, no suberror that speaks of anything but a lost token. Else it is `invalid`.
    """
    base = _class_of(status, error)
    refinements = [CODES[code] for code in codes if code in CODES and _may_refine(base, error, CODES[code])]
    if refinements:
        fault = min(refinements, key=_hardness)
    elif suberror in SUBERRORS and _may_refine(base, error, SUBERRORS[suberror]):
        fault = SUBERRORS[suberror]
    else:
        fault = base
    if base.scope != "connection":
        return replace(fault, verdict="")
    is_certain = (
        status == 400
        and error == "invalid_grant"
        and suberror in SPEAKS_OF_A_LOST_TOKEN
        and all(code in CODES for code in codes)
    )
    return replace(fault, verdict="invalid") if fault.verdict == "dead" and not is_certain else fault


def _class_of(status: int, error: str) -> Fault:
    if status == 429:
        return ERRORS["429"]
    if status >= 500:
        return ERRORS["5xx"]
    return ERRORS.get(error, ERRORS[""])


def _may_refine(base: Fault, error: str, fault: Fault) -> bool:
    if base.scope == "service":
        return fault.retryable
    if error == "invalid_client":
        return fault.scope == "registration"
    if base.scope == "registration":
        return fault.scope == "registration" or fault.retryable
    return True


def _hardness(fault: Fault) -> tuple[bool, int]:
    return (not fault.retryable, VERDICTS.index(fault.verdict))


class EntraError(Exception):
    """Microsoft did not give what was asked for. The text is a sentence and never holds a secret."""


class EntraRefused(EntraError):
    """A clear no; calling again without a human changes nothing. The text says what is wrong."""

    def __init__(
        self,
        fault: Fault,
        *,
        error: str = "",
        suberror: str = "",
        codes: Sequence[int] = (),
        trace_id: str = "",
        correlation_id: str = "",
    ) -> None:
        super().__init__(fault.what)
        self.fault = fault
        self.error = error
        self.suberror = suberror
        self.codes = tuple(codes)
        self.trace_id = trace_id
        self.correlation_id = correlation_id


class EntraUnreachable(EntraError):
    """No usable answer; the same call may work later, not before `retry_after` seconds where Microsoft named them.

    `kind` is the table's where Microsoft said why.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, kind: str = "unreachable") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.kind = kind

    @property
    def throttled(self) -> bool:
        return self.kind == "throttled"


class AnswerRejected(EntraError):
    """The answer does not hold what it must, so nothing of it may be kept. `reason` is a short word for machines."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
