"""The little of Graph that a configuration manager asks: who am I, my mailbox, what was granted, what an app is."""

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox import faults, manifest
from sandbox.entra import Entra
from sandbox.faults import Fault
from sandbox.graph_errors import GraphError
from sandbox.keys import Unsealable
from sandbox.permission_ids import GRAPH
from sandbox.things import AdminGrant, App, Grant, Person, principal_id

FILTER = re.compile(r"\s*clientId\s+eq\s+'([0-9A-Fa-f-]{36})'\s*")


@dataclass(frozen=True)
class Caller:
    """Whom an access token speaks for; without a person it is the app itself."""

    app: App
    directory: str
    person: Person | None
    scopes: frozenset[str]


class Graph:
    def __init__(self, entra: Entra) -> None:
        self._entra = entra
        self._world = entra.world

    def caller(self, authorization: str) -> Caller:
        kind, _, text = authorization.partition(" ")
        try:
            token = self._entra.tokens.read_access_token(text if kind.lower() == "bearer" else "")
        except Unsealable:
            raise GraphError("InvalidAuthenticationToken", "The access token is empty or malformed.") from None
        app, person = self._world.apps.get(token["app"]), self._world.people.get(token["oid"])
        if token["exp"] < time.time() or app is None or (token["oid"] and person is None):
            raise GraphError("InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        return Caller(app, token["tid"], person, frozenset(token["scp"]))

    def fault(self, kind: str, caller: Caller) -> Fault | None:
        oid = caller.person.oid if caller.person else ""
        request = {"client_id": caller.app.client_id, "oid": oid, "directory": caller.directory}
        found = faults.first(self._world.faults.values(), kind, place="graph", **request)
        if found:
            self._world.struck(found)
        return found

    # -- a person

    def me(self, caller: Caller, query: Mapping[str, str]) -> dict[str, Any]:
        person = _person(caller, ("User.Read",), "Authorization_RequestDenied")
        given, _, surname = person.name.rpartition(" ")
        body: dict[str, Any] = {
            "businessPhones": [],
            "displayName": person.name,
            "givenName": given or person.name,
            "jobTitle": None,
            "mail": person.email,
            "mobilePhone": None,
            "officeLocation": None,
            "preferredLanguage": "en-US",
            "surname": surname,
            "userPrincipalName": self._principal_name(person),
            "id": person.oid,
        }
        return self._entity("users/$entity", body, query)

    def mailbox_settings(self, caller: Caller, query: Mapping[str, str]) -> dict[str, Any]:
        person = _with_mailbox(caller, ("MailboxSettings.Read", "MailboxSettings.ReadWrite"))
        body = {
            "timeZone": "UTC",
            "dateFormat": "yyyy-MM-dd",
            "timeFormat": "HH:mm",
            "userPurpose": "user",
            "language": {"locale": "en-US", "displayName": "English (United States)"},
            "automaticRepliesSetting": {"status": "disabled"},
        }
        return self._entity(f"users('{person.oid}')/mailboxSettings", body, query)

    def inbox(self, caller: Caller, query: Mapping[str, str]) -> dict[str, Any]:
        person = _with_mailbox(caller, ("Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic"))
        body = {
            "id": _opaque(f"inbox|{person.oid}"),
            "displayName": "Inbox",
            "parentFolderId": _opaque(f"root|{person.oid}"),
            "childFolderCount": 0,
            "unreadItemCount": 0,
            "totalItemCount": 0,
            "isHidden": False,
        }
        return self._entity(f"users('{person.oid}')/mailFolders/$entity", body, query)

    # -- a directory, for apps that may read it

    def service_principal(self, caller: Caller, app_id: str, query: Mapping[str, str]) -> dict[str, Any]:
        _may_read_grants(caller)
        app = self._world.apps.get(app_id.lower())
        if app is None or caller.directory not in app.installed_in:
            raise _not_found(app_id)
        body = {
            "id": principal_id(app.client_id, caller.directory),
            "accountEnabled": caller.directory not in app.disabled_in,
            "appId": app.client_id,
            "appDisplayName": app.name,
            "displayName": app.name,
            "appOwnerOrganizationId": app.directory,
            "servicePrincipalType": "Application",
            "signInAudience": app.audience,
        }
        return self._entity("servicePrincipals/$entity", body, query)

    def application(self, caller: Caller, app_id: str, query: Mapping[str, str]) -> dict[str, Any]:
        """A registration, which only its home directory has."""
        may_read_all = caller.directory in caller.app.may_read_applications_in
        owns_one = caller.app.owns_itself and caller.directory == caller.app.directory
        if caller.person is not None or not (may_read_all or owns_one):
            raise GraphError("Authorization_RequestDenied")
        app = self._world.apps.get(app_id.lower())
        if app is None or app.directory != caller.directory:
            raise _not_found(app_id)
        if not may_read_all and app.client_id != caller.app.client_id:
            raise GraphError("Authorization_RequestDenied")
        return self._entity("applications/$entity", manifest.of(app), query)

    def permission_grants(self, caller: Caller, query: Mapping[str, str]) -> dict[str, Any]:
        _may_read_grants(caller)
        wanted = FILTER.fullmatch(query.get("$filter", ""))
        if query.get("$filter") and not wanted:
            raise GraphError("Request_UnsupportedQuery")
        rows = [*self._everybodys(caller.directory), *self._persons(caller.directory)]
        value = [row for row in rows if not wanted or row["clientId"] == wanted[1].lower()]
        return {"@odata.context": self._context("oauth2PermissionGrants"), "value": value}

    def _everybodys(self, directory: str) -> list[dict[str, Any]]:
        mine = [each for each in self._world.admin_grants.values() if each.directory == directory]
        return [_row(each, directory, "AllPrincipals", None) for each in mine]

    def _persons(self, directory: str) -> list[dict[str, Any]]:
        people = self._world.people
        mine = [each for each in self._world.grants.values() if people[each.oid].directory == directory]
        return [_row(each, directory, "Principal", each.oid) for each in mine]

    # -- what every answer has

    def _entity(self, of: str, body: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        wanted = [name.strip() for name in query.get("$select", "").split(",") if name.strip()]
        kept = {name: value for name, value in body.items() if not wanted or name in wanted}
        if wanted:
            of = of.replace("/$entity", f"({','.join(wanted)})/$entity")
        return {"@odata.context": self._context(of), **kept}

    def _context(self, of: str) -> str:
        return f"{self._entra.origins.tokens}/v1.0/$metadata#{of}"

    def _principal_name(self, person: Person) -> str:
        if not person.home:
            return person.address
        domain = self._world.organization(person.directory).domain
        return f"{person.address.replace('@', '_')}#EXT#@{domain}"


def _person(caller: Caller, any_of: tuple[str, ...], otherwise: str) -> Person:
    if caller.person is None:
        raise GraphError("BadRequest")
    if not caller.scopes & set(any_of):
        raise GraphError(otherwise)
    return caller.person


def _with_mailbox(caller: Caller, any_of: tuple[str, ...]) -> Person:
    person = _person(caller, any_of, "ErrorAccessDenied")
    if not person.mailbox:
        raise GraphError("MailboxNotEnabledForRESTAPI")
    return person


def _may_read_grants(caller: Caller) -> None:
    if caller.person is not None or caller.directory not in caller.app.may_read_grants_in:
        raise GraphError("Authorization_RequestDenied")


def _not_found(app_id: str) -> GraphError:
    text = f"Resource '{app_id}' does not exist or one of its queried reference-property objects are not present."
    return GraphError("Request_ResourceNotFound", text)


def _row(grant: Grant | AdminGrant, directory: str, kind: str, principal: str | None) -> dict[str, Any]:
    # Graph writes a space before the first scope of a tenant-wide grant.
    scope = " ".join(grant.scopes if principal else ["", *grant.scopes])
    return {
        "clientId": principal_id(grant.client_id, directory),
        "consentType": kind,
        "id": _opaque(f"grant|{grant.id}"),
        "principalId": principal,
        "resourceId": principal_id(GRAPH, directory),
        "scope": scope,
    }


def _opaque(name: str) -> str:
    """43 characters, always the same for the same thing."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).rstrip(b"=").decode()
