"""The ways on from a page: consent oneself, approve as an administrator, or ask one. The likely one first."""

from collections.abc import Sequence

from tenants.clouds import Cloud
from tenants.models.registration import as_guid
from tenants.scopes import needs_admin, permissions_for

from . import pins
from .models import AdminGrant, Connection, Link

SIGN_IN = "sign_in"
APPROVE = "approve"
HAND_ON = "hand_on"

MOST_DIRECTORIES = 50  # of one tenant; far more than any has
MOST_COMPARED = 5  # the newest connections tell how it is today

# Kinds of fault that an administrator's approval mends.
MENDED_BY_APPROVAL = frozenset(["admin_consent_required", "consent_missing"])


def ways_on(link: Link, where: Cloud, *, is_approved: bool) -> Sequence[str]:
    """What a person who opened this link can do, the likely thing first.

    Microsoft's managed policy keeps most of what mail products ask for to administrators; where one has approved,
    nothing of it is asked for, or it was all granted there before, people consent themselves.
    """
    may_be_approved = pins.is_for_work(link) and where.admin_consent
    if link.purpose == Link.Purpose.APPROVAL:
        return [APPROVE, HAND_ON] if may_be_approved else []
    if not may_be_approved:
        return [SIGN_IN]
    if needs_admin(link.registration.scope_names) and not is_approved and not _was_granted(link):
        return [APPROVE, HAND_ON, SIGN_IN]
    return [SIGN_IN, APPROVE, HAND_ON]


def _was_granted(link: Link) -> bool:
    """Whether whoever is to reconnect, or somebody else of the directory, was granted all of this before.

    Then hardly anybody there needs an approval: people may consent themselves, or an administrator has.
    """
    directory = pins.directory_of(link)
    registration = link.registration
    theirs = Connection.objects.filter(
        registration=registration, tenant=link.tenant_id, client_id=registration.client_id
    ).order_by("-connected_at")
    if link.connection is not None:
        theirs = theirs.filter(pk=link.connection.pk)
    elif as_guid(directory):
        theirs = theirs.filter(tid=directory)
    elif not pins.names_a_directory(directory):
        return False
    asked = {name.lower() for name in permissions_for(registration.scope_names)}
    granted = theirs.values_list("scopes_granted", flat=True)[:MOST_COMPARED]
    return any(asked <= {name.lower() for name in names} for names in granted)


def approval_of(link: Link) -> AdminGrant | None:
    """An administrator's approval that covers all this link asks for, if there is one that nobody had cause to doubt.

    One that is only reported counts where the link names the directory: of any other it may be made up.
    """
    directory = pins.directory_of(link)
    grants = AdminGrant.objects.of_directory(link.registration, link.tenant_id, directory).filter(doubted_at=None)
    if not pins.names_a_directory(directory):
        grants = grants.exclude(status=AdminGrant.Status.REPORTED)
    asked = permissions_for(link.registration.scope_names)
    return next((grant for grant in grants[:MOST_DIRECTORIES] if grant.covers(asked)), None)
