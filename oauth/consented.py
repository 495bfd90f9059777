"""The last step of a verification: has an administrator approved, for everybody in the registration's own directory?"""

from http import HTTPStatus

from tenants.models import AppRegistration
from tenants.scopes import needs_admin, permissions_for

from .errors import EntraUnreachable
from .graph import GraphClient, GraphRefused
from .health import NoAnswer
from .models import AdminGrant
from .report import CONSENT, NOT_YET, OK, SKIPPED, Step

TODO = "Have an administrator open a consent link and approve for the whole organization."
HOW_TO_ALLOW = (
    "Optional. To have it read, give the application Directory.Read.All of Microsoft Graph, as an application "
    "permission with an administrator's consent."
)


def passed_over(registration: AppRegistration) -> Step | None:
    """Why there is nothing to ask, if there is not."""
    if registration.only_personal:
        return _skipped("It is for personal accounts only, and those have no administrator.")
    if registration.tenant_id is None:
        return _skipped("Many tenants share this registration, and in each directory its own administrator approves.")
    if not registration.scope_names:
        return _skipped("No scope is ticked, so there is nothing to approve.")
    return None


def look(graph: GraphClient, registration: AppRegistration, tid: str) -> Step | NoAnswer:
    """Read the directory's own list; where that is not allowed, tell what was reported."""
    try:
        granted = {name.lower() for name in graph.granted_to_everybody(registration.client_id)}
    except EntraUnreachable as silence:
        return NoAnswer.of(silence)
    except GraphRefused as refused:
        words = _known(registration, tid)
        todo = HOW_TO_ALLOW if refused.status == HTTPStatus.FORBIDDEN else ""
        return _skipped(f"The directory's list of approvals could not be read. {words}", todo, refused.code)
    missing = [name for name in permissions_for(registration.scope_names) if name.lower() not in granted]
    if not missing:
        return Step(key=CONSENT, state=OK, seen="An administrator has approved all of it for everybody there.")
    if not needs_admin(registration.scope_names):
        return _skipped("No administrator has approved all of it, and nobody has to: people may consent themselves.")
    seen = f"Not approved for everybody there yet: {', '.join(missing)}."
    return Step(key=CONSENT, state=NOT_YET, seen=seen, todo=TODO, actor="tenant_admin")


def _known(registration: AppRegistration, tid: str) -> str:
    if registration.tenant_id is None:
        return ""
    grant = AdminGrant.objects.of_directory(registration, registration.tenant_id, tid).first()
    if grant is None:
        return "No approval is on record here."
    doubt = ", and is doubted since" if grant.doubted_at else ""
    whole = "" if grant.covers(permissions_for(registration.scope_names)) else ", for less than is ticked now"
    return f"An approval is on record as {grant.get_status_display()}{whole}{doubt}."


def _skipped(seen: str, todo: str = "", code: str = "") -> Step:
    return Step(key=CONSENT, state=SKIPPED, seen=seen, todo=todo, actor="operator" if todo else "", graph=code)
