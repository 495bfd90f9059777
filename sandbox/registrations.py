"""App registrations and their secrets, made and changed as far as Entra's rules let them."""

import re
import secrets
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sandbox import app_rules, manifest, required_access, typed
from sandbox.directory import DAY, World
from sandbox.things import App, Secret, digest
from sandbox.typed import BadInput, Unknown

_STATUSES = ", ".join(app_rules.MICROSOFT_STATUSES)
SECRET_LIFETIME = 730 * DAY  # what Graph gives a secret that names no end


def add(
    world: World,
    directory: str,
    name: str,
    redirect_uris: Iterable[str] = (),
    audience: str = "AzureADMyOrg",
    client_id: str | None = None,
) -> App:
    home = world.work_directory(directory).id
    app = App(typed.guid(client_id, "The client ID"), _words(name), home, audience, [], installed_in=[home])
    if app.client_id in world.apps:
        raise BadInput("There is already an app with this client ID.")
    uris = typed.each_once(redirect_uris)
    app_rules.refuse_new_wildcards(app, uris)
    return _change(world, app, name=app.name, audience=audience, redirect_uris=uris)


def change(world: World, client_id: str, name: str | None = None, audience: str | None = None) -> App:
    app = world.app(client_id)
    given = {"name": None if name is None else _words(name), "audience": audience}
    return _change(world, app, **{field: value for field, value in given.items() if value is not None})


def set_redirect_uris(world: World, client_id: str, redirect_uris: Iterable[str]) -> App:
    app, uris = world.app(client_id), typed.each_once(redirect_uris)
    app_rules.refuse_new_wildcards(app, uris)
    return _change(world, app, redirect_uris=uris)


def set_required_access(world: World, client_id: str, names: Iterable[str]) -> App:
    """Graph's delegated permissions, by name. Whatever else the app lists stays listed."""
    app = world.app(client_id)
    return _change(world, app, required=required_access.with_delegated(app.required, names))


def set_manifest(world: World, client_id: str, given: Any) -> App:
    """All that the manifest says, or none of it."""
    app = world.app(client_id)
    return _change(world, app, **manifest.read(given, app))


def set_microsoft_status(world: World, client_id: str, status: str) -> App:
    """What Graph tells of Microsoft's own block. Nothing else is known of it, so nothing else follows from it here."""
    if status and status not in app_rules.MICROSOFT_STATUSES:
        raise BadInput(f"“{status}” is no disabledByMicrosoftStatus. It is one of {_STATUSES}, or empty.")
    return _change(world, world.app(client_id), microsoft_status=status)


def add_secret(
    world: World, client_id: str, ends_at: float | None = None, name: str = "", hint: str = ""
) -> tuple[Secret, str]:
    """The secret and its value, which nobody can read again. It begins with this hint, where one is given."""
    app = world.app(client_id)
    if hint and not re.fullmatch("[A-Za-z0-9]{3}", hint):
        raise BadInput("The hint of a client secret is its first three letters or digits.")
    value = f"{hint or secrets.token_hex(2)[:3]}8Q~{secrets.token_urlsafe(26)[:34]}"
    now = world.now()
    end = now + SECRET_LIFETIME if ends_at is None else ends_at
    secret = Secret(str(uuid.uuid4()), value[:3], digest(value), now, end, name.strip())
    _change(world, app, secrets=[*app.secrets, secret])
    return secret, value


def expire_secret(world: World, client_id: str, key_id: str) -> Secret:
    """From now on it has ended, by the sandbox's clock and by the real one."""
    app, secret = find_secret(world, client_id, key_id)
    secret.ends_at = min(world.now(), time.time()) - 1
    world.keep(app)
    return secret


def remove_secret(world: World, client_id: str, key_id: str) -> Secret:
    app, secret = find_secret(world, client_id, key_id)
    app.secrets.remove(secret)
    world.keep(app)
    return secret


def find_secret(world: World, client_id: str, key_id: str) -> tuple[App, Secret]:
    app = world.app(client_id)
    found = next((each for each in app.secrets if each.key_id == key_id), None)
    if found is None:
        raise Unknown(f"{app.name} has no secret with the ID “{key_id}”.")
    return app, found


def _change(world: World, app: App, **changes: Any) -> App:
    """Nothing has changed where a rule refuses."""
    changed = replace(app, **changes)
    app_rules.check(changed, changes)
    world.apps[app.client_id] = changed
    world.keep(changed)
    return changed


def _words(name: str) -> str:
    return " ".join(name.split())
