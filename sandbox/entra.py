"""Which directory and which app a request means, and what discovery says of them."""

import re
import uuid
from dataclasses import dataclass
from typing import Any

from sandbox import permissions
from sandbox.accounts import refuse_disabled
from sandbox.app_rules import PERSONAL_AUDIENCES
from sandbox.dialect import Dialect
from sandbox.directory import MANY_DIRECTORIES, World
from sandbox.permissions import BadScope, Scopes
from sandbox.refusals import Refusal, Trail, iso7
from sandbox.things import CONSUMERS, App, Organization
from sandbox.tokens import Tokens

# What Entra names, whether or not this app is ever told it.
CLAIMS = (
    "sub iss cloud_instance_name cloud_instance_host_name cloud_graph_host_name msgraph_host aud exp iat auth_time acr"
    " nonce preferred_username name tid ver at_hash c_hash email"
)


@dataclass(frozen=True)
class Origins:
    """Where the two doors are."""

    pages: str  # http://127.0.0.1:8001
    tokens: str  # https://localhost:8443


class Entra:
    def __init__(self, world: World, tokens: Tokens, origins: Origins, dialect: Dialect) -> None:
        self.dialect = dialect
        self.world = world
        self.tokens = tokens
        self.origins = origins

    # -- who and where

    def directory(self, tenant: str) -> Organization | None:
        """The directory a path names; None stands for common and organizations."""
        if tenant.lower() in MANY_DIRECTORIES:
            return None
        found = self.world.find_organization(tenant)
        if found is None and not _plausible(tenant):
            raise Refusal(900023, tenant=tenant)
        if found is None:
            raise Refusal(90002, tenant=tenant)
        return found

    def app_for(self, tenant: str, client_id: str, *, installed: bool = False) -> tuple[App, Organization | None]:
        """The app as seen from the directory the path names. installed: it must be known there already."""
        app = self.world.apps.get(client_id.lower())
        consumers = tenant.lower() in ("consumers", CONSUMERS)
        if app and consumers and app.audience not in PERSONAL_AUDIENCES:
            raise Refusal(9002332, app=app.client_id, name=app.name)
        if app and not consumers and app.audience == "PersonalMicrosoftAccount":
            raise Refusal(9002331, app=app.client_id, name=app.name)
        directory = self.directory(tenant)
        shown = directory.name if directory else tenant
        if app is None:
            raise Refusal(700016, app=client_id, tenant=shown)
        single = app.audience == "AzureADMyOrg"
        if directory is None:
            if single:
                raise Refusal(50194, app=app.client_id, name=app.name)
        elif (single or installed) and directory.id not in ([app.directory] if single else app.installed_in):
            raise Refusal(700016, app=app.client_id, tenant=shown)
        refuse_disabled(app, directory.id if directory else "")
        return app, directory

    def scopes(self, text: str, app: App, tenant: str) -> Scopes:
        try:
            return permissions.read(text, self.origins.tokens)
        except BadScope as bad:
            match bad.kind:
                case "missing":
                    raise Refusal(900144, parameter="scope") from bad
                case "resource":
                    raise Refusal(500011, value=bad.name, tenant=tenant) from bad
                case "mixed":
                    raise Refusal(70011, value=bad.name) from bad
                case _:
                    raise Refusal(650053, value=bad.name, name=app.name) from bad

    # -- refusals

    def trail(self, client_request_id: str = "") -> Trail:
        return Trail(client_request_id, self.world.trailers)

    def sent_back(self, refusal: Refusal) -> dict[str, str]:
        """What the browser carries to the app instead of a code."""
        return self.dialect.sent_back(refusal, self.trail(), self.origins.tokens)

    def faulted(self, code: int, *, client_id: str, oid: str, directory: str) -> Refusal:
        """The refusal that a fault asks for, telling of whom it strikes."""
        app, person = self.world.apps.get(client_id), self.world.people.get(oid)
        home = self.world.organizations.get(directory)
        now = iso7(self.world.now())
        facts = {"app": client_id, "issued": now, "valid_from": now}
        if app:
            facts["name"] = app.name
        if person:
            facts["address"] = person.address
        if home:
            facts["tenant"] = home.name
        return Refusal(code, **facts)

    # -- discovery

    def issuer(self, tenant: str) -> str:
        directory = self.directory(tenant)
        return self.tokens.issuer(directory.id if directory else "{tenantid}")

    def discovery(self, tenant: str) -> dict[str, Any]:
        directory = self.directory(tenant)
        place = directory.id if directory else tenant.lower()
        login, pages = f"{self.origins.tokens}/{place}", f"{self.origins.pages}/{place}"
        host = self.origins.tokens.removeprefix("https://")
        document = {
            "token_endpoint": f"{login}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{login}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": self.issuer(tenant),
            "request_uri_parameter_supported": False,
            "userinfo_endpoint": f"{self.origins.tokens}/oidc/userinfo",
            "authorization_endpoint": f"{pages}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{login}/oauth2/v2.0/devicecode",
            "http_logout_supported": True,
            "frontchannel_logout_supported": True,
            "end_session_endpoint": f"{pages}/oauth2/v2.0/logout",
            "claims_supported": CLAIMS.split(),
            "kerberos_endpoint": f"{login}/kerberos",
            "tenant_region_scope": "WW" if directory else None,
            "cloud_instance_name": "sandbox.invalid",
            "cloud_graph_host_name": host,
            "msgraph_host": host,
            "rbac_url": self.origins.tokens,
        }
        if directory and directory.region:
            document["tenant_region_sub_scope"] = directory.region
        return self.dialect.discovery(document)


def _plausible(tenant: str) -> bool:
    try:
        uuid.UUID(tenant)
    except ValueError:
        return bool(re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", tenant))
    return True
