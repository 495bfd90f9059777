"""What Microsoft would refuse of a row once it is written: lint, on the registration as it is planned."""

from tenants.lint import REFUSED, lint
from tenants.models import AppRegistration, RedirectURI, ScopeSelection

from .cells import wanted
from .situation import stored_lists

MOST_TOLD = 5
COLUMNS = ("name", "cloud", "audience", "directory", "client_id")


def refused(registration: AppRegistration) -> list[str]:
    """A sentence for each, of one with the row's values in it; of secrets the difference itself tells. No queries."""
    told = [
        f"Microsoft would refuse it{f' ({hint.codes})' if hint.codes else ''}: {hint.seen} {hint.rule.fix}"
        for hint in lint(_as_planned(registration))
        if hint.rule.level == REFUSED and hint.rule.field != "secret"
    ]
    more = len(told) - MOST_TOLD
    return told if more <= 0 else [*told[:MOST_TOLD], f"Microsoft would refuse {more} more of its values."]


def _as_planned(registration: AppRegistration) -> AppRegistration:
    """It is never saved: its key and its related rows are there so that lint asks the database for nothing."""
    lists = {**stored_lists(registration), **wanted(registration)}
    planned = AppRegistration(
        pk=registration.pk or 0,
        tenant=registration.tenant,
        **{name: getattr(registration, name) for name in COLUMNS},
    )
    planned._prefetched_objects_cache = {  # type: ignore[attr-defined]
        "scope_selections": [ScopeSelection(scope=name) for name in lists["scopes"]],
        "redirect_uris": [RedirectURI(use=RedirectURI.Use.PRODUCT, uri=uri) for uri in lists["product_uris"]],
        "credentials": [],
    }
    return planned
