"""Archiving and disconnecting: what is over is kept to be read, and what it held that opens anything is shredded.

First it is held and marked, then shredded: so whoever was still writing is done, and whoever comes later finds it over.
"""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from monitoring.models import Finding
from oauth.models import Connection, Link
from tenants.holding import hold
from tenants.models import AppRegistration, Credential, Tenant

CONSEQUENCES = [
    "Consent links stop working at once.",
    "Stored refresh tokens and client secrets are shredded here; at Microsoft they stay valid until removed there.",
    "Nothing is checked any more, and open findings are closed.",
    "Everything else stays to be read. This cannot be undone.",
]


@transaction.atomic
def archive_tenants(tenants: QuerySet[Tenant]) -> None:
    keys = list(tenants.values_list("pk", flat=True))
    rows, of_them = Tenant.objects.filter(pk__in=keys), Q(tenant__in=keys)
    _hold_links(of_them)
    hold(rows)
    rows.filter(archived_at=None).update(archived_at=timezone.now())
    # What an import was still writing for them stands by now.
    archive_registrations(AppRegistration.objects.filter(of_them))
    _shred(of_them)  # also what they have of shared registrations


@transaction.atomic
def archive_registrations(registrations: QuerySet[AppRegistration]) -> None:
    keys = list(registrations.values_list("pk", flat=True))
    rows, of_them = AppRegistration.objects.filter(pk__in=keys), Q(registration__in=keys)
    _hold_links(of_them)
    hold(rows)
    rows.filter(archived_at=None).update(archived_at=timezone.now())
    _shred(of_them)
    Finding.objects.open().filter(of_them | Q(credential__registration__in=keys)).update(resolved_at=timezone.now())
    Credential.objects.filter(of_them).update(value=None, slot="")


def _hold_links(of_them: Q) -> None:
    hold(Link.objects.filter(of_them).exclude(purpose=Link.Purpose.DISCONNECT).only("pk"))


def _shred(of_them: Q) -> None:
    """Links and connections of these, and the findings about those connections."""
    Connection.objects.filter(of_them).disconnect()
    Link.objects.filter(of_them).revoke()
