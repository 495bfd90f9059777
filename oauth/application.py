"""The fourth step of a verification: the application as Entra has it, where it may read itself."""

from collections.abc import Iterator
from http import HTTPStatus

from tenants.ladder import day_of
from tenants.models import AppRegistration, Credential
from tenants.scopes import CONTAINS, PERMISSION_IDS, SCOPES

from .errors import EntraUnreachable
from .graph import GraphClient, GraphRefused
from .health import NoAnswer
from .in_entra import OTHER_PLATFORMS, InEntra, Property, compare
from .listed_secrets import Matches
from .report import APPLICATION, FAILED, OK, SKIPPED, Step

HOW_TO_ALLOW = (
    "Optional. To have this compared every night, give the application Application.Read.All of Microsoft Graph, as an "
    "application permission with an administrator's consent; or Application.ReadWrite.OwnedBy, and make it an owner of "
    "itself."
)


def read(graph: GraphClient, registration: AppRegistration) -> InEntra | Step | NoAnswer:
    """The application itself, or the step that says why there is none."""
    try:
        return InEntra.read(graph.application(registration.client_id))
    except EntraUnreachable as silence:
        return NoAnswer.of(silence)
    except GraphRefused as refused:
        return _refused(refused, registration)


def _refused(refused: GraphRefused, registration: AppRegistration) -> Step:
    if refused.status == HTTPStatus.FORBIDDEN:
        seen = "The application may not read itself, so what Entra has could not be compared."
        return Step(key=APPLICATION, state=SKIPPED, seen=seen, todo=HOW_TO_ALLOW, actor="operator", graph=refused.code)
    if refused.status != HTTPStatus.NOT_FOUND:
        seen = f"{refused} What Entra has could not be compared."
        return Step(key=APPLICATION, state=SKIPPED, seen=seen, graph=refused.code)
    if registration.audience == AppRegistration.Audience.MY_ORG:
        seen = "Entra has no application of this client ID in this directory, though its client secret still works."
        todo = "If it was deleted, restore it under Deleted applications in Entra before it is gone for good."
        return Step(key=APPLICATION, state=FAILED, seen=seen, todo=todo, actor="operator", graph=refused.code)
    seen = "It is used in this directory, but not registered there: only its own directory can tell more."
    todo = "Enter the Directory (tenant) ID of the directory it is registered in."
    return Step(key=APPLICATION, state=SKIPPED, seen=seen, todo=todo, actor="operator", graph=refused.code)


def parts(registration: AppRegistration, credential: Credential, there: InEntra, matches: Matches) -> Iterator[Step]:
    """What was read, one step for each thing that is to be the same. `credential` is as it was before it was read."""
    by_key = {each.key: each for each in compare(registration, credential, there)}
    name = by_key["name"]
    other = f" Here it is called “{name.here}”." if name.sameness == "different" else ""
    yield Step(key=APPLICATION, state=OK, seen=f"Entra has it as “{there.name}”.{other}")
    yield _enabled(there)
    yield _audience(by_key["audience"])
    yield _redirect_uris(by_key["redirect_uris"], there)
    yield _permissions(by_key["permissions"], there)
    yield _secret(credential, there, matches)


def _enabled(there: InEntra) -> Step:
    if there.is_blocked:
        seen = "Microsoft has blocked it, for what it takes for a violation of its Services Agreement."
        todo = "Contact Microsoft support: nobody can lift that in Entra."
        return _wrong("enabled", seen, todo)
    if not there.is_disabled:
        return Step(key="enabled", state=OK, seen="It is switched on.")
    seen = "It is switched off in Entra: no new tokens are issued to it, and soon nothing works any more."
    return _wrong("enabled", seen, "Switch it on in Entra; nobody has to consent again.")


def _audience(audience: Property) -> Step:
    if audience.sameness == "same":
        return Step(key="audience", state=OK, seen=f"{audience.here}: the same in Entra.")
    seen = f"Here: {audience.here}. In Entra: {audience.there}."
    return _wrong("audience", seen, "Choose the same on both sides; in Entra it stands under Authentication.")


def _redirect_uris(uris: Property, there: InEntra) -> Step:
    notes = (f"Entra has others besides: {', '.join(uris.extra)}.",) if uris.extra else ()
    if not uris.missing:
        count = len(uris.here.splitlines())
        seen = "It is registered." if count == 1 else f"All {count} are registered."
        return Step(key="redirect_uris", state=OK, seen=seen, notes=notes)
    wanted = [uri for uri in uris.here.splitlines() if uri not in there.redirect_uris]
    absent = [uri for uri in wanted if uri not in there.uris_elsewhere]
    said = [f"Not registered in Entra: {', '.join(absent)}."] if absent else []
    todos = ["Add them in Entra under Authentication, platform Web, to the letter."] if absent else []
    for platform in OTHER_PLATFORMS.values():
        misplaced = [uri for uri in wanted if there.uris_elsewhere.get(uri) == platform]
        if misplaced:
            said.append(f"Registered as {platform}, which takes no client secret: {', '.join(misplaced)}.")
            todos.append(f"Move what is registered as {platform} to Web: remove it there, then add it under Web.")
    todos.append("It takes a few minutes to work.")
    return _wrong("redirect_uris", " ".join(said), " ".join(todos), notes)


def _permissions(permissions: Property, there: InEntra) -> Step:
    notes = [f"It also lists: {', '.join(permissions.extra)}."] if permissions.extra else []
    if there.own:
        notes.append(f"Of its own it has: {', '.join(there.own)}.")
    if there.elsewhere:
        notes.append(f"It also lists {there.elsewhere} of other APIs.")
    if not permissions.missing:
        seen = "All that is ticked here is listed." if permissions.here else "Nothing is ticked here."
        return Step(key="permissions", state=OK, seen=seen, notes=tuple(notes))
    notes[:0] = _larger_ones(permissions, there)
    named = ", ".join(f"{name} ({PERMISSION_IDS[name]})" for name in permissions.missing)
    # A consent link names what it asks for, so it works all the same: what fails is an approval of what is listed.
    seen = (
        f"Not listed in Entra: {named}. Consent links ask for them by name and work all the same; but an administrator "
        "who approves in Entra approves what is listed there, and so not these."
    )
    return _wrong("permissions", seen, "Add them under API permissions, Microsoft Graph, delegated.", tuple(notes))


def _larger_ones(permissions: Property, there: InEntra) -> Iterator[str]:
    """Of each that is missing and contained in one that is listed: what may have been meant."""
    for larger, smaller in CONTAINS.items():
        if smaller in permissions.missing and larger in there.permissions:
            scope = next(scope.name for scope in SCOPES if scope.permission == larger)
            yield f"It lists {larger}, but links ask for {smaller}: add it, or tick {scope}."


def _secret(credential: Credential, there: InEntra, matches: Matches) -> Step:
    unknown = [password for password in there.passwords if password.key_id not in matches.taken]
    notes = []
    if unknown:
        number = "One more client secret is" if len(unknown) == 1 else f"{len(unknown)} more client secrets are"
        notes.append(f"{number} listed there that were never entered here.")
    if there.certificates:
        number = "a certificate" if there.certificates == 1 else f"{there.certificates} certificates"
        notes.append(f"It has {number}, too.")
    password = matches.found.get(credential.pk)
    if password is not None:
        named = f" (“{password.name}”)" if password.name else ""
        end = f"ends on {day_of(password.ends_at)}" if password.ends_at else "has no end"
        seen = f"{credential.hint}…{named} {end}, as Entra says. Its Secret ID is {password.key_id}."
        if password.ends_at and credential.ends_at and day_of(credential.ends_at) != day_of(password.ends_at):
            notes.insert(0, f"Here it stood as {day_of(credential.ends_at)}; that is corrected.")
        return Step(key="secret", state=OK, seen=seen, notes=tuple(notes))
    if credential.pk in matches.ambiguous:
        seen = (
            f"Several secrets in Entra begin with {credential.hint} and end about the same day, so which of them this "
            "is cannot be said. Nothing was taken over."
        )
        todo = "Remove those in Entra that nobody uses, or enter the end date that is shown beside this one."
        return Step(key="secret", state=SKIPPED, seen=seen, todo=todo, actor="operator", notes=tuple(notes))
    seen = (
        f"No secret in Entra begins with {credential.hint}, though it signs in: one that was made a moment ago, or on "
        "the enterprise application, is not listed here."
    )
    return Step(key="secret", state=SKIPPED, seen=seen, notes=tuple(notes))


def _wrong(key: str, seen: str, todo: str, notes: tuple[str, ...] = ()) -> Step:
    return Step(key=key, state=FAILED, seen=seen, todo=todo, actor="operator", notes=notes)
