"""The sandbox's world: directories, apps, people, grants, faults and a clock. No HTTP."""

import re
import secrets
import time
import uuid
from collections import deque
from dataclasses import replace
from typing import Any

from sandbox import typed
from sandbox.families import Families
from sandbox.faults import Fault
from sandbox.refusals import TRAILERS
from sandbox.store import Store
from sandbox.things import CONSUMERS, AdminGrant, App, Approval, Grant, Organization, Person, Thing, row
from sandbox.typed import BadInput, Unknown

REGIONS = ("", "GCC", "DODCON", "DOD")
MANY_DIRECTORIES = ("common", "organizations")
DAY = 86_400.0
CODE_LIFETIME = 600.0
REFRESH_TOKEN_IDLE = 90 * DAY
LOG_LENGTH = 10_000


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
        self.admin_grants: dict[str, AdminGrant] = {}
        self.approvals: dict[str, Approval] = {}
        self.faults: dict[str, Fault] = {}
        self.spent_codes: dict[str, float] = {}
        self.clock_offset = 0.0
        self.trailers = "spaces"
        self.families = Families(store)
        self.spread = 0.0  # seconds until the token endpoint knows a consent that the pages know already
        self.requests: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        shelves: dict[str, tuple[type[Any], dict[str, Any]]] = {
            "Organization": (Organization, self.organizations),
            "App": (App, self.apps),
            "Person": (Person, self.people),
            "Grant": (Grant, self.grants),
            "AdminGrant": (AdminGrant, self.admin_grants),
            "Approval": (Approval, self.approvals),
            "Fault": (Fault, self.faults),
        }
        self._shelves = [shelf for _, shelf in shelves.values()]
        for kind, key, body in store.rows():
            if kind == "clock":
                self.clock_offset = body["offset"]
            elif kind == "trailers":
                self.trailers = body["style"]
            elif kind == "family":
                self.families.newest[key] = body["newest"]
            elif kind == "spread":
                self.spread = body["seconds"]
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

    def set_spread(self, seconds: float) -> None:
        if not 0 <= seconds <= DAY:
            raise BadInput("A consent spreads within a day.")
        self.spread = seconds
        self._store.write(put=[("spread", "spread", {"seconds": seconds})])

    # -- directories

    def add_directory(self, name: str, domain: str, id: str | None = None, region: str = "") -> Organization:
        if region not in REGIONS:
            raise BadInput(f"“{region}” is not a region of a directory. Choose one of {', '.join(REGIONS[1:])}.")
        domain = domain.strip().lower()
        if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", domain):
            raise BadInput(f"“{domain}” is not a domain name. Example: contoso.example")
        if any(each.domain == domain for each in self.organizations.values()):
            raise BadInput(f"There is already a directory with the domain {domain}.")
        key, named = typed.guid(id, "The directory ID"), typed.named(name, "The directory")
        organization = Organization(key, named, domain, region=region)
        if organization.id in self.organizations:
            raise BadInput("There is already a directory with this ID.")
        self.organizations[organization.id] = organization
        self.keep(organization)
        return organization

    def set_users_may_consent(self, directory: str, allowed: bool) -> Organization:
        """Everybody to everything, or nobody but administrators to anything."""
        organization = self.work_directory(directory)
        organization.users_may_consent, organization.managed_policy = allowed, False
        self.keep(organization)
        return organization

    def set_managed_policy(self, directory: str, on: bool) -> Organization:
        """Microsoft's own rule for what people may consent to; off is everything."""
        organization = self.work_directory(directory)
        organization.users_may_consent, organization.managed_policy = True, on
        self.keep(organization)
        return organization

    def set_approval_workflow(self, directory: str, on: bool) -> Organization:
        organization = self.work_directory(directory)
        organization.approval_workflow = on
        self.keep(organization)
        return organization

    def set_federated(self, directory: str, on: bool) -> Organization:
        organization = self.work_directory(directory)
        organization.federated = on
        self.keep(organization)
        return organization

    def organization(self, name: str) -> Organization:
        found = self.find_organization(name)
        if found is None:
            raise Unknown(f"There is no directory “{name}”.")
        return found

    def find_organization(self, name: str) -> Organization | None:
        """By ID or by domain. The directory of personal accounts is always there."""
        wanted = CONSUMERS if name.lower() == "consumers" else name.lower()
        found = self.organizations.get(wanted)
        if found is None and wanted == CONSUMERS:
            return Organization(CONSUMERS, "Personal accounts", "consumers")
        return found or next((each for each in self.organizations.values() if each.domain == wanted), None)

    def work_directory(self, name: str) -> Organization:
        """One of an organization: with administrators, apps and rules."""
        found = self.organization(name)
        if found.id == CONSUMERS:
            raise BadInput("Personal accounts have no administrators, no apps and no rules of their own.")
        return found

    # -- apps

    def app(self, client_id: str) -> App:
        if client_id.lower() not in self.apps:
            raise Unknown(f"There is no app with the client ID “{client_id}”.")
        return self.apps[client_id.lower()]

    def set_app_disabled(self, client_id: str, disabled: bool, directory: str | None = None) -> App:
        """In one directory, or everywhere."""
        app = self.app(client_id)
        if directory is None:
            app.disabled = disabled
        else:
            app.disabled_in = typed.switched(app.disabled_in, self.organization(directory).id, disabled)
        self.keep(app)
        return app

    def set_assignment_required(self, client_id: str, directory: str, required: bool) -> App:
        app = self.app(client_id)
        home = self.work_directory(directory).id
        app.assignment_required_in = typed.switched(app.assignment_required_in, home, required)
        self.keep(app)
        return app

    def set_assigned(self, client_id: str, oid: str, assigned: bool) -> App:
        app = self.app(client_id)
        app.assigned = typed.switched(app.assigned, self.person(oid).oid, assigned)
        self.keep(app)
        return app

    def set_may_read_grants(self, client_id: str, directory: str, allowed: bool) -> App:
        app = self.app(client_id)
        app.may_read_grants_in = typed.switched(app.may_read_grants_in, self.organization(directory).id, allowed)
        self.keep(app)
        return app

    def set_may_read_applications(self, client_id: str, directory: str, allowed: bool) -> App:
        """Application.Read.All: every app registered there."""
        app = self.app(client_id)
        home = self.work_directory(directory).id
        app.may_read_applications_in = typed.switched(app.may_read_applications_in, home, allowed)
        self.keep(app)
        return app

    def set_owns_itself(self, client_id: str, owns: bool) -> App:
        """Application.ReadWrite.OwnedBy, and an owner of its own registration."""
        app = self.app(client_id)
        app.owns_itself = owns
        self.keep(app)
        return app

    # -- people

    def add_person(
        self, directory: str, name: str, address: str, admin: bool = False, oid: str | None = None
    ) -> Person:
        """In the directory "consumers" it is a personal account."""
        home = self.organization(directory)
        if home.id == CONSUMERS:
            if admin:
                raise BadInput("A personal account administers no directory.")
            oid = oid or str(uuid.UUID(int=secrets.randbits(64)))  # as Microsoft's: the first half is zeros
        address = typed.address(address)
        if any(each.address.lower() == address.lower() for each in self.people.values()):
            raise BadInput(f"There is already a person with the address {address}.")
        person = Person(typed.guid(oid, "The object ID"), home.id, typed.named(name, "The person"), address, admin)
        if person.oid in self.people:
            raise BadInput("There is already a person with this object ID.")
        if home.id not in self.organizations:
            self.organizations[home.id] = home
            self.keep(home)
        self.people[person.oid] = person
        self.keep(person)
        return person

    def add_guest(self, directory: str, oid: str) -> Person:
        """A row of their own, in this directory, for somebody whose account is elsewhere."""
        host, person = self.work_directory(directory), self.person(oid)
        if person.home or person.directory == host.id or self.guest(host.id, person.oid):
            raise BadInput(f"{person.name} cannot be a guest of {host.name}: choose an account from elsewhere, once.")
        guest = replace(person, oid=str(uuid.uuid4()), directory=host.id, admin=False, mailbox=False, session=0)
        guest.home, guest.home_directory = person.oid, person.directory
        self.people[guest.oid] = guest
        self.keep(guest)
        return guest

    def guest(self, directory: str, home: str) -> Person | None:
        return next((each for each in self.people.values() if (each.directory, each.home) == (directory, home)), None)

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

    def set_mailbox(self, oid: str, has: bool) -> Person:
        person = self.person(oid)
        person.mailbox = has
        self.keep(person)
        return person

    def set_mail(self, oid: str, mail: str) -> Person:
        person = self.person(oid)
        person.mail = typed.address(mail) if mail.strip() else ""
        self.keep(person)
        return person

    def revoke_sessions(self, oid: str) -> Person:
        """Every code and refresh token the person has is dead; new ones work."""
        person = self.person(oid)
        person.session += 1
        person.revoked_at = self.now()
        self.keep(person)
        return person

    # -- codes

    def spend(self, code_id: str) -> None:
        now = self.now()
        old = [each for each, at in self.spent_codes.items() if now - at > CODE_LIFETIME]
        for each in old:
            del self.spent_codes[each]
        self.spent_codes[code_id] = now
        self._store.write(put=[("spent", code_id, {"at": now})], drop=[("spent", each) for each in old])

    # -- faults

    def set_fault(self, fault: Fault) -> Fault:
        self.faults[fault.id] = fault
        self.keep(fault)
        return fault

    def struck(self, fault: Fault) -> None:
        """It did its work once more; the last time it is gone."""
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times <= 0:
            self.clear_fault(fault.id)
        else:
            self.keep(fault)

    def clear_fault(self, fault_id: str) -> None:
        if self.faults.pop(fault_id, None) is not None:
            self._store.write(drop=[("Fault", fault_id)])

    def clear_faults(self) -> None:
        self._store.write(drop=[("Fault", each) for each in self.faults])
        self.faults.clear()

    # -- how refusals are worded

    def set_trailers(self, style: str) -> None:
        """How the ids at the end of an error_description are set off, from the next refusal on."""
        if style not in TRAILERS:
            raise BadInput(f"“{style}” is no way to set trailers off. Choose one of {', '.join(TRAILERS)}.")
        self.trailers = style
        self._store.write(put=[("trailers", "trailers", {"style": style})])

    # -- all of it

    def keep(self, *things: Thing) -> None:
        self._store.write(put=[row(each) for each in things])

    def forget(self, thing: Thing) -> None:
        self._store.write(drop=[row(thing)[:2]])

    def reset(self) -> None:
        """An empty world on real time. The keys stay."""
        self._store.clear()
        for shelf in (*self._shelves, self.spent_codes):
            shelf.clear()
        self.families.newest.clear()
        self.requests.clear()
        self.clock_offset = self.spread = 0.0
        self.trailers = "spaces"
