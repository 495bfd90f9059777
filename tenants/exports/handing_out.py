"""The one door through which client secrets leave: asked for by a permitted person, with a reason, and recorded."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from tenants.models import AppRegistration, Event

from . import CannotExport, Dialect, Exported, export

PERMISSION = "tenants.export_secrets"
VERB = "secret exported"
LONGEST_REASON = 300


class NoReason(ValueError):
    """Secrets were asked for without saying why."""


@sensitive_variables()
def export_with_secrets(
    registrations: Iterable[AppRegistration],
    dialect: Dialect,
    *,
    by: Any,
    reason: str,
    address: str = "",
    redirect_uris: Mapping[int, str] | None = None,
) -> Exported:
    """Each of these with its client secret, once it stands in the history of each that it was handed out.

    `by` must hold PERMISSION and see every one of them, else PermissionDenied; raises NoReason without a reason.
    """
    reason = reason.strip()
    chosen = list(registrations)
    visible = AppRegistration.objects.visible_to(by).filter(pk__in=[registration.pk for registration in chosen])
    if not by.has_perm(PERMISSION) or visible.count() != len(chosen):
        raise PermissionDenied
    if not reason:
        raise NoReason("Say why the client secrets are needed.")
    found = Exported()
    with transaction.atomic():
        for registration in chosen:
            try:
                exported = export(
                    registration, dialect, secret=True, redirect_uri=(redirect_uris or {}).get(registration.pk, "")
                )
            except CannotExport as refused:
                found.refused.append(refused)
                continue
            if dialect.takes_secret:
                _record(registration, dialect, by=by, reason=reason, address=address)
            found.exports.append(exported)
    return found.joined(dialect)


def _record(registration: AppRegistration, dialect: Dialect, *, by: Any, reason: str, address: str) -> None:
    Event.objects.record(
        verb=VERB,
        subject=registration,
        tenant=registration.tenant,
        actor=by,
        changes={"exported as": [None, dialect.label]},
        reason=reason[:LONGEST_REASON],
        address=address,
    )
