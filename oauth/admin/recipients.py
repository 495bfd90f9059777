"""To whom a link can be sent for some chosen rows, by which registration; and who cannot get one, with the reason."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from oauth.models import Connection, Link
from tenants.addresses import is_address
from tenants.models import AppRegistration, Credential, ScopeSelection, Tenant

from .of_registration import is_named_to

SUSPENDED = "It is suspended. Resume it first."
ARCHIVED = "It is archived."
NO_CONTACTS = "It has no contact addresses. Enter them on its page."
SHARED = "Many tenants share it. Choose the tenants in their list, and send the link from there."
SET_UP_BY_US = "Many tenants share it, so it is for you to set up."
NOTHING_READY = "It has no registration that is ready: one with a client secret that has not ended, and with scopes."


@dataclass(frozen=True)
class Group:
    """Addresses that are offered for one tenant, or for one connection of it."""

    key: str
    tenant: Tenant
    registrations: list[AppRegistration]
    addresses: list[str]
    connection: Connection | None = None

    @property
    def name(self) -> str:
        return f"{self.connection}, {self.tenant}" if self.connection else str(self.tenant)


@dataclass(frozen=True)
class LeftOut:
    row: Any
    reason: str


Chosen = tuple[list[Group], list[LeftOut]]


def ready(registrations: QuerySet[AppRegistration]) -> QuerySet[AppRegistration]:
    """Those through which somebody could consent now."""
    secret = Credential.objects.current().filter(registration=OuterRef("pk"))
    lasts = secret.filter(Q(ends_at=None) | Q(ends_at__gt=timezone.now()))
    return registrations.filter(
        Exists(lasts), Exists(ScopeSelection.objects.filter(registration=OuterRef("pk"))), archived_at=None
    )


def chosen(kind: str, keys: list[str], user: Any) -> Chosen:
    """Of the rows of this kind with these keys, those that the user may see."""
    if kind == "tenant":
        return _of_tenants(user, keys)
    return _of_connections(user, keys) if kind == "connection" else _of_registrations(user, keys, purpose_of(kind))


def connected_among(groups: list[Group]) -> dict[str, set[str]]:
    """Of the addresses that are offered, those that are connected for that tenant already; by the group's key."""
    asked = [group for group in groups if group.connection is None]
    wanted = {address.lower() for group in asked for address in group.addresses}
    rows = Connection.objects.filter(tenant__in={group.tenant.pk for group in asked}, disconnected_at=None)
    found = set(rows.filter(address__in=wanted).values_list("tenant", "address"))
    return {
        group.key: {address for address in group.addresses if (group.tenant.pk, address.lower()) in found}
        for group in asked
    }


def purpose_of(kind: str) -> Link.Purpose:
    purposes = Link.Purpose
    others = {"connection": purposes.RECONNECT, "setup": purposes.SETUP, "secret": purposes.SECRET}
    return others.get(kind, purposes.CONSENT)


def is_key_of(kind: str, key: str) -> bool:
    try:
        return bool(UUID(key)) if kind == "connection" else key.isdecimal() and len(key) < 19
    except ValueError:
        return False


def _of_tenants(user: Any, keys: list[str]) -> Chosen:
    tenants = list(Tenant.objects.visible_to(user).filter(pk__in=keys))
    usable = ready(AppRegistration.objects.visible_to(user)).filter(Q(tenant__in=tenants) | Q(tenant=None))
    registrations = list(usable)
    groups, left_out = [], []
    for tenant in tenants:
        own = [row for row in registrations if row.tenant_id == tenant.pk]
        offered = [*own, *(row for row in registrations if row.tenant_id is None)]
        reason = _reason(tenant, offered)
        if reason:
            left_out.append(LeftOut(tenant, reason))
        else:
            groups.append(Group(f"t{tenant.pk}", tenant, offered, tenant.contact_emails))
    return groups, left_out


def _of_registrations(user: Any, keys: list[str], purpose: str) -> Chosen:
    rows = list(AppRegistration.objects.visible_to(user).filter(pk__in=keys).select_related("tenant"))
    usable = {row.pk for row in rows}
    if purpose == Link.Purpose.CONSENT:
        usable = set(ready(AppRegistration.objects.filter(pk__in=usable)).values_list("pk", flat=True))
    groups, left_out = [], []
    for row in rows:
        tenant = row.tenant
        if row.archived_at:
            left_out.append(LeftOut(row, ARCHIVED))
        elif tenant is None:
            left_out.append(LeftOut(row, SHARED if purpose == Link.Purpose.CONSENT else SET_UP_BY_US))
        elif reason := _reason(tenant, [row] if row.pk in usable else []):
            left_out.append(LeftOut(row, reason))
        else:
            groups.append(Group(f"r{row.pk}", tenant, [row], tenant.contact_emails))
    return groups, left_out


def _reason(tenant: Tenant, registrations: list[AppRegistration]) -> str:
    if tenant.archived_at:
        return ARCHIVED
    if tenant.suspended_at:
        return SUSPENDED
    if not registrations:
        return NOTHING_READY
    return "" if tenant.contact_emails else NO_CONTACTS


def _of_connections(user: Any, keys: list[str]) -> Chosen:
    rows = list(Connection.objects.visible_to(user).filter(pk__in=keys).select_related("tenant", "registration"))
    of_them = AppRegistration.objects.filter(pk__in=[row.registration_id for row in rows])
    usable = set(ready(of_them).values_list("pk", flat=True))
    groups, left_out = [], []
    for row in rows:
        reason = _reason_of_connection(row, is_ready=row.registration_id in usable)
        if reason:
            left_out.append(LeftOut(row, reason))
        else:
            groups.append(Group(f"c{row.pk.hex}", row.tenant, [row.registration], [row.address], row))
    return groups, left_out


def _reason_of_connection(row: Connection, *, is_ready: bool) -> str:
    if row.tenant.archived_at or row.registration.archived_at:
        return "Its tenant or registration is archived."
    if row.tenant.suspended_at:
        return f"{row.tenant} is suspended. Resume it first."
    if row.disconnected_at:
        return "It was disconnected on purpose. A link for it can be made on its page."
    if not is_ready:
        return "Its registration is not ready: its client secret has ended or is missing, or no scopes are ticked."
    if not is_address(row.address):
        return "Its name is no email address. A link for it can be made on its page."
    return ""


def name_for(registration: AppRegistration, user: Any) -> str:
    """As this user may read it in a choice."""
    if not is_named_to(registration, user):
        return "a shared registration"
    return str(registration) if registration.tenant_id else f"{registration} (shared)"
