"""What an app lists as the permissions it needs, in the shape of Graph's requiredResourceAccess."""

import uuid
from collections.abc import Iterable
from typing import Any

from sandbox.permission_ids import APPLICATION, DELEGATED, GRAPH
from sandbox.typed import BadInput

# A delegated permission, or one that the app is given for itself.
SCOPE, ROLE = "Scope", "Role"
IDS = {SCOPE: DELEGATED, ROLE: APPLICATION}

Required = list[dict[str, Any]]


def of_a_new_app() -> Required:
    """As the portal registers it."""
    return with_delegated([], ["User.Read"])


def delegated(required: Required) -> tuple[str, ...]:
    """The names of Graph's delegated permissions among them."""
    names = {guid: name for name, guid in DELEGATED.items()}
    listed = {each["id"] for each in _of_graph(required) if each["type"] == SCOPE}
    return tuple(name for guid, name in names.items() if guid in listed)


def with_delegated(required: Required, names: Iterable[str]) -> Required:
    """The list with exactly these of Graph's delegated permissions; what is not one of them stays as it is."""
    names = [name.strip() for name in names if name.strip()]
    for name in names:
        if name not in DELEGATED:
            raise BadInput(f"“{name}” is not a delegated permission of Microsoft Graph. Example: Mail.Read")
    kept = [each for each in _of_graph(required) if each["type"] != SCOPE]
    graph = [{"id": DELEGATED[name], "type": SCOPE} for name in dict.fromkeys(names)] + kept
    before = {each["resourceAppId"]: each["resourceAccess"] for each in required}
    return [
        {"resourceAppId": resource, "resourceAccess": access}
        for resource, access in {**before, GRAPH: graph}.items()
        if access
    ]


def read(given: Any) -> Required:
    """A requiredResourceAccess of a manifest, or BadInput."""
    kept: dict[str, list[dict[str, str]]] = {}
    for resource in _objects(given, "requiredResourceAccess"):
        app_id = _guid(resource.get("resourceAppId"), "resourceAppId")
        access = kept.setdefault(app_id, [])
        for each in _objects(resource.get("resourceAccess"), "resourceAccess"):
            permission = {"id": _guid(each.get("id"), "id"), "type": _type(each.get("type"))}
            if app_id == GRAPH and permission["id"] not in IDS[permission["type"]].values():
                raise BadInput(
                    f"The manifest lists “{permission['id']}” of type {permission['type']} for Microsoft Graph, "
                    "which has no such permission here."
                )
            if permission not in access:
                access.append(permission)
    return [{"resourceAppId": app_id, "resourceAccess": access} for app_id, access in kept.items()]


def _of_graph(required: Required) -> list[dict[str, str]]:
    return [access for each in required if each["resourceAppId"] == GRAPH for access in each["resourceAccess"]]


def _objects(given: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise BadInput(f"“{name}” of the manifest must be a list of objects.")
    return given


def _guid(given: Any, name: str) -> str:
    try:
        return str(uuid.UUID(given if isinstance(given, str) else ""))
    except ValueError:
        raise BadInput(f"“{name}” in requiredResourceAccess of the manifest must be a GUID.") from None


def _type(given: Any) -> str:
    if given not in (SCOPE, ROLE):
        raise BadInput(f"“type” in requiredResourceAccess of the manifest must be {SCOPE} or {ROLE}.")
    return str(given)
