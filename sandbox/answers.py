"""The token endpoint's answers as plain data."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox import faults, grants
from sandbox.accounts import account_in
from sandbox.directory import CODE_LIFETIME, MANY_DIRECTORIES, REFRESH_TOKEN_IDLE
from sandbox.entra import Entra
from sandbox.keys import Unsealable
from sandbox.permissions import Scopes
from sandbox.refusals import Refusal, Trail, iso7
from sandbox.things import App, Organization, Person, digest, iso
from sandbox.tokens import APP_TOKEN_LIFETIME, basic_credentials, client_info, user_token_lifetime


@dataclass
class Answer:
    status: int
    body: dict[str, Any]
    trail: Trail
    code: int = 0  # of a refusal
    broken: faults.Fault | None = None  # a word of faults.WORDS: the door then misbehaves instead
    slow: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """One call of the token endpoint, with what can be told of it before anything is checked."""

    tenant: str
    form: Mapping[str, str]
    grant_type: str
    client_id: str
    secret: str
    oid: str
    directory: str


class TokenEndpoint:
    def __init__(self, entra: Entra) -> None:
        self._entra = entra
        self._world = entra.world
        self._tokens = entra.tokens
        self._dialect = entra.dialect
        self._host = entra.origins.tokens

    def faulty_discovery(self, tenant: str, trail: Trail) -> Answer | None:
        named = self._world.find_organization(tenant)
        directory = named.id if named else ""
        return self._faulty(trail, {"place": "discovery", "client_id": "", "oid": "", "directory": directory})

    def answer(self, tenant: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        trail = self._entra.trail(headers.get("client-request-id", ""))
        request = self._request(tenant, form, headers.get("authorization", ""))
        matching = {
            "place": request.grant_type,
            "client_id": request.client_id,
            "oid": request.oid,
            "directory": request.directory,
        }
        answer = self._faulty(trail, matching) or self._answer(request, trail, matching)
        answer.slow = self._delay(matching)
        self._note(request, answer)
        return answer

    def _faulty(self, trail: Trail, matching: dict[str, str]) -> Answer | None:
        fault = faults.first(self._world.faults.values(), "instead", **matching)
        if fault is None:
            return None
        self._world.struck(fault)
        if isinstance(fault.what, int):
            place, facts = matching["place"], {name: matching[name] for name in ("client_id", "oid", "directory")}
            refusal = self._entra.faulted(fault.what, **facts)
            return self.refused(refusal.at_discovery() if place == "discovery" else refusal, trail)
        status = {"down": 503, "throttled": 429, "drop": 0}.get(fault.what, 200)
        return Answer(status, {}, trail, broken=fault)

    def refused(self, refusal: Refusal, trail: Trail) -> Answer:
        status, body = self._dialect.refused(refusal, trail, self._host)
        return Answer(status, body, trail, code=refusal.code, headers=refusal.headers)

    def _delay(self, matching: dict[str, str]) -> float:
        fault = faults.first(self._world.faults.values(), "slow", **matching)
        if fault is None:
            return 0.0
        self._world.struck(fault)
        return fault.seconds

    def _answer(self, request: Request, trail: Trail, matching: dict[str, str]) -> Answer:
        try:
            body = self._dialect.tokens(self._grant(request, matching))
        except Refusal as refusal:
            return self.refused(refusal, trail)
        fault = faults.first(self._world.faults.values(), "answer", **matching)
        if fault:
            self._world.struck(fault)
            body = fault.alter(body)
        return Answer(200, body, trail)

    def _request(self, tenant: str, form: Mapping[str, str], authorization: str) -> Request:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        basic = basic_credentials(authorization)
        if basic:
            client_id, secret = client_id or basic[0], secret or basic[1]
        grant_type = form.get("grant_type", "")
        oid = ""
        try:
            if grant_type == "refresh_token":
                oid = self._tokens.read_refresh_token(form.get("refresh_token", ""))["oid"]
            elif grant_type == "authorization_code":
                oid = self._tokens.read_code(form.get("code", ""))["oid"]
        except Unsealable:
            pass
        person = self._world.people.get(oid)
        named = self._world.find_organization(tenant)
        directory = person.directory if person else named.id if named else ""
        return Request(tenant, form, grant_type, client_id.lower(), secret, oid, directory)

    def _grant(self, request: Request, matching: dict[str, str]) -> dict[str, Any]:
        if not request.grant_type:
            raise Refusal(900144, parameter="grant_type")
        match request.grant_type:
            case "authorization_code":
                return self._redeem(request, matching)
            case "refresh_token":
                return self._refresh(request, matching)
            case "client_credentials":
                return self._client_credentials(request)
            case other:
                raise Refusal(70003, value=other)

    def _app(self, request: Request, *, installed: bool = False) -> tuple[App, Organization | None]:
        if not request.client_id:
            self._entra.directory(request.tenant)
            raise Refusal(900144, parameter="client_id")
        return self._entra.app_for(request.tenant, request.client_id, installed=installed)

    def _check_secret(self, app: App, request: Request) -> None:
        if "client_assertion" in request.form:
            raise Refusal(700027)
        if not request.secret:
            raise Refusal(7000216 if request.grant_type == "client_credentials" else 7000218)
        sent = digest(request.secret)
        found = next((each for each in app.secrets if hmac.compare_digest(each.digest, sent)), None)
        if found is None:
            raise Refusal(7000215, app=app.client_id)
        if found.ends_at <= self._world.now():
            raise Refusal(7000222, app=app.client_id)

    def _client_credentials(self, request: Request) -> dict[str, Any]:
        if request.tenant.lower() in MANY_DIRECTORIES:
            raise Refusal(50059)
        app, directory = self._app(request, installed=True)
        self._check_secret(app, request)
        scope = request.form.get("scope", "")
        if not scope.strip():
            raise Refusal(900144, parameter="scope")
        words = scope.split()
        if len(words) != 1 or not words[0].endswith("/.default"):
            raise Refusal(70011, value=scope)
        self._entra.scopes(scope, app, request.tenant)
        tid = directory.id if directory else app.directory
        return {
            "token_type": "Bearer",
            "expires_in": APP_TOKEN_LIFETIME,
            "ext_expires_in": APP_TOKEN_LIFETIME,
            "access_token": self._tokens.access_token(app, tid, None, ()),
        }

    def _redeem(self, request: Request, matching: dict[str, str]) -> dict[str, Any]:
        app, directory = self._app(request)
        try:
            code = self._tokens.read_code(_required(request.form, "code"))
        except Unsealable:
            raise Refusal(9002313) from None
        self._check_secret(app, request)
        if code["app"] != app.client_id:
            raise Refusal(70000)
        if self._world.now() - code["at"] > CODE_LIFETIME:
            raise Refusal(70008)
        if code["id"] in self._world.spent_codes:
            raise Refusal(54005)
        if request.form.get("redirect_uri", "") != code["redirect_uri"]:
            raise Refusal(500112, uri=request.form.get("redirect_uri", ""))
        if not _pkce_holds(code["challenge"], code["method"], request.form.get("code_verifier", "")):
            raise Refusal(501481)
        person = account_in(self._world, app, request.tenant, directory, code["oid"])
        self._check_session(person, code)
        asked = self._entra.scopes(request.form.get("scope") or code["scope"], app, person.directory)
        granted = self._consented(app, person, asked, matching)
        body = self._user_answer(request, app, person, granted, asked, matching, nonce=code["nonce"])
        self._world.spend(code["id"])
        grants.note_use(self._world, app, person)
        return body

    def _refresh(self, request: Request, matching: dict[str, str]) -> dict[str, Any]:
        app, directory = self._app(request)
        try:
            token = self._tokens.read_refresh_token(_required(request.form, "refresh_token"))
        except Unsealable:
            raise Refusal(9002313) from None
        self._check_secret(app, request)
        if token["app"] != app.client_id:
            raise Refusal(70000)
        person = account_in(self._world, app, request.tenant, directory, token["oid"])
        self._check_session(person, token)
        if self._world.now() - token["at"] > REFRESH_TOKEN_IDLE:
            raise Refusal(700082, issued=iso7(token["at"]))
        if self._dialect.rotates and not self._world.families.works(token):
            raise Refusal(70000)
        text = request.form.get("scope") or f"{self._host}/.default openid profile offline_access"
        asked = self._entra.scopes(text, app, person.directory)
        granted = self._consented(app, person, asked, matching)
        grants.note_use(self._world, app, person)
        return self._user_answer(request, app, person, granted, asked, matching, family=token.get("family", ""))

    def _check_session(self, person: Person, made: Mapping[str, Any]) -> None:
        if made["session"] != person.session:
            raise Refusal(50173, issued=iso7(made["at"]), valid_from=iso7(person.revoked_at))

    def _consented(self, app: App, person: Person, asked: Scopes, matching: dict[str, str]) -> list[str]:
        granted = grants.spread_to_tokens(self._world, app, person)
        # Sign-in itself is consented with anything else, as Entra has it.
        if not granted or not set(asked.permissions) <= set(granted):
            raise Refusal(65001, app=app.client_id, name=app.name)
        fault = faults.first(self._world.faults.values(), "partial", **matching)
        if fault is None:
            return granted
        self._world.struck(fault)
        return [name for name in granted if name not in fault.remove]

    def _user_answer(
        self,
        request: Request,
        app: App,
        person: Person,
        granted: list[str],
        asked: Scopes,
        matching: dict[str, str],
        *,
        nonce: str = "",
        family: str = "",
    ) -> dict[str, Any]:
        lifetime = user_token_lifetime()
        body: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": self._dialect.scope(asked, granted, self._host),
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": self._tokens.access_token(app, person.directory, person, tuple(granted)),
        }
        if asked.offline or family:
            marks = self._world.families.next(family) if self._dialect.rotates else {}
            body["refresh_token"] = self._tokens.refresh_token(app, person, self._world.now(), marks)
        if "openid" in asked.oidc:
            body |= self._id_token(app, person, asked, matching, nonce)
        if self._dialect.client_info and request.form.get("client_info") == "1":
            body["client_info"] = client_info(person)
        return body

    def _id_token(
        self, app: App, person: Person, asked: Scopes, matching: dict[str, str], nonce: str
    ) -> dict[str, str]:
        claims = self._dialect.claims(self._tokens.claims(app, person, asked.oidc, nonce))
        fault = faults.first(self._world.faults.values(), "id_token", **matching)
        if fault is None:
            return {"id_token": self._tokens.sign(claims)}
        self._world.struck(fault)
        return {} if fault.missing else {"id_token": self._tokens.sign(fault.alter(claims))}

    def _note(self, request: Request, answer: Answer) -> None:
        self._world.requests.append(
            {
                "at": iso(self._world.now()),
                "grant_type": request.grant_type,
                "client_id": request.client_id,
                "directory": request.directory or request.tenant,
                "oid": request.oid,
                "status": answer.status,
                "codes": [answer.code] if answer.code else [],
            }
        )


def _required(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise Refusal(900144, parameter=name)
    return form[name]


def _pkce_holds(challenge: str, method: str, verifier: str) -> bool:
    if not challenge:
        return not verifier
    made = verifier
    if method == "S256":
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made.encode(), challenge.encode())
