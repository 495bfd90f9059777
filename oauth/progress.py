"""How far a registration has come on its way to a working consent, as far as Tenantry knows."""

from tenants.models import AppRegistration
from tenants.models.registration import as_guid
from tenants.scopes import permissions_for
from tenants.setup.steps import Known

from .in_entra import InEntra, compare
from .models import AdminGrant, Verification
from .report import CONSENT, NOT_YET, OK


def progress_of(registration: AppRegistration) -> Known:
    """What ticks the steps of its setup."""
    current = registration.credentials.current().first()
    last = Verification.objects.last_read(registration)
    there = InEntra.of(last.in_entra) if last else None
    own, *others = registration.uris_to_register
    permissions = _is_same(registration, there, "permissions") if registration.scope_names else None
    return Known(
        registered=bool(registration.client_id),
        audience=_is_same(registration, there, "audience"),
        own_uri=own in there.redirect_uris if there else None,
        other_uris={*others} <= {*there.redirect_uris} if there else None,
        permissions=permissions,
        # What was approved before more was ticked tells nothing of that.
        consent=_is_approved(registration) or (None if permissions is False else _was_approved(registration)),
        secret=current is not None,
        verified=current is not None and current.worked_at is not None,
    )


def _is_same(registration: AppRegistration, there: InEntra | None, key: str) -> bool | None:
    """Does this property stand in Entra, as that was last read, as it stands here now?"""
    if there is None:
        return None
    return next(each.sameness != "different" for each in compare(registration, None, there) if each.key == key)


def _was_approved(registration: AppRegistration) -> bool | None:
    """As the last verification that read the directory's list of approvals saw it."""
    finished = Verification.objects.filter(
        registration=registration, client_id=registration.client_id, finished_at__isnull=False
    )
    # A nightly comparison leaves this out.
    last = finished.filter(kind=Verification.Kind.WHOLE).first()
    states = {step["key"]: step["state"] for step in last.steps} if last else {}
    return {OK: True, NOT_YET: False}.get(states.get(CONSENT, ""))


def _is_approved(registration: AppRegistration) -> bool:
    """Whether its own directory has approved all that is ticked, and more than a browser said so."""
    if not (registration.client_id and as_guid(registration.directory) and registration.scope_names):
        return False
    grants = AdminGrant.objects.filter(
        registration=registration, client_id=registration.client_id, tid=registration.directory, doubted_at=None
    ).exclude(status=AdminGrant.Status.REPORTED)
    return any(grant.covers(permissions_for(registration.scope_names)) for grant in grants)
