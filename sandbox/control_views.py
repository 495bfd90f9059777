"""What each control page shows."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox import faults, mail, manifest, required_access
from sandbox.app_rules import AUDIENCES
from sandbox.control_apps import day
from sandbox.directory import World
from sandbox.entra import Origins
from sandbox.graph_errors import GRAPH_ERRORS
from sandbox.permission_ids import DELEGATED
from sandbox.permissions import BASIC, PERMISSIONS
from sandbox.snapshot import fault_data
from sandbox.things import CONSUMERS, App, Approval, Consented, Organization, Person, iso

LIKELY_CODES = {
    7000215: "wrong client secret",
    7000222: "expired client secret",
    7000112: "app disabled",
    700016: "app not found",
    50173: "sessions revoked",
    700082: "refresh token idle for 90 days",
    65001: "consent missing",
    50057: "account disabled",
    50105: "person not assigned to the app",
    50076: "second factor needed",
    53003: "blocked by Conditional Access",
    50196: "loop detected (a kind of throttling)",
    90033: "a passing fault of the service",
}
# One click each: what the button says, and what it sets.
COMMON_FAULTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("Client secret expired", {"what": "7000222"}),
    ("Sessions revoked", {"what": "50173", "grant_type": "refresh_token"}),
    ("Second factor needed", {"what": "50076", "grant_type": "refresh_token"}),
    ("Conditional Access: no tokens", {"what": "53003"}),
    ("Conditional Access: sign-in stops", {"what": "53003", "grant_type": "authorize"}),
    ("Bare cancel at sign-in", {"what": "cancel"}),
    ("Mail.Send left out", {"what": "partial", "remove": "Mail.Send"}),
    ("Token endpoint down", {"what": "down"}),
    ("Token endpoint throttles", {"what": "throttled"}),
    ("Token endpoint slow", {"what": "slow"}),
    ("Graph down", {"what": "down", "grant_type": "graph"}),
    ("Graph denies", {"what": "Authorization_RequestDenied"}),
    ("Graph finds no mailbox", {"what": "MailboxNotEnabledForRESTAPI"}),
)
POLICIES = {"everyone": "people may consent", "managed": "managed policy", "nobody": "only admins consent"}
STEPS = {"+1 hour": 3_600, "+1 day": 86_400, "+30 days": 30 * 86_400, "+91 days": 91 * 86_400}
SPREADS = {"At once": 0, "After 30 seconds": 30, "After 5 minutes": 300}
LATEST = 12


class Views:
    def __init__(self, world: World, origins: Origins, mail_folder: Path | None) -> None:
        self._world = world
        self._origins = origins
        self._mail_folder = mail_folder

    def overview(self) -> dict[str, Any]:
        world = self._world
        return {
            "origins": self._origins,
            "directories": [
                {
                    "it": each,
                    "policy": policy_of(each),
                    "apps": sum(app.directory == each.id for app in world.apps.values()),
                    "people": sum(person.directory == each.id for person in world.people.values()),
                }
                for each in self._work_directories()
            ],
            "policies": POLICIES,
            "requests": list(world.requests)[-LATEST:][::-1],
            "apps": world.apps,
            "people": world.people,
        }

    def apps(self) -> dict[str, Any]:
        return {
            "apps": [self._app(app) for app in _by_name(self._world.apps.values())],
            "directories": self._work_directories(),
            "audiences": AUDIENCES,
            "permissions": {name: {**BASIC, **PERMISSIONS}[name] for name in DELEGATED},
        }

    def _app(self, app: App) -> dict[str, Any]:
        now = self._world.now()
        known = [self._world.organizations[each] for each in app.installed_in]
        return {
            "it": app,
            "home": self._world.organizations[app.directory],
            "permissions": required_access.delegated(app.required),
            "listed": sum(len(each["resourceAccess"]) for each in app.required),
            "manifest": json.dumps(manifest.of(app), indent=4, ensure_ascii=False),
            "secrets": [
                {"it": each, "ends": day(each.ends_at), "expired": each.ends_at <= now} for each in app.secrets
            ],
            "places": [
                {
                    "it": directory,
                    "disabled": directory.id in app.disabled_in,
                    "assignment": directory.id in app.assignment_required_in,
                    "may_read": directory.id in app.may_read_grants_in,
                    "may_read_apps": directory.id in app.may_read_applications_in,
                    "assigned": [person for person in self._people(directory) if person.oid in app.assigned],
                    "others": [person for person in self._people(directory) if person.oid not in app.assigned],
                }
                for directory in _by_name(known)
                if directory.id != CONSUMERS
            ],
        }

    def people(self) -> dict[str, Any]:
        personal = self._world.organization(CONSUMERS)
        directories = self._work_directories()
        return {
            "directories": [
                {"it": each, "people": [self._person(person, directories) for person in self._people(each)]}
                for each in [*directories, *([personal] if directories else [])]
            ],
            "personal": personal,
        }

    def _person(self, person: Person, directories: list[Organization]) -> dict[str, Any]:
        taken = {person.directory} | {each.directory for each in self._world.people.values() if each.home == person.oid}
        return {
            "it": person,
            "from": self._world.organization(person.home_directory).name if person.home else "",
            "could_visit": [] if person.home else [each for each in directories if each.id not in taken],
        }

    def grants(self) -> dict[str, Any]:
        world = self._world
        requests = sorted(world.approvals.values(), key=lambda each: each.asked_at, reverse=True)
        return {
            "requests": [self._approval(each) for each in requests],
            "everybody": [
                {**self._grant(each), "home": world.organizations[each.directory]}
                for each in _newest(world.admin_grants.values())
            ],
            "own": [
                {
                    **self._grant(each),
                    "person": world.people[each.oid],
                    "home": world.organizations[world.people[each.oid].directory],
                }
                for each in _newest(world.grants.values())
            ],
            "spread": world.spread,
            "spreads": SPREADS,
        }

    def _grant(self, grant: Consented) -> dict[str, Any]:
        used = minute(grant.last_used_at) if grant.last_used_at is not None else ""
        return {
            "it": grant,
            "app": self._world.apps[grant.client_id],
            "granted": minute(grant.granted_at),
            "used": used,
        }

    def _approval(self, approval: Approval) -> dict[str, Any]:
        return {
            "it": approval,
            "app": self._world.apps[approval.client_id],
            "person": self._world.people[approval.oid],
            "home": self._world.organizations[approval.directory],
            "asked": minute(approval.asked_at),
        }

    def faults(self) -> dict[str, Any]:
        return {
            "faults": [fault_data(each, self._world) for each in self._world.faults.values()],
            "common": COMMON_FAULTS,
            "codes": LIKELY_CODES,
            "words": {**faults.WORDS, **faults.CANCEL},
            "graph_errors": GRAPH_ERRORS,
            "places": faults.PLACES,
            "steps": STEPS,
            "apps": _by_name(self._world.apps.values()),
            "people": _by_name(self._world.people.values()),
            "directories": _by_name(self._world.organizations.values()),
        }

    def mail(self) -> dict[str, Any]:
        folder = self._mail_folder
        return {"folder": folder, "mails": mail.newest(folder) if folder else []}

    def _work_directories(self) -> list[Organization]:
        return [each for each in _by_name(self._world.organizations.values()) if each.id != CONSUMERS]

    def _people(self, directory: Organization) -> list[Person]:
        return [each for each in _by_name(self._world.people.values()) if each.directory == directory.id]


def policy_of(directory: Organization) -> str:
    if not directory.users_may_consent:
        return "nobody"
    return "managed" if directory.managed_policy else "everyone"


def minute(moment: float) -> str:
    return iso(moment)[:16].replace("T", " ") + " UTC"


def _by_name(things: Any) -> list[Any]:
    return sorted(things, key=lambda each: each.name.lower())


def _newest(grants: Iterable[Any]) -> list[Any]:
    return sorted(grants, key=lambda each: each.granted_at, reverse=True)
