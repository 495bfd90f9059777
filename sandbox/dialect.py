"""In whose manner the sandbox answers: Entra's, or that of a plain OpenID provider."""

from collections.abc import Iterable
from typing import Any

from sandbox import permissions
from sandbox.permissions import Scopes
from sandbox.refusals import Refusal, Trail
from sandbox.tokens import shuffled

NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Expires": "-1"}
SECURED = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Content-Type-Options": "nosniff"}


class Dialect:
    """Entra's manner. It is asked wherever providers differ; what it is not asked they have in common."""

    key = "sandbox"
    name = "Sandbox"
    sandbox = True  # so `make run` starts it and loads the demo into it
    admin_consent = True  # administrators consent for everybody, and may be the only ones who can
    client_info = True  # who signed in, beside the tokens, for those who ask
    rotates = False  # a refresh token works once

    def cloud(self) -> dict[str, Any]:
        """Its part of an entry of EXTRA_CLOUDS."""
        return {"key": self.key, "name": self.name, "sandbox": self.sandbox}

    def discovery(self, document: dict[str, Any]) -> dict[str, Any]:
        return document

    def headers(self, trail: Trail, code: int) -> dict[str, str]:
        """The token endpoint's, with the number of a refusal or 0."""
        return {
            **NO_STORE,
            **SECURED,
            "P3P": 'CP="DSP CUR OTPi IND OTRi ONL FIN"',
            "x-ms-request-id": trail.trace_id,
            "x-ms-ests-server": "2.1.0.0 - SANDBOX ProdSlices",
            "x-ms-clitelem": f"1,{code},0,,",
            "x-ms-srs": "1.P",
            "X-XSS-Protection": "0",
        }

    def refused(self, refusal: Refusal, trail: Trail, login_origin: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a refusal at the https door."""
        return refusal.status, refusal.body(trail, login_origin)

    def sent_back(self, refusal: Refusal, trail: Trail, login_origin: str) -> dict[str, str]:
        """The fields of a refusal that the browser carries to the app."""
        return refusal.redirect_fields(trail, login_origin)

    def answered_by(self, issuer: str) -> dict[str, str]:
        """What every answer of the sign-in pages says of who gave it."""
        return {}

    def tokens(self, body: dict[str, Any]) -> dict[str, Any]:
        """A successful answer of the token endpoint."""
        return body

    def claims(self, claims: dict[str, Any]) -> dict[str, Any]:
        return claims

    def scope(self, asked: Scopes, consented: Iterable[str], resource: str) -> str:
        """Everything consented, in the form it was asked for; offline_access is never named."""
        basic = shuffled(permissions.OIDC)
        names = shuffled(tuple(name for name in consented if name in permissions.PERMISSIONS))
        prefix = asked.prefix
        if asked.default:
            prefix = prefix or f"{resource}/"
            names.append(permissions.DEFAULT)
        return " ".join(basic + [prefix + name for name in names])


class PlainDialect(Dialect):
    """By the book: OpenID Connect, RFC 6749 and RFC 9207, and nothing of Microsoft's own but the claims tid and oid."""

    key = "plain"
    name = "Plain OpenID provider"
    sandbox = False
    admin_consent = False
    client_info = False
    rotates = True

    DISCOVERY = (
        "issuer authorization_endpoint token_endpoint jwks_uri response_modes_supported subject_types_supported"
        " id_token_signing_alg_values_supported scopes_supported request_uri_parameter_supported"
    )
    CLAIMS = "iss sub aud exp iat nbf nonce name email preferred_username tid oid"
    ENTRAS_CLAIMS = ("aio", "rh", "uti", "ver")
    # Where Entra's error is not the book's: by number, then by the word it has at either door.
    BY_NUMBER = {500112: "invalid_grant", 650053: "invalid_scope", 700016: "invalid_client"}
    AT_TOKEN = {
        "access_denied": "invalid_grant",
        "consent_required": "invalid_grant",
        "interaction_required": "invalid_grant",
        "invalid_instance": "invalid_request",
        "invalid_resource": "invalid_scope",
        "invalid_tenant": "invalid_request",
        "login_required": "invalid_grant",
        "unsupported_response_type": "invalid_request",
    }
    AT_SIGN_IN = {
        "invalid_client": "unauthorized_client",
        "invalid_grant": "access_denied",
        "invalid_resource": "invalid_scope",
    }
    TEXTS = {
        "access_denied": "The person or the server said no.",
        "invalid_client": "The client is unknown, or could not prove itself.",
        "invalid_grant": "The code or refresh token is invalid, expired, revoked or used, or another client's.",
        "invalid_request": "A parameter is missing, unknown or malformed.",
        "invalid_scope": "A scope is unknown or malformed.",
        "unauthorized_client": "The client may not ask for this.",
        "unsupported_grant_type": "This grant type is not offered.",
        "unsupported_response_type": "This response type is not offered.",
    }

    def cloud(self) -> dict[str, Any]:
        return {**super().cloud(), "admin_consent": False}

    def discovery(self, document: dict[str, Any]) -> dict[str, Any]:
        return {name: document[name] for name in self.DISCOVERY.split()} | {
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "authorization_response_iss_parameter_supported": True,
            "claims_supported": self.CLAIMS.split(),
        }

    def headers(self, trail: Trail, code: int) -> dict[str, str]:
        return {**NO_STORE, **SECURED}

    def refused(self, refusal: Refusal, trail: Trail, login_origin: str) -> tuple[int, dict[str, Any]]:
        fields = self._told(refusal, self.AT_TOKEN)
        status = 400 if refusal.status == 401 else refusal.status
        return 401 if fields["error"] == "invalid_client" else status, dict(fields)

    def sent_back(self, refusal: Refusal, trail: Trail, login_origin: str) -> dict[str, str]:
        return self._told(refusal, self.AT_SIGN_IN)

    def answered_by(self, issuer: str) -> dict[str, str]:
        return {"iss": issuer}

    def tokens(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "ext_expires_in"}

    def claims(self, claims: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in claims.items() if name not in self.ENTRAS_CLAIMS}

    def scope(self, asked: Scopes, consented: Iterable[str], resource: str) -> str:
        """Exactly what was granted, offline_access among it, in the order and form it was asked for."""
        names = [name for name in consented if name in permissions.PERMISSIONS] if asked.default else asked.permissions
        offline = (permissions.OFFLINE,) if asked.offline else ()
        return " ".join([*asked.oidc, *offline, *(asked.prefix + name for name in names)])

    def _told(self, refusal: Refusal, words: dict[str, str]) -> dict[str, str]:
        error = self.BY_NUMBER.get(refusal.code) or words.get(refusal.error, refusal.error)
        return {"error": error, "error_description": self.TEXTS.get(error, "Please try again later.")}


DIALECTS: dict[str, Dialect] = {"entra": Dialect(), "plain": PlainDialect()}
