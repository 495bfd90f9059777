"""An app as Graph and the portal's manifest editor show it, and what the editor takes over."""

from typing import Any

from sandbox import required_access
from sandbox.things import App, Secret, iso
from sandbox.typed import BadInput, from_json

# Platforms, and the field of App that holds the redirect URIs of each.
PLATFORMS = {"web": "redirect_uris", "spa": "spa_redirect_uris", "publicClient": "public_redirect_uris"}
TAKEN_OVER = ("displayName", "signInAudience", *PLATFORMS, "requiredResourceAccess")


def of(app: App) -> dict[str, Any]:
    """An application of Microsoft Graph v1.0. No secret's value is in it."""
    return {
        "id": app.object_id,
        "appId": app.client_id,
        "displayName": app.name,
        "signInAudience": app.audience,
        "isDisabled": True if app.disabled else None,
        "disabledByMicrosoftStatus": app.microsoft_status or None,
        "passwordCredentials": [_password(each) for each in app.secrets],
        "keyCredentials": [],
        "requiredResourceAccess": app.required,
        "web": {
            "redirectUris": app.redirect_uris,
            "homePageUrl": None,
            "logoutUrl": None,
            "implicitGrantSettings": {"enableIdTokenIssuance": False, "enableAccessTokenIssuance": False},
            "redirectUriSettings": [],
        },
        "spa": {"redirectUris": app.spa_redirect_uris},
        "publicClient": {"redirectUris": app.public_redirect_uris},
    }


def read(given: Any, app: App) -> dict[str, Any]:
    """The fields of app that a manifest, as JSON or its text, sets: those it names. Raises BadInput."""
    manifest = _object(given)
    if not set(manifest) & set(TAKEN_OVER):
        raise BadInput(f"The manifest is not in the Microsoft Graph format: it has none of {', '.join(TAKEN_OVER)}.")
    app_id = manifest.get("appId", app.client_id)
    if not isinstance(app_id, str) or app_id.lower() != app.client_id:
        raise BadInput(f"The manifest is another app's: its appId is “{app_id}” and not {app.client_id}.")
    changes: dict[str, Any] = {}
    if "displayName" in manifest:
        changes["name"] = " ".join(_text(manifest, "displayName").split())
    if "signInAudience" in manifest:
        changes["audience"] = _text(manifest, "signInAudience")
    for platform, field in PLATFORMS.items():
        if platform in manifest and (uris := _redirect_uris(manifest[platform], platform)) is not None:
            changes[field] = uris
    if "requiredResourceAccess" in manifest:
        changes["required"] = required_access.read(manifest["requiredResourceAccess"])
    return changes


def _object(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        given = from_json(given, "The manifest")
    if not isinstance(given, dict):
        raise BadInput("The manifest must be a JSON object.")
    return given


def _text(manifest: dict[str, Any], name: str) -> str:
    value = manifest[name]
    if not isinstance(value, str):
        raise BadInput(f"“{name}” of the manifest must be a text.")
    return value


def _redirect_uris(given: Any, platform: str) -> list[str] | None:
    """None where the manifest does not speak of them."""
    if not isinstance(given, dict):
        raise BadInput(f"“{platform}” of the manifest must be an object.")
    if "redirectUris" not in given:
        return None
    uris = given["redirectUris"]
    if not isinstance(uris, list) or not all(isinstance(each, str) for each in uris):
        raise BadInput(f"“{platform}.redirectUris” of the manifest must be a list of texts.")
    return list(dict.fromkeys(uris))


def _password(secret: Secret) -> dict[str, Any]:
    return {
        "customKeyIdentifier": None,
        "displayName": secret.name or None,
        "endDateTime": _stamp(secret.ends_at),
        "hint": secret.hint,
        "keyId": secret.key_id,
        "secretText": None,
        "startDateTime": _stamp(secret.starts_at),
    }


def _stamp(moment: float) -> str:
    """With up to seven digits after the point, as Graph writes it."""
    fraction = f"{int(moment % 1 * 10_000_000):07d}".rstrip("0")
    return iso(moment).replace("Z", f".{fraction}Z" if fraction else "Z")
