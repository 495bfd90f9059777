"""EntraClient: the one place that asks Microsoft for tokens. It goes through MSAL and judges the raw answer itself."""

import hmac
import json
import logging
import re
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from msal import ConfidentialClientApplication, TokenCache
from msal.exceptions import MsalError
from urllib3.exceptions import HTTPError

from tenants.clouds import Cloud
from tenants.models.registration import DOMAIN
from tenants.scopes import OIDC

from .errors import CODES, AnswerRejected, EntraRefused, EntraUnreachable
from .exchange import VISIBLE, Exchange, Request, refusal, text_in, token_in
from .http import GUID, HttpClient, client_for
from .id_token import Identity, identity_of
from .question import Question

# MSAL and urllib3 write what they send and receive below these levels, and MSAL any body that is not JSON as an error.
logging.getLogger("msal").setLevel(logging.CRITICAL)
logging.getLogger("urllib3").setLevel(logging.WARNING)
logger = logging.getLogger(__name__)
# MSAL looks for this optional package each time it makes an app object: a twentieth of a whole refresh to find nothing.
if find_spec("msal_extensions") is None:
    sys.modules.setdefault("msal_extensions", None)  # type: ignore[arg-type]  # "not there", says Python's import system

FOR_MANY = ("common", "organizations", "consumers")
LONGEST = {
    "state": 500,
    "code": 20_000,
    "iss": 500,
    "error": 200,
    "error_subcode": 200,
    "error_description": 10_000,
}
# What MSAL raises for an answer it cannot use. What Exchange raises goes through it untouched.
MSAL_TROUBLE = (MsalError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError)


@dataclass(frozen=True)
class AppToken:
    """A token of the application itself, for Graph."""

    value: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class Grant:
    """What a sign-in or a refresh gave: the newest refresh token, permissions by bare name, and who it is for.

    `identity` is checked; after a refresh it is None where the answer names nobody. The access token is for one look
    at the mailbox, and nobody keeps it.
    """

    refresh_token: str = field(repr=False)
    scopes: tuple[str, ...]
    identity: Identity | None
    access_token: str = field(repr=False, default="")


class EntraClient:
    """One registration's voice at Microsoft. Every call asks anew: nothing is cached, so an answer is today's truth.

    Raises EntraRefused (a clear no), EntraUnreachable (no usable answer) and AnswerRejected (an answer that does not
    hold what it must), and nothing else that Microsoft or a browser could cause.
    """

    @sensitive_variables()
    def __init__(
        self, cloud: Cloud, directory: str, client_id: str, secret: str, http: HttpClient | None = None
    ) -> None:
        self._cloud = cloud
        self._directory = directory.lower()
        self._client_id = client_id
        self._secret = secret
        self._http = http or client_for(cloud)
        self._exchange = Exchange(self._http, cloud)
        self._app: ConfidentialClientApplication | None = None

    def app_token(self) -> AppToken:
        """A fresh token of the application itself: proof that client ID, directory and secret fit together."""
        return self.app_token_question().ask()

    @sensitive_variables()
    def app_token_question(self) -> Question[AppToken]:
        """The same, still to be asked."""
        if self._directory in FOR_MANY:
            raise EntraRefused(CODES[50059])  # an application signs in to one directory; no need to ask
        scope = f"https://{self._cloud.graph_host}/.default"
        request = self._made(lambda app: app.acquire_token_for_client([scope]))
        return Question(self._exchange, request, _app_token)

    @sensitive_variables()
    def begin(self, *, scopes: Sequence[str], redirect_uri: str, login_hint: str = "") -> dict[str, Any]:
        """MSAL's flow, to be sealed until its answer comes. The browser is sent to its auth_uri."""
        flow = self._msal().initiate_auth_code_flow(
            list(scopes),
            redirect_uri=redirect_uri,
            response_mode="form_post",
            login_hint=login_hint or None,
            prompt=None if login_hint else "select_account",
        )
        return {**flow, "issuer": self._exchange.issuer, "names_issuer": self._exchange.names_issuer}

    def approval_uri(self, *, scopes: Sequence[str], redirect_uri: str, state: str) -> str:
        """Where an administrator consents to these scopes for a whole directory (Microsoft, "v2-admin-consent").

        Nobody is asked to make it. The answer comes as a GET, and whoever carries it can make it up.
        """
        if self._directory == "common":
            raise EntraRefused(CODES[50059])  # Microsoft does not take it there
        self._demand_directory()
        query = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(scopes),
            "state": state,
        }
        return f"{self._cloud.sign_in_origin}/{self._directory}/v2.0/adminconsent?{urlencode(query)}"

    @sensitive_variables()
    def redeem(self, flow: Mapping[str, Any], answer: Mapping[str, str]) -> Grant:
        """The grant that a browser's answer to `flow` stands for. A QueryDict may be handed in as it is.

        What else a browser sends (client_info, admin_consent, tenant) anybody can make up; it is not looked at.
        """
        fields = _fields_of(answer)
        if not hmac.compare_digest(_bytes(fields["state"]), _bytes(flow["state"])):
            raise AnswerRejected("state", "The answer belongs to another sign-in.")
        _demand_issuer(fields["iss"], flow)
        if fields["error"]:
            raise refusal(400, {**fields, "suberror": fields["error_subcode"]})
        if not VISIBLE.fullmatch(fields["code"]):
            raise AnswerRejected("code", "The answer holds neither a code nor an error.")
        directory = self._directory_named()
        code = {"code": fields["code"], "state": fields["state"]}
        request = self._made(lambda app: app.acquire_token_by_auth_code_flow(dict(flow), code))

        def signed_in(got: Mapping[str, Any]) -> Grant:
            refresh_token = token_in(got, "refresh_token")
            if not refresh_token:
                raise AnswerRejected("refresh_token", "Microsoft granted no lasting access (offline_access).")
            identity = self._identity(got, nonce=flow["nonce"], directory=directory)
            return Grant(refresh_token, _granted(got, flow["scope"]), identity, token_in(got, "access_token"))

        return Question(self._exchange, request, signed_in).ask()

    @sensitive_variables()
    def refresh(self, refresh_token: str, scopes: Sequence[str]) -> Grant:
        """The grant as it is today, with the token that replaces this one, or this one where none came.

        The one call whose refusal is a verdict on a connection.
        """
        return self.refresh_question(refresh_token, scopes).ask()

    @sensitive_variables()
    def refresh_question(self, refresh_token: str, scopes: Sequence[str]) -> Question[Grant]:
        """The same, still to be asked."""
        request = self._made(lambda app: app.acquire_token_by_refresh_token(refresh_token, list(scopes)))

        def refreshed(got: Mapping[str, Any]) -> Grant:
            is_named = bool(got.get("id_token"))
            identity = self._identity(got, nonce=None, directory=self._directory) if is_named else None
            return Grant(token_in(got, "refresh_token") or refresh_token, _granted(got, scopes), identity)

        return Question(self._exchange, request, refreshed, judges_grant=True)

    @sensitive_variables()
    def _made(self, call: Callable[[ConfidentialClientApplication], object]) -> Request:
        """What MSAL wants sent for this call."""
        app, trouble = self._msal(), ""
        try:
            call(app)
        except MSAL_TROUBLE as exc:
            # Often it is about the answer, of which MSAL is told nothing.
            trouble = type(exc).__name__
        request = self._exchange.take()
        if request is None:
            logger.error("MSAL gave up before it had asked: %s", trouble)
            raise EntraUnreachable("Microsoft could not be asked.")
        return request

    @sensitive_variables()
    def _msal(self) -> ConfidentialClientApplication:
        # It asks anew each time: it keeps no token, and of answers it is told nothing that it could keep.
        if self._app is not None:
            return self._app
        self._demand_directory()
        try:
            self._app = ConfidentialClientApplication(
                self._client_id,
                client_credential=self._secret,
                authority=self._cloud.authority(self._directory),
                instance_discovery=False,
                azure_region=False,  # or a variable of the environment could name another host
                token_cache=_NoCache(),
                http_client=self._exchange,
            )
        except MSAL_TROUBLE as exc:
            trouble = type(exc).__name__
        else:
            return self._app
        logger.error("MSAL does not take the discovery document of cloud %s: %s", self._cloud.key, trouble)
        raise EntraUnreachable("Microsoft's discovery document cannot be used.")

    def _directory_named(self) -> str:
        """The directory as its ID where it was given as a domain: accounts can be compared with an ID only."""
        if self._directory in FOR_MANY or not DOMAIN.fullmatch(self._directory):
            return self._directory
        try:
            found = self._http.directory_of(self._directory)
        except HTTPError:
            found = ""
        if not found:
            raise EntraUnreachable(f"{self._cloud.login_host} does not say which directory {self._directory} is.")
        return found

    def _demand_directory(self) -> None:
        if not (self._directory in FOR_MANY or GUID.fullmatch(self._directory) or DOMAIN.fullmatch(self._directory)):
            raise EntraRefused(CODES[900023])  # it would become part of an address, so nobody is asked

    @sensitive_variables()
    def _identity(self, got: Mapping[str, Any], *, nonce: str | None, directory: str) -> Identity:
        identity = identity_of(
            got.get("id_token"),
            client_id=self._client_id,
            issuer=self._exchange.issuer,
            directory=directory,
            nonce=nonce,
        )
        home = _home_in(got)
        return replace(identity, is_guest=True) if home and home != identity.tid else identity


class _NoCache(TokenCache):  # type: ignore[misc]
    """Keeps nothing: MSAL would parse what it keeps, and find it again."""

    def add(self, event: object, now: object = None) -> None:
        pass


def _fields_of(answer: Mapping[str, str]) -> dict[str, str]:
    """The fields that count, each once and of a length that can be real; the missing ones empty."""
    fields = {}
    for name, longest in LONGEST.items():
        values = answer.getlist(name) if hasattr(answer, "getlist") else [answer.get(name, "")]
        if len(values) > 1 or not all(isinstance(value, str) and len(value) <= longest for value in values):
            raise AnswerRejected("malformed", "The answer is not one that Microsoft would send.")
        fields[name] = "".join(values)
    return fields


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _demand_issuer(name: str, flow: Mapping[str, Any]) -> None:
    """Refuse what comes from another issuer, or from none where the one who was asked always names itself (RFC 9207).

    An error, too: it says something of the one who was asked only if it is theirs.
    """
    is_theirs = _is_issuer(name, flow.get("issuer", "")) if name else not flow.get("names_issuer")
    if not is_theirs:
        raise AnswerRejected("iss", "The answer came from somebody else than the one who was asked.")


def _is_issuer(name: str, issuer: str) -> bool:
    """Whether the answer's own `iss` (RFC 9207) is the issuer that was asked, in whichever directory."""
    start, placeholder, end = issuer.partition("{tenantid}")
    if not placeholder or name == issuer:
        return name == issuer
    return re.fullmatch(re.escape(start) + GUID.pattern + re.escape(end), name) is not None


def _app_token(got: Mapping[str, Any]) -> AppToken:
    return AppToken(token_in(got, "access_token"), timezone.now() + timedelta(seconds=_lifetime(got)))


def _granted(got: Mapping[str, Any], asked: Sequence[str]) -> tuple[str, ...]:
    """Bare permission names, sorted; what was asked where the answer does not say (RFC 6749, 5.1)."""
    names = text_in(got, "scope").split() or asked
    bare = {name.rpartition("/")[2] for name in names}
    return tuple(sorted(n for n in bare if VISIBLE.fullmatch(n) and n.lower() not in (*OIDC, ".default")))


def _home_in(got: Mapping[str, Any]) -> str:
    """The account's home directory, where the token endpoint says it. What a browser says of it is not looked at."""
    try:
        info = json.loads(b64decode(text_in(got, "client_info") + "==", altchars=b"-_"))
    except (ValueError, RecursionError):
        return ""
    home = info.get("utid") if isinstance(info, dict) else None
    return home.lower() if isinstance(home, str) and GUID.fullmatch(home) else ""


def _lifetime(got: Mapping[str, Any]) -> int:
    seconds = got.get("expires_in")
    return max(0, min(seconds, 86_400)) if type(seconds) is int else 0
