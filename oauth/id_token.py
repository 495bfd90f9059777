"""Who signed in: the id_token's claims, each checked, because MSAL since 1.38 checks none of them.

The signature is not verified: the token came straight from the token endpoint over TLS, whose certificate was, and
OpenID Connect Core 3.1.3.7, point 6, lets that stand in for it. Do not use this for a token that came another way.
"""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.views.decorators.debug import sensitive_variables

from .errors import AnswerRejected
from .http import GUID

SKEW = 120
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the directory of all personal Microsoft accounts
SIGNED = re.compile(r"(RS|PS|ES)(256|384|512)|EdDSA")

WRONG = {
    "missing": "The answer names nobody: it holds no id_token.",
    "shape": "The answer's id_token cannot be read.",
    "algorithm": "The answer's id_token is not signed as it must be.",
    "aud": "The answer was made for another application.",
    "iss": "The answer was issued by somebody else than the one who was asked.",
    "tid": "The answer names no directory.",
    "oid": "The answer names no account.",
    "sub": "The answer names no subject.",
    "exp": "The answer has expired, or this machine's clock is wrong.",
    "nbf": "The answer is not valid yet, or this machine's clock is wrong.",
    "iat": "The answer comes from the future, or this machine's clock is wrong.",
    "nonce": "The answer belongs to another sign-in.",
}
# What is in order, of an account that was not asked for.
UNFIT = {
    "wrong_directory": "The account is of another directory than the one that was asked.",
    "personal_account": "A personal account came back, and a work or school account was asked for.",
    "work_account": "A work or school account came back, and a personal account was asked for.",
}


@dataclass(frozen=True)
class Identity:
    """An account. `tid` and `oid`, in lower case, are who it is; address and name are what it is called today.

    `username` is what it signs in with, of a domain that its directory has proven to own. `email` is what its directory
    says it is reached by, which that directory's administrators can make up; the address is that only where no username
    came. `is_guest`: its home is another directory.
    """

    tid: str
    oid: str
    address: str
    name: str
    username: str = ""
    email: str = ""
    is_guest: bool = False


@sensitive_variables()
def identity_of(id_token: object, *, client_id: str, issuer: str, directory: str, nonce: str | None) -> Identity:
    """The account an id_token names, or AnswerRejected.

    `issuer` may hold "{tenantid}" where the directory's ID belongs. `directory` is the one the registration signs in
    to: an ID, a domain, or one of Microsoft's words for many. `nonce` is the flow's, None where none was sent.
    """
    claims = _claims_of(id_token)
    tid, oid = _guid(claims, "tid"), _guid(claims, "oid")
    _demand(_text(claims, "aud").lower() == client_id.lower(), "aud")
    if reason := _misfit(directory.lower(), issuer, tid):
        raise AnswerRejected(reason, UNFIT[reason])
    _demand(_text(claims, "iss") == issuer.replace("{tenantid}", tid), "iss")
    _demand(_text(claims, "sub") != "", "sub")
    now = time.time()
    _demand(_moment(claims, "exp") > now - SKEW, "exp")
    _demand(_moment(claims, "iat") < now + SKEW, "iat")
    _demand("nbf" not in claims or _moment(claims, "nbf") < now + SKEW, "nbf")
    if nonce is not None:
        sent = hashlib.sha256(nonce.encode()).hexdigest()  # what MSAL sends in its place
        _demand(hmac.compare_digest(_text(claims, "nonce").encode("utf-8", "replace"), sent.encode()), "nonce")
    username, email = (_clean(_text(claims, claim)).lower()[:320] for claim in ("preferred_username", "email"))
    return Identity(
        tid,
        oid,
        username or email,
        _clean(_text(claims, "name"))[:200].strip(),
        username,
        email,
        is_guest=tid != PERSONAL and "idp" in claims and tid not in _text(claims, "idp").lower(),
    )


def _demand(holds: bool, reason: str) -> None:
    if not holds:
        raise AnswerRejected(reason, WRONG[reason])


def _claims_of(id_token: object) -> dict[str, Any]:
    _demand(id_token not in (None, ""), "missing")
    parts = id_token.split(".") if isinstance(id_token, str) else []
    _demand(len(parts) == 3 and all(parts), "shape")
    claims = _object_in(parts[1])
    _demand(_is_signed(parts[0]), "algorithm")
    return claims


@lru_cache(maxsize=64)
def _is_signed(header: str) -> bool:
    # All that Microsoft signs with one of its few keys have the same header.
    return SIGNED.fullmatch(_text(_object_in(header), "alg")) is not None


def _object_in(part: str) -> dict[str, Any]:
    try:
        data = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        # Raised here and not in the handler: the handler's exception holds the token's text.
        raise AnswerRejected("shape", WRONG["shape"])
    return data


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _guid(claims: Mapping[str, Any], name: str) -> str:
    value = _text(claims, name)
    _demand(GUID.fullmatch(value) is not None, name)
    return value.lower()


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    _demand(type(value) in (int, float) and 0 <= value < 1 << 40, name)  # type: ignore[operator]
    return float(value)  # type: ignore[arg-type]


def _misfit(directory: str, issuer: str, tid: str) -> str:
    """Why an account of the directory `tid` is not one that was asked for; empty if it is."""
    named = GUID.search(issuer)
    wanted = directory if GUID.fullmatch(directory) else named[0].lower() if named else ""
    if directory == "consumers":
        return "" if tid == PERSONAL else "work_account"
    if tid == PERSONAL and directory != "common" and wanted != PERSONAL:
        return "personal_account"
    return "wrong_directory" if wanted and tid != wanted else ""


def _clean(text: str) -> str:
    """On one line, without control characters."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())
