"""Which directory and which app a request means, and what discovery says of them."""

import re
import uuid
from dataclasses import dataclass
from typing import Any

from sandbox import permissions
from sandbox.directory import MANY_DIRECTORIES, World
from sandbox.permissions import BadScope, Scopes
from sandbox.refusals import Refusal
from sandbox.things import App, Organization
from sandbox.tokens import Tokens

CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"


@dataclass(frozen=True)
class Origins:
    """Where the two doors are."""

    pages: str  # http://127.0.0.1:8001
    tokens: str  # https://localhost:8443


class Entra:
    def __init__(self, world: World, tokens: Tokens, origins: Origins) -> None:
        self.world = world
        self.tokens = tokens
        self.origins = origins

    # -- who and where

    def directory(self, tenant: str) -> Organization | None:
        """The directory a path names; None stands for common and organizations."""
        if tenant.lower() in MANY_DIRECTORIES:
            return None
        wanted = CONSUMERS if tenant.lower() == "consumers" else tenant
        found = self.world.find_organization(wanted)
        if found is None and tenant.lower() != "consumers" and not _plausible(tenant):
            raise Refusal(900023, tenant=tenant)
        if found is None:
            raise Refusal(90002, tenant=tenant)
        return found

    def app_for(self, tenant: str, client_id: str, *, installed: bool = False) -> tuple[App, Organization | None]:
        """The app as seen from the directory the path names. installed: it must be known there already."""
        app = self.world.apps.get(client_id.lower())
        if app and app.audience == "AzureADMultipleOrgs" and tenant.lower() in ("consumers", CONSUMERS):
            raise Refusal(9002332, app=app.client_id, name=app.name)
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

    # -- discovery

    def discovery(self, tenant: str) -> dict[str, Any]:
        directory = self.directory(tenant)
        place = directory.id if directory else tenant.lower()
        login, pages = f"{self.origins.tokens}/{place}", f"{self.origins.pages}/{place}"
        host = self.origins.tokens.removeprefix("https://")
        return {
            "token_endpoint": f"{login}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "jwks_uri": f"{login}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": self.tokens.issuer(directory.id if directory else "{tenantid}"),
            "request_uri_parameter_supported": False,
            "authorization_endpoint": f"{pages}/oauth2/v2.0/authorize",
            "http_logout_supported": False,
            "frontchannel_logout_supported": False,
            "claims_supported": [
                "sub",
                "iss",
                "aud",
                "exp",
                "iat",
                "nonce",
                "preferred_username",
                "name",
                "tid",
                "ver",
            ],
            "tenant_region_scope": "WW" if directory else None,
            "cloud_instance_name": "sandbox.invalid",
            "cloud_graph_host_name": host,
            "msgraph_host": host,
        }


def _plausible(tenant: str) -> bool:
    try:
        uuid.UUID(tenant)
    except ValueError:
        return bool(re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", tenant))
    return True
