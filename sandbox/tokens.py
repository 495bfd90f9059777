"""What an app is handed: codes, refresh tokens, access tokens, signed id_tokens."""

import base64
import random
import secrets
import time
import uuid
from typing import Any

import jwt

from sandbox.keys import Keys, b64url
from sandbox.things import CONSUMERS, App, Person

ID_TOKEN_LIFETIME = 3900  # an hour and the skew Entra adds
APP_TOKEN_LIFETIME = 3599
CODE_LENGTH = 600
REFRESH_TOKEN_LENGTH = 800


class Tokens:
    def __init__(self, keys: Keys, issuer_origin: str) -> None:
        self._keys = keys
        self._issuer_origin = issuer_origin

    def issuer(self, directory: str) -> str:
        return f"{self._issuer_origin}/{directory}/v2.0"

    def jwks(self) -> dict[str, Any]:
        return {"keys": [{**self._keys.jwk, "issuer": self.issuer("{tenantid}")}]}

    # -- sealed texts

    def code(self, body: dict[str, Any]) -> str:
        return "1." + self._keys.seal("code", {**body, "id": uuid.uuid4().hex}, pad=CODE_LENGTH)

    def read_code(self, text: str) -> dict[str, Any]:
        return self._keys.unseal("code", text.removeprefix("1."))

    def refresh_token(self, app: App, person: Person, issued_at: float, marks: dict[str, str]) -> str:
        body = {"app": app.client_id, "oid": person.oid, "session": person.session, "at": issued_at, **marks}
        return "1." + self._keys.seal("refresh", body, pad=REFRESH_TOKEN_LENGTH)

    def read_refresh_token(self, text: str) -> dict[str, Any]:
        return self._keys.unseal("refresh", text.removeprefix("1."))

    def access_token(self, app: App, directory: str, person: Person | None, scopes: tuple[str, ...]) -> str:
        body = {"app": app.client_id, "tid": directory, "oid": person.oid if person else "", "scp": scopes}
        return self._keys.seal("access", {**body, "exp": time.time() + 5400}, pad=REFRESH_TOKEN_LENGTH)

    def read_access_token(self, text: str) -> dict[str, Any]:
        return self._keys.unseal("access", text)

    def page_state(self, body: dict[str, Any]) -> str:
        return self._keys.seal("page", body)

    def read_page_state(self, text: str) -> dict[str, Any]:
        return self._keys.unseal("page", text)

    # -- id_tokens

    def claims(self, app: App, person: Person, asked: tuple[str, ...], nonce: str) -> dict[str, Any]:
        # Real time, whatever the sandbox's clock says: the app checks these against its own clock.
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": app.client_id,
            "iss": self.issuer(person.directory),
            "iat": now,
            "nbf": now,
            "exp": now + ID_TOKEN_LIFETIME,
            "aio": secrets.token_urlsafe(60),
        }
        if "email" in asked and person.email:
            claims["email"] = person.email
        if "profile" in asked:
            claims |= {"name": person.name, "oid": person.oid, "preferred_username": person.address}
        if person.home:
            claims["idp"] = _identity_provider(person.home_directory)
        if nonce:
            claims["nonce"] = nonce
        return claims | {
            "rh": "1." + secrets.token_urlsafe(60),
            "sub": self._keys.pairwise(app.client_id, person.oid),
            "tid": person.directory,
            "uti": secrets.token_urlsafe(16)[:22],
            "ver": "2.0",
        }

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._keys.signing_key, algorithm="RS256", headers={"kid": self._keys.kid})


def client_info(person: Person) -> str:
    """The account at home, also of a guest."""
    uid, utid = person.home or person.oid, person.home_directory or person.directory
    return b64url(f'{{"uid":"{uid}","utid":"{utid}"}}'.encode())


def _identity_provider(directory: str) -> str:
    return "live.com" if directory == CONSUMERS else f"https://sts.windows.net/{directory}/"


def user_token_lifetime() -> int:
    """Entra spreads them over an hour to an hour and a half."""
    return random.randint(3600, 5399)  # noqa: S311 - nothing to guess here


def shuffled(names: tuple[str, ...]) -> list[str]:
    """Entra's order of scopes is not stable, so ours is not either."""
    return random.sample(names, k=len(names))


def basic_credentials(header: str) -> tuple[str, str] | None:
    kind, _, text = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return None
    return name, secret
