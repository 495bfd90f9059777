"""Requests for an administrator's approval, where a directory has that workflow on."""

import uuid
from collections.abc import Iterable

from sandbox import grants
from sandbox.directory import World
from sandbox.things import App, Approval, Person
from sandbox.typed import BadInput, Unknown

LONGEST_REASON = 500


def ask(world: World, app: App, person: Person, scopes: Iterable[str], reason: str) -> Approval:
    """One open request for each person and app: asking again replaces it."""
    mine = (app.client_id, person.oid, "pending")
    found = next((each for each in world.approvals.values() if (each.client_id, each.oid, each.state) == mine), None)
    approval = Approval(
        id=found.id if found else str(uuid.uuid4()),
        client_id=app.client_id,
        oid=person.oid,
        directory=person.directory,
        scopes=sorted(scopes),
        reason=reason.strip()[:LONGEST_REASON],
        asked_at=world.now(),
    )
    world.approvals[approval.id] = approval
    world.keep(approval)
    return approval


def decide(world: World, approval_id: str, *, approve: bool) -> Approval:
    """Approving grants what was asked for to everybody in the directory. Nobody tells the app."""
    approval = world.approvals.get(approval_id)
    if approval is None:
        raise Unknown(f"There is no request “{approval_id}”.")
    if approval.state != "pending":
        raise BadInput(f"This request is {approval.state} already.")
    if approve:
        directory = world.organization(approval.directory)
        grants.consent_for_everybody(world, world.app(approval.client_id), directory, approval.scopes)
    approval.state = "approved" if approve else "denied"
    approval.decided_at = world.now()
    world.keep(approval)
    return approval
