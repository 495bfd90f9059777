"""The sandbox's world as plain data, for tests and loaders. No secret is in it."""

from typing import Any

from sandbox import required_access
from sandbox.directory import World
from sandbox.faults import Fault
from sandbox.things import AdminGrant, App, Approval, Consented, Grant, Organization, Person, Secret, iso


def snapshot(world: World) -> dict[str, Any]:
    return {
        "now": iso(world.now()),
        "trailers": world.trailers,
        "spread": world.spread,
        "directories": [organization_data(each) for each in world.organizations.values()],
        "apps": [app_data(each, world) for each in world.apps.values()],
        "people": [person_data(each) for each in world.people.values()],
        "grants": [grant_data(each) for each in world.grants.values()],
        "admin_grants": [grant_data(each) for each in world.admin_grants.values()],
        "approvals": [approval_data(each) for each in world.approvals.values()],
        "faults": [fault_data(each, world) for each in world.faults.values()],
    }


def organization_data(organization: Organization) -> dict[str, Any]:
    return dict(vars(organization))


def app_data(app: App, world: World) -> dict[str, Any]:
    return {
        "client_id": app.client_id,
        "object_id": app.object_id,
        "name": app.name,
        "directory": app.directory,
        "audience": app.audience,
        "redirect_uris": app.redirect_uris,
        "permissions": required_access.delegated(app.required),
        "required": app.required,
        "disabled": app.disabled,
        "disabled_in": app.disabled_in,
        "assignment_required_in": app.assignment_required_in,
        "assigned": app.assigned,
        "may_read_grants_in": app.may_read_grants_in,
        "may_read_applications_in": app.may_read_applications_in,
        "owns_itself": app.owns_itself,
        "microsoft_status": app.microsoft_status,
        "secrets": [secret_data(each, world) for each in app.secrets],
    }


def secret_data(secret: Secret, world: World) -> dict[str, Any]:
    return {
        "key_id": secret.key_id,
        "hint": secret.hint,
        "name": secret.name,
        "starts_at": iso(secret.starts_at),
        "ends_at": iso(secret.ends_at),
        "expired": secret.ends_at <= world.now(),
    }


def person_data(person: Person) -> dict[str, Any]:
    hidden = ("session", "revoked_at")
    return {name: value for name, value in vars(person).items() if name not in hidden}


def grant_data(grant: Consented) -> dict[str, Any]:
    whose = {"oid": grant.oid} if isinstance(grant, Grant) else {}
    whose |= {"directory": grant.directory} if isinstance(grant, AdminGrant) else {}
    return {
        "client_id": grant.client_id,
        **whose,
        "scopes": grant.scopes,
        "granted_at": iso(grant.granted_at),
        "last_used_at": iso(grant.last_used_at) if grant.last_used_at is not None else None,
    }


def approval_data(approval: Approval) -> dict[str, Any]:
    decided = iso(approval.decided_at) if approval.decided_at is not None else None
    return {**vars(approval), "asked_at": iso(approval.asked_at), "decided_at": decided}


def fault_data(fault: Fault, world: World) -> dict[str, Any]:
    return {"id": fault.id, "what": fault.what, "sentence": fault_sentence(fault, world)}


def fault_sentence(fault: Fault, world: World) -> str:
    app = world.apps.get(fault.client_id or "")
    person = world.people.get(fault.oid or "")
    home = world.organizations.get(fault.directory or "")
    whom = [f"for {name}" for name in (app and app.name, person and person.name, home and home.name) if name]
    where = [f"({fault.grant_type.replace('_', ' ')} only)"] if fault.grant_type else []
    often = [f"{fault.times} more time{'' if fault.times == 1 else 's'}"] if fault.times else []
    return " ".join(["the sandbox", fault.sentence, *whom, *where, *often])
