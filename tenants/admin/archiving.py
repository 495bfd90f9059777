"""Archiving and disconnecting: what is over is kept to be read, and what it held that opens anything is shredded."""

from django.db.models import Q, QuerySet
from django.utils import timezone

from monitoring.models import Finding
from oauth.models import Connection, Link
from tenants.models import AppRegistration, Credential, Tenant

CONSEQUENCES = [
    "Consent links stop working at once.",
    "Stored refresh tokens and client secrets are shredded here; at Microsoft they stay valid until removed there.",
    "Nothing is checked any more, and open findings are closed.",
    "Everything else stays to be read. This cannot be undone.",
]


def archive_tenants(tenants: QuerySet[Tenant]) -> None:
    keys = list(tenants.values_list("pk", flat=True))
    archive_registrations(AppRegistration.objects.filter(tenant__in=keys))
    _shred(Q(tenant__in=keys))  # also what it has of shared registrations
    tenants.filter(archived_at=None).update(archived_at=timezone.now())


def archive_registrations(registrations: QuerySet[AppRegistration]) -> None:
    keys = list(registrations.values_list("pk", flat=True))
    of_them = Q(registration__in=keys)
    _shred(of_them)
    Finding.objects.open().filter(of_them | Q(credential__registration__in=keys)).update(resolved_at=timezone.now())
    Credential.objects.filter(of_them).update(value=None, slot="")
    registrations.filter(archived_at=None).update(archived_at=timezone.now())


def _shred(of_them: Q) -> None:
    """Links and connections of these, and the findings about those connections."""
    Link.objects.filter(of_them).revoke()
    Connection.objects.filter(of_them).disconnect()
