"""The application manifest, in the format of Microsoft Graph, which the portal's Manifest editor takes.

Microsoft, "Understand the app manifest (Microsoft Graph format)".
"""

import json
from typing import Any

from .values import GRAPH_APP, Audience, Values

# Microsoft, same page: with personal accounts the API takes access tokens of version 2 only.
_WITH_PERSONAL = (Audience.ANY, Audience.PERSONAL)


def manifest(values: Values) -> dict[str, Any]:
    """The keys that make the registration what it is to be; whatever else its manifest holds stays as it is."""
    made: dict[str, Any] = {
        "displayName": values.name,
        "signInAudience": values.audience,
        "web": {"redirectUris": list(values.uris)},
        "requiredResourceAccess": required_access(values),
    }
    if values.audience in _WITH_PERSONAL:
        made["api"] = {"requestedAccessTokenVersion": 2}
    return made


def required_access(values: Values) -> list[dict[str, Any]]:
    """requiredResourceAccess: the delegated permissions of Microsoft Graph, by ID."""
    access = [{"id": permission.id, "type": "Scope"} for permission in values.permissions]
    return [{"resourceAppId": GRAPH_APP, "resourceAccess": access}]


def text(values: Values) -> str:
    return json.dumps(manifest(values), indent=2, ensure_ascii=False) + "\n"
