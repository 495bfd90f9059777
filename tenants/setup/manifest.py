"""The application manifest, in the format of Microsoft Graph, which the portal's Manifest editor takes.

Microsoft, "Understand the app manifest (Microsoft Graph format)".
"""

import json
from typing import Any

from .values import GRAPH_APP, Values


def manifest(values: Values) -> dict[str, Any]:
    """The keys that make the registration what it is to be. What else `web` and `api` of its manifest hold may stay."""
    made: dict[str, Any] = {
        "displayName": values.name,
        "signInAudience": values.audience,
        "web": {"redirectUris": list(values.uris)},
        "requiredResourceAccess": required_access(values),
    }
    if values.only_version_2:
        made["api"] = {"requestedAccessTokenVersion": 2}
    return made


def required_access(values: Values) -> list[dict[str, Any]]:
    """requiredResourceAccess: the delegated permissions of Microsoft Graph, by ID."""
    access = [{"id": permission.id, "type": "Scope"} for permission in values.permissions]
    return [{"resourceAppId": GRAPH_APP, "resourceAccess": access}]


def text(values: Values) -> str:
    return json.dumps(manifest(values), indent=2, ensure_ascii=False) + "\n"
