"""What is ticked on a registration now, against what an account granted."""

from collections.abc import Collection

from tenants.models import AppRegistration
from tenants.scopes import CATALOGUE, missing_from

from .kinds import OURS_BY_KIND, RECONNECT, SCOPES_MISSING
from .signals import Seen

_APPROVAL = (
    f"{RECONNECT} Ordinary users may not grant all of this: the page of that link lets them ask their administrator, "
    "who has to approve first."
)


def look_at_scopes(registration: AppRegistration, ticked: Collection[str], granted: Collection[str]) -> Seen | None:
    """`scopes_missing`, if the account has not granted all that is ticked. Where nothing is known as granted, None."""
    missing = missing_from(ticked, granted) if granted else []
    if not missing:
        return None
    words = "; ".join(f"{CATALOGUE[name].sentence} ({name})" for name in missing)
    needs_admin = any(CATALOGUE[name].needs_admin for name in missing)
    return OURS_BY_KIND[SCOPES_MISSING].seen(
        actor="tenant_admin" if needs_admin else "mailbox_owner",
        what=f"Not granted, though ticked on “{registration.name}”: {words}.",
        remedy=_APPROVAL if needs_admin else RECONNECT,
    )
