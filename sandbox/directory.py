"""The sandbox's world: directories, apps, people, grants, faults and a clock. No HTTP."""

import re
import secrets
import time
import uuid
from collections import deque
from collections.abc import Iterable
from typing import Any, Literal, get_args

from sandbox.faults import Fault
from sandbox.store import Store
from sandbox.things import App, Grant, Organization, Person, Secret, Thing, digest, grant_id, row

Audience = Literal["AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount"]
AUDIENCES: tuple[str, ...] = get_args(Audience)
MANY_DIRECTORIES = ("common", "organizations")
DAY = 86_400.0
SECRET_LIFETIME = 730 * DAY  # what Graph gives a secret that names no end
CODE_LIFETIME = 600.0
REFRESH_TOKEN_IDLE = 90 * DAY
LOG_LENGTH = 10_000


class BadInput(Exception):
    """What was asked of the control page makes no sense; the message is the whole explanation."""


class Unknown(BadInput):
    """It names something that is not here."""


class World:
    """Everything a test or a person at the control page may set up, change and look at.

    Every change is on disk before the method returns. Not for several threads at once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.organizations: dict[str, Organization] = {}
        self.apps: dict[str, App] = {}
        self.people: dict[str, Person] = {}
        self.grants: dict[str, Grant] = {}
        self.faults: dict[str, Fault] = {}
        self.spent_codes: dict[str, float] = {}
        self.clock_offset = 0.0
        self.requests: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        shelves: dict[str, tuple[type[Any], dict[str, Any]]] = {
            "Organization": (Organization, self.organizations),
            "App": (App, self.apps),
            "Person": (Person, self.people),
            "Grant": (Grant, self.grants),
            "Fault": (Fault, self.faults),
        }
        for kind, key, body in store.rows():
            if kind == "clock":
                self.clock_offset = body["offset"]
            elif kind == "spent":
                self.spent_codes[key] = body["at"]
            else:
                make, shelf = shelves[kind]
                shelf[key] = make(**body)

    # -- the clock

    def now(self) -> float:
        """The sandbox's time: what ends secrets, codes and refresh tokens. The stamps in tokens stay real."""
        return time.time() + self.clock_offset

    def advance(self, seconds: float) -> None:
        if not 0 < seconds <= 36_500 * DAY:
            raise BadInput("The clock only goes forward, by at most a hundred years at a time.")
        self._set_clock(self.clock_offset + seconds)

    def real_time(self) -> None:
        self._set_clock(0.0)

    def _set_clock(self, offset: float) -> None:
        self.clock_offset = offset
        self._store.write(put=[("clock", "clock", {"offset": offset})])

    # -- directories

    def add_directory(self, name: str, domain: str, id: str | None = None) -> Organization:
        domain = domain.strip().lower()
        if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", domain):
            raise BadInput(f"“{domain}” is not a domain name. Example: contoso.example")
        if any(each.domain == domain for each in self.organizations.values()):
            raise BadInput(f"There is already a directory with the domain {domain}.")
        organization = Organization(_guid(id, "The directory ID"), _named(name, "The directory"), domain)
        if organization.id in self.organizations:
            raise BadInput("There is already a directory with this ID.")
        self.organizations[organization.id] = organization
        self.keep(organization)
        return organization

    def set_users_may_consent(self, directory: str, allowed: bool) -> Organization:
        organization = self.organization(directory)
        organization.users_may_consent = allowed
        self.keep(organization)
        return organization

    def organization(self, name: str) -> Organization:
        found = self.find_organization(name)
        if found is None:
            raise Unknown(f"There is no directory “{name}”.")
        return found

    def find_organization(self, name: str) -> Organization | None:
        """By ID or by domain."""
        wanted = name.lower()
        by_id = self.organizations.get(wanted)
        return by_id or next((each for each in self.organizations.values() if each.domain == wanted), None)

    # -- apps

    def add_app(
        self,
        directory: str,
        name: str,
        redirect_uris: Iterable[str] = (),
        audience: str = "AzureADMyOrg",
        client_id: str | None = None,
    ) -> App:
        home = self.organization(directory).id
        if audience not in AUDIENCES:
            raise BadInput(f"“{audience}” is not a sign-in audience. Choose one of {', '.join(AUDIENCES)}.")
        app = App(_guid(client_id, "The client ID"), _named(name, "The app"), home, audience, [], installed_in=[home])
        if app.client_id in self.apps:
            raise BadInput("There is already an app with this client ID.")
        app.redirect_uris = _redirect_uris(redirect_uris)
        self.apps[app.client_id] = app
        self.keep(app)
        return app

    def set_redirect_uris(self, client_id: str, redirect_uris: Iterable[str]) -> App:
        app = self.app(client_id)
        app.redirect_uris = _redirect_uris(redirect_uris)
        self.keep(app)
        return app

    def app(self, client_id: str) -> App:
        if client_id.lower() not in self.apps:
            raise Unknown(f"There is no app with the client ID “{client_id}”.")
        return self.apps[client_id.lower()]

    def add_secret(self, client_id: str, ends_at: float | None = None, name: str = "") -> tuple[Secret, str]:
        """The secret and its value, which nobody can read again."""
        app = self.app(client_id)
        value = f"{secrets.token_hex(2)[:3]}8Q~{secrets.token_urlsafe(26)[:34]}"
        now = self.now()
        end = now + SECRET_LIFETIME if ends_at is None else ends_at
        secret = Secret(str(uuid.uuid4()), value[:3], digest(value), now, end, name.strip())
        app.secrets.append(secret)
        self.keep(app)
        return secret, value

    def expire_secret(self, client_id: str, key_id: str) -> Secret:
        """From now on it has ended, by the sandbox's clock and by the real one."""
        app, secret = self.secret(client_id, key_id)
        secret.ends_at = min(self.now(), time.time()) - 1
        self.keep(app)
        return secret

    def remove_secret(self, client_id: str, key_id: str) -> Secret:
        app, secret = self.secret(client_id, key_id)
        app.secrets.remove(secret)
        self.keep(app)
        return secret

    def secret(self, client_id: str, key_id: str) -> tuple[App, Secret]:
        app = self.app(client_id)
        found = next((each for each in app.secrets if each.key_id == key_id), None)
        if found is None:
            raise Unknown(f"{app.name} has no secret with the ID “{key_id}”.")
        return app, found

    # -- people

    def add_person(
        self, directory: str, name: str, address: str, admin: bool = False, oid: str | None = None
    ) -> Person:
        home = self.organization(directory).id
        address = address.strip()
        if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address):
            raise BadInput(f"“{address}” is not an email address. Example: adele@contoso.example")
        if any(each.address.lower() == address.lower() for each in self.people.values()):
            raise BadInput(f"There is already a person with the address {address}.")
        person = Person(_guid(oid, "The object ID"), home, _named(name, "The person"), address, admin)
        if person.oid in self.people:
            raise BadInput("There is already a person with this object ID.")
        self.people[person.oid] = person
        self.keep(person)
        return person

    def person(self, oid: str) -> Person:
        if oid not in self.people:
            raise Unknown(f"There is no person with the object ID “{oid}”.")
        return self.people[oid]

    def set_disabled(self, oid: str, disabled: bool) -> Person:
        person = self.person(oid)
        person.disabled = disabled
        self.keep(person)
        return person

    def set_admin(self, oid: str, admin: bool) -> Person:
        person = self.person(oid)
        person.admin = admin
        self.keep(person)
        return person

    def revoke_sessions(self, oid: str) -> Person:
        """Every code and refresh token the person has is dead; new ones work."""
        person = self.person(oid)
        person.session += 1
        person.revoked_at = self.now()
        self.keep(person)
        return person

    # -- grants

    def grant(self, client_id: str, oid: str) -> Grant | None:
        return self.grants.get(grant_id(client_id, oid))

    def consent(self, app: App, person: Person, scopes: Iterable[str]) -> Grant:
        grant = self.grant(app.client_id, person.oid) or Grant(app.client_id, person.oid, [], self.now())
        grant.scopes = sorted({*grant.scopes, *scopes})
        grant.granted_at = self.now()
        self.grants[grant.id] = grant
        if person.directory not in app.installed_in:
            app.installed_in.append(person.directory)
        self.keep(grant, app)
        return grant

    def withdraw_consent(self, client_id: str, oid: str) -> Grant:
        app, person = self.app(client_id), self.person(oid)
        grant = self.grants.pop(grant_id(app.client_id, oid), None)
        if grant is None:
            raise Unknown(f"{person.name} has granted {app.name} nothing.")
        self._store.write(drop=[("Grant", grant.id)])
        return grant

    # -- codes

    def spend(self, code_id: str, grant: Grant) -> None:
        now = self.now()
        old = [each for each, at in self.spent_codes.items() if now - at > CODE_LIFETIME]
        for each in old:
            del self.spent_codes[each]
        self.spent_codes[code_id] = now
        grant.last_used_at = now
        self._store.write(put=[("spent", code_id, {"at": now}), row(grant)], drop=[("spent", each) for each in old])

    # -- faults

    def set_fault(self, fault: Fault) -> Fault:
        self.faults[fault.id] = fault
        self.keep(fault)
        return fault

    def clear_fault(self, fault_id: str) -> None:
        if self.faults.pop(fault_id, None) is not None:
            self._store.write(drop=[("Fault", fault_id)])

    def clear_faults(self) -> None:
        self._store.write(drop=[("Fault", each) for each in self.faults])
        self.faults.clear()

    # -- all of it

    def keep(self, *things: Thing) -> None:
        self._store.write(put=[row(each) for each in things])

    def reset(self) -> None:
        """An empty world on real time. The keys stay."""
        self._store.clear()
        for shelf in (self.organizations, self.apps, self.people, self.grants, self.faults, self.spent_codes):
            shelf.clear()
        self.requests.clear()
        self.clock_offset = 0.0


def _guid(value: str | None, what: str) -> str:
    if value is None:
        return str(uuid.uuid4())
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise BadInput(f"{what} “{value}” is not a GUID.") from None


def _named(name: str, what: str) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= 120:
        raise BadInput(f"{what} needs a name of at most 120 characters.")
    return name


def _redirect_uris(uris: Iterable[str]) -> list[str]:
    kept = list(dict.fromkeys(uri.strip() for uri in uris if uri.strip()))
    for uri in kept:
        if len(uri) > 256 or not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[^\s\"'<>\\#;,]*)?", uri):
            raise BadInput(
                f"“{uri}” cannot be a redirect URI: give a full http or https address, at most 256 characters."
            )
        if uri.startswith("http:") and not re.match(r"http://(localhost|127\.0\.0\.1)[:/]", uri + "/"):
            raise BadInput(f"“{uri}” cannot be a redirect URI: http is for localhost only, elsewhere it must be https.")
    return kept
