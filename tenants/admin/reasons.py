"""Why a consent came to nothing, for the operator: in words, with who must act and how."""

from collections.abc import Sequence
from typing import NamedTuple

from oauth.errors import CODES, ERRORS, SUBERRORS, then_up_to
from oauth.id_token import UNFIT, WRONG


class Reason(NamedTuple):
    what: str
    actor: str
    remedy: str

    @property
    def todo(self) -> str:
        """What the operator does, and who it is up to then."""
        if self.actor == "nobody":
            return self.remedy
        others = then_up_to(self.actor)
        return f"You: {self.remedy} It is then up to: {others}." if others else f"You: {self.remedy}"


_AGAIN = "Ask the person to open the link again; if it happens again, report the fault."
_RIGHT_ACCOUNT = "Ask the person to sign in with the account that the link is for."
_SOON = "Ask the person to open the link again in some minutes."
_CLOCK = "Set the clock of the machine that Tenantry runs on, and ask the person to open the link again."

# Of an answer that is not as it must be.
_ANSWER = {
    **WRONG,
    "state": "The answer belongs to another sign-in.",
    "code": "The answer holds neither a code nor an error.",
    "malformed": "The answer is not one that Microsoft would send.",
}
_OURS: dict[str, Reason] = {
    **{kind: Reason(what, "mailbox_owner", _AGAIN) for kind, what in _ANSWER.items()},
    **{kind: Reason(WRONG[kind], "operator", _CLOCK) for kind in ("exp", "nbf", "iat")},
    **{kind: Reason(what, "mailbox_owner", _RIGHT_ACCOUNT) for kind, what in UNFIT.items()},
    "wrong_account": Reason(
        "Another account came back than the one the link is for.",
        "mailbox_owner",
        f"{_RIGHT_ACCOUNT} If the link may have come into other hands, revoke it.",
    ),
    "guest": Reason(
        "The account is a guest in that directory; its mailbox is in its home directory.",
        "mailbox_owner",
        "Ask the person to sign in through their own organization, by a link without another expected directory.",
    ),
    "no_mailbox": Reason(
        "The account has no mailbox at Microsoft 365.",
        "tenant_admin",
        "Ask the tenant's administrator for an Exchange Online licence, or the person for an account with a mailbox.",
    ),
    "other_tenant": Reason(
        "The account is already connected for another tenant, or its directory has approved for one.",
        "operator",
        "One account or directory serves one tenant of a registration. Ask a superuser which one that is.",
    ),
    "no_flow": Reason("The answer came twice; the first one was taken.", "nobody", "Nothing to do."),
    "registration_changed": Reason(
        "The registration or the link was changed while the person was at Microsoft.", "mailbox_owner", _AGAIN
    ),
    "link_unusable": Reason(
        "The link ended or was used up while the person was at Microsoft.",
        "operator",
        "Renew the link, or make another, and send it.",
    ),
    "unreadable_flow": Reason(
        "What was kept of this attempt cannot be read: the encryption key was changed meanwhile.",
        "mailbox_owner",
        "Ask the person to open the link again.",
    ),
    "no_secret": Reason(
        "The registration has no client secret.", "operator", "Paste a client secret on the registration's page."
    ),
    "unreadable_secret": Reason(
        "The stored client secret cannot be read.", "operator", "Enter it again on the registration's page."
    ),
    "secret_ending": Reason(
        "The client secret has ended.",
        "operator",
        "Make a new client secret in Entra and paste it on the registration's page.",
    ),
    "unverified": Reason(
        "The registration cannot ask Microsoft: its cloud is not configured here.",
        "operator",
        "Configure the cloud again, or archive the registration.",
    ),
    "endpoint": Reason(
        "The discovery document of the registration's cloud names an address of somebody else.",
        "operator",
        "Check the cloud's entry in EXTRA_CLOUDS.",
    ),
    "refresh_token": Reason(
        "Microsoft granted no lasting access (offline_access).",
        "tenant_admin",
        "Ask the tenant's administrator whether a policy forbids it.",
    ),
    "not_spread": Reason(
        "Microsoft did not know of the consent yet, though it was asked for a minute.",
        "mailbox_owner",
        _SOON,
    ),
    # Of these the table says that Tenantry tries again, which holds for checks only.
    "throttled": Reason("Microsoft was asked too often and wanted Tenantry to slow down.", "mailbox_owner", _SOON),
    "service_unavailable": Reason("Microsoft's service had a fault at that moment.", "mailbox_owner", _SOON),
    "sign_in_interrupted": Reason("The sign-in was interrupted on Microsoft's pages.", "mailbox_owner", _SOON),
    "unreachable": Reason(
        "Microsoft did not answer, or not in a way that can be read.",
        "mailbox_owner",
        "Ask the person to open the link again later.",
    ),
}
_MICROSOFTS: dict[str, Reason] = {
    fault.kind: Reason(fault.what, fault.actor, fault.remedy)
    for table in (ERRORS, SUBERRORS, CODES)
    for fault in reversed(table.values())
}

# What ends on Microsoft's own page: nobody is sent back from there, so Tenantry never hears of it.
STAYS_AT_MICROSOFT = (50011, 700016, 50020, 50105)
CLOSED = "The page was closed, or the person waits until their administrator approves a request."


def reason_of(kind: str, codes: Sequence[int] = ()) -> Reason | None:
    """What is behind an attempt's kind of fault; the number says it best, where it is the one the kind came from."""
    told = [CODES[code] for code in codes if code in CODES and CODES[code].kind == kind]
    if told and kind not in _OURS:
        return Reason(told[0].what, told[0].actor, told[0].remedy)
    if kind in _OURS or kind in _MICROSOFTS:
        return _OURS.get(kind) or _MICROSOFTS[kind]
    return Reason(kind.replace("_", " "), "operator", "Look the trace ID up in Entra's sign-in log.") if kind else None


def reason_behind(code: int) -> Reason | None:
    """What an AADSTS number means, or None where it is not in the table."""
    fault = CODES.get(code)
    return Reason(fault.what, fault.actor, fault.remedy) if fault else None


def is_fault_of_registration(code: int) -> bool:
    """Whether this AADSTS number stands for what the operator must mend at the registration."""
    fault = CODES.get(code)
    return fault is not None and (fault.scope, fault.actor) == ("registration", "operator")


def likely_causes() -> list[str]:
    """Why an attempt may have had no answer, each with its number where Microsoft shows one."""
    known = [(code, reason) for code in STAYS_AT_MICROSOFT if (reason := reason_behind(code))]
    return [*(f"AADSTS{code}: {reason.what} {reason.todo}" for code, reason in known), CLOSED]
