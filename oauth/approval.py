"""An administrator's consent for a whole directory: asked for, reported, and read where the registration may."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from urllib3.exceptions import HTTPError

from tenants.clouds import UnknownCloud, cloud
from tenants.models import Event
from tenants.scopes import OIDC, request_scopes

from . import attempts, mails, pins
from .attempts import CannotStart, Started
from .entra import EntraClient
from .errors import AnswerRejected, EntraError, EntraRefused, EntraUnreachable
from .exchange import refusal
from .graph import GraphClient, GraphRefused
from .health import Verdict, registration_to_ask
from .http import GUID, client_for
from .id_token import UNFIT, WRONG
from .models import AdminGrant, Connection, ConsentAttempt, Link
from .models.link import new_token

MOST_LOOKS = 6
LOOK_PAUSE = timedelta(seconds=6)  # six looks: Microsoft may take half a minute to know of a consent everywhere

Outcome = ConsentAttempt.Outcome
Status = AdminGrant.Status


def start(link: Link) -> Started:
    """Send an administrator to Microsoft's page of consent for the organization, or raise CannotStart."""
    attempts.refuse_a_loop(link)
    registration = link.registration
    names = registration.scope_names
    if not names:
        raise CannotStart("no_scopes")
    state = new_token()
    try:
        where = cloud(registration.cloud)
        auth_uri = EntraClient(where, _directory_for(link), registration.client_id, "").approval_uri(
            scopes=[*request_scopes(names, where), *(name for name in OIDC if name != "email")],
            redirect_uri=registration.redirect_uri,
            state=state,
        )
    except UnknownCloud:
        raise CannotStart("unverified") from None
    except EntraRefused as refused:
        raise CannotStart(refused.fault.kind) from None
    return attempts.keep(link, ConsentAttempt.Way.APPROVAL, state=state, auth_uri=auth_uri)


def _directory_for(link: Link) -> str:
    directory = pins.directory_of(link)
    return "organizations" if directory == "common" else directory  # Microsoft does not take “common” there


def complete(attempt: ConsentAttempt, answer: Mapping[str, str]) -> None:
    """Keep what an administrator's browser brought back. The attempt must be claimed; it ends with an outcome.

    Anybody in front of that browser can make the answer up, so the grant is only reported. An error counts first:
    Microsoft says `admin_consent=True` of a refusal, too.
    """
    try:
        attempts.demand_unchanged(attempt)
        if "error" in answer:
            raise refusal(400, {**answer, "suberror": answer.get("error_subcode", "")})
        tid = _directory_in(attempt, answer)
        if "iss" in answer and answer["iss"] != cloud(attempt.cloud).issuer(str(tid)):
            raise AnswerRejected("iss", WRONG["iss"])
        with transaction.atomic():
            _keep(attempt, tid)
    except EntraRefused as refused:
        attempts.end_refused(attempt, refused)
    except AnswerRejected as rejected:
        attempts.end(attempt, Outcome.REJECTED, fault_kind=rejected.reason)
    except EntraUnreachable as silence:
        attempts.end(attempt, Outcome.UNREACHABLE, fault_kind=silence.kind)
    except UnknownCloud:
        attempts.end(attempt, Outcome.REJECTED, fault_kind="unverified")


def _directory_in(attempt: ConsentAttempt, answer: Mapping[str, str]) -> UUID:
    tid = answer.get("tenant", "").lower()
    if answer.get("admin_consent", "").lower() != "true" or GUID.fullmatch(tid) is None:
        raise AnswerRejected("malformed", "The answer is not one that Microsoft would send.")
    expected = attempt.directory
    if pins.names_a_directory(expected):
        if GUID.fullmatch(expected) is None:
            expected = _id_of(attempt.cloud, expected)
        if tid != expected.lower():
            raise AnswerRejected("wrong_directory", UNFIT["wrong_directory"])
    return UUID(tid)


def _id_of(cloud_key: str, domain: str) -> str:
    try:
        found = client_for(cloud(cloud_key)).directory_of(domain)
    except (HTTPError, UnknownCloud):
        found = ""
    if not found:
        raise EntraUnreachable("Microsoft does not say which directory that is.")
    return found


def _keep(attempt: ConsentAttempt, tid: UUID) -> None:
    is_used_up = attempt.link.purpose == Link.Purpose.APPROVAL
    link = attempts.use_link(attempt) if is_used_up else attempts.usable_link(attempt)
    grant = _report(attempt, tid)
    attempt.grant = grant
    attempts.end(attempt, Outcome.APPROVED)
    Event.objects.record(
        verb="approval reported", subject=attempt.link, tenant=attempt.link.tenant, reason=f"directory {tid}"
    )
    mails.tell_of_approval(link, grant)


def _report(attempt: ConsentAttempt, tid: UUID) -> AdminGrant:
    """The directory's one grant to this registration and tenant, with what was said of it now.

    What was borne out before stays so for the same permissions, unless it was doubted since.
    """
    now = timezone.now()
    said: dict[str, Any] = {"client_id": attempt.client_id, "scopes": attempt.scopes, "reported_at": now, "looks": 0}
    if pins.names_a_directory(attempt.directory):
        # Only where we chose the directory: else whoever makes an answer up learns here who has approved.
        said["look_at"] = now
    grant, is_new = AdminGrant.objects.select_for_update().get_or_create(
        registration_id=attempt.link.registration_id, tenant_id=attempt.link.tenant_id, tid=tid, defaults=said
    )
    if is_new:
        return grant
    is_same = grant.client_id == attempt.client_id and grant.covers(attempt.scopes) and grant.doubted_at is None
    if is_same and grant.status != Status.REPORTED:
        del said["scopes"]  # they may be more than what is said now, and they were borne out
    else:
        said |= {"status": Status.REPORTED, "seen_at": None, "verified_at": None, "doubted_at": None}
    for name, value in said.items():
        setattr(grant, name, value)
    grant.save(update_fields=list(said))
    return grant


def see(connection: Connection) -> None:
    """A sign-in that was given all that an administrator is said to have approved bears the approval out."""
    grants = AdminGrant.objects.of_directory(connection.registration, connection.tenant_id, str(connection.tid))
    granted = {name.lower() for name in connection.scopes_granted}
    seen = AdminGrant.objects.filter(
        pk__in=[grant.pk for grant in grants if granted.issuperset(map(str.lower, grant.scopes))]
    )
    now = timezone.now()
    seen.update(doubted_at=None)
    seen.filter(status=Status.REPORTED).update(status=Status.SEEN, seen_at=now, look_at=now, looks=0)


def doubt(attempt: ConsentAttempt) -> None:
    """Somebody was sent back for want of an approval from a directory that is said to have approved."""
    if not pins.names_a_directory(attempt.directory):
        return
    grants = AdminGrant.objects.of_directory(attempt.link.registration, attempt.link.tenant_id, attempt.directory)
    grants.filter(doubted_at=None).update(doubted_at=timezone.now())


def look(grant: AdminGrant) -> None:
    """Read the directory's own list of grants, where the registration may. The grant must be claimed.

    Most registrations may not, and nothing follows from that: the grant stays as reported or seen. What is not listed
    yet is looked for a few times more; what was verified before and is not listed any more is doubted.
    """
    changes: dict[str, Any] = {"look_at": None}
    try:
        is_listed = grant.scopes != [] and _lower(grant.scopes) <= _lower(_listed(grant))
    except GraphRefused as refused:
        is_listed, may_come = None, refused.status != HTTPStatus.FORBIDDEN
    except EntraError:
        is_listed, may_come = None, True
    else:
        may_come = not is_listed
    if is_listed:
        changes |= {"status": Status.VERIFIED, "verified_at": timezone.now(), "doubted_at": None}
    elif may_come and grant.looks < MOST_LOOKS:
        changes["look_at"] = timezone.now() + LOOK_PAUSE
    elif is_listed is False and grant.status == Status.VERIFIED:
        changes |= {"status": Status.REPORTED, "doubted_at": timezone.now()}
    AdminGrant.objects.filter(pk=grant.pk, look_at=grant.look_at).update(**changes)


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


@sensitive_variables()
def _listed(grant: AdminGrant) -> frozenset[str]:
    registration = grant.registration
    ask = registration_to_ask(registration, registration.credentials.current().first())
    if isinstance(ask, Verdict) or ask.client_id != grant.client_id:
        raise EntraUnreachable("The registration cannot ask Microsoft now.")
    token = ask.client(str(grant.tid)).app_token()
    return GraphClient(ask.cloud, token.value).granted_to_everybody(ask.client_id)
