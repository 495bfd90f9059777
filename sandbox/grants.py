"""Who granted which app what: people for themselves, administrators for everybody in their directory."""

from collections.abc import Iterable

from sandbox.directory import World
from sandbox.permissions import OFFLINE, OIDC
from sandbox.things import AdminGrant, App, Grant, Organization, Person, grant_id
from sandbox.typed import Unknown


def of_person(world: World, app: App, person: Person) -> list[str]:
    """All the app may do for this person, by their own consent and an administrator's."""
    return sorted({name for each in _rows(world, app, person) if each for name in each.scopes})


def spread_to_tokens(world: World, app: App, person: Person) -> list[str]:
    """What of that the token endpoint knows already."""
    if not world.spread:
        return of_person(world, app, person)
    before = world.now() - world.spread
    return sorted({name for each in _rows(world, app, person) if each for name in each.spread(before)})


def note_use(world: World, app: App, person: Person) -> None:
    for each in _rows(world, app, person):
        if each is not None:
            each.last_used_at = world.now()
            world.keep(each)


def consent(world: World, app: App, person: Person, scopes: Iterable[str]) -> Grant:
    key = grant_id(app.client_id, person.oid)
    grant = world.grants.get(key) or Grant(client_id=app.client_id, oid=person.oid, scopes=[], granted_at=0)
    grant.add(scopes, world.now())
    world.grants[key] = grant
    _install(world, app, person.directory)
    world.keep(grant)
    return grant


def consent_for_everybody(world: World, app: App, directory: Organization, scopes: Iterable[str]) -> AdminGrant:
    """Sign-in itself comes with it, so that nobody there is asked for anything."""
    key = grant_id(app.client_id, directory.id)
    grant = world.admin_grants.get(key) or AdminGrant(
        client_id=app.client_id, directory=directory.id, scopes=[], granted_at=0
    )
    grant.add((*scopes, *OIDC, OFFLINE), world.now())
    world.admin_grants[key] = grant
    _install(world, app, directory.id)
    world.keep(grant)
    return grant


def withdraw(world: World, app: App, person: Person) -> None:
    grant = world.grants.pop(grant_id(app.client_id, person.oid), None)
    if grant is None:
        raise Unknown(f"{person.name} has granted {app.name} nothing.")
    world.forget(grant)


def withdraw_for_everybody(world: World, app: App, directory: Organization) -> None:
    grant = world.admin_grants.pop(grant_id(app.client_id, directory.id), None)
    if grant is None:
        raise Unknown(f"No administrator of {directory.name} has granted {app.name} anything.")
    world.forget(grant)


def _rows(world: World, app: App, person: Person) -> tuple[Grant | None, AdminGrant | None]:
    own = world.grants.get(grant_id(app.client_id, person.oid))
    return own, world.admin_grants.get(grant_id(app.client_id, person.directory))


def _install(world: World, app: App, directory: str) -> None:
    if directory not in app.installed_in:
        app.installed_in.append(directory)
        world.keep(app)
