"""How far a registration has come on its way to a working consent, as far as Tenantry knows."""

from tenants.models import AppRegistration
from tenants.models.registration import as_guid
from tenants.scopes import permissions_for
from tenants.setup.steps import Known

from .models import AdminGrant, Verification
from .report import FAILED, NOT_YET, OK


def known_of(registration: AppRegistration) -> Known:
    """What ticks the steps of its setup."""
    seen = _seen_in_entra(registration)
    return Known(
        registered=bool(registration.client_id),
        uris=seen.get("redirect_uris"),
        permissions=seen.get("permissions"),
        consent=True if _is_approved(registration) else seen.get("consent"),
        secret=registration.credentials.current().exists(),
        verified=registration.credentials.current().filter(worked_at__isnull=False).exists(),
    )


def _seen_in_entra(registration: AppRegistration) -> dict[str, bool]:
    """Of each step that was last seen of this application and came to a verdict, whether it was well."""
    finished = Verification.objects.filter(
        registration=registration, client_id=registration.client_id, finished_at__isnull=False
    )
    # A nightly comparison leaves the administrator's consent out.
    last = (finished.first(), finished.filter(kind=Verification.Kind.WHOLE).first())
    seen: dict[str, bool] = {}
    for step in (step for one in last if one for step in one.steps):
        if step["state"] in (OK, FAILED, NOT_YET):
            seen.setdefault(step["key"], step["state"] == OK)
    return seen


def _is_approved(registration: AppRegistration) -> bool:
    """Whether its own directory has approved all that is ticked, and more than a browser said so."""
    if not (registration.client_id and as_guid(registration.directory) and registration.scope_names):
        return False
    grants = AdminGrant.objects.filter(
        registration=registration, client_id=registration.client_id, tid=registration.directory, doubted_at=None
    ).exclude(status=AdminGrant.Status.REPORTED)
    return any(grant.covers(permissions_for(registration.scope_names)) for grant in grants)
