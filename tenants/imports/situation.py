"""What the rows of an import meet: the tenants and registrations that its user sees, and each other."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, TypeVar

from django.db.models import Prefetch

from tenants import clouds
from tenants.models import AppRegistration, Credential, Import, Tenant
from tenants.models.registration import as_guid

AT_ONCE = 500
Cells = dict[str, Any]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Stored:
    """What is stored under a cloud and client ID; of what the user does not see, only that it is there."""

    pk: int
    tenant_id: int | None
    name: str
    is_visible: bool


class Situation:
    """As it is while this exists, for the user who uploaded: make a new one to see what has changed."""

    def __init__(self, upload: Import) -> None:
        self.user = type(upload.created_by).objects.get(pk=upload.created_by_id)
        self.is_env = upload.kind == Import.Kind.ENV
        self.sees_platform = bool(self.user.has_perm("staff.view_platform"))
        self.may_add = bool(self.user.has_perm("tenants.add_appregistration"))
        self.may_change = bool(self.user.has_perm("tenants.change_appregistration"))
        self._clouds = {
            word.lower(): key for key, cloud in clouds.clouds().items() for word in (cloud.name, key)
        }  # a key counts before a name
        tenants = Tenant.objects.visible_to(self.user).filter(archived_at=None)
        self.tenants = {tenant.pk: tenant for tenant in tenants.only("pk", "name", "slug", "suspended_at")}
        self._tenants = {tenant.name.casefold(): tenant for tenant in self.tenants.values()}
        self._tenants |= {tenant.slug.casefold(): tenant for tenant in self.tenants.values()}  # unique, so it counts
        rows = list(upload.rows.order_by("number").values_list("number", "cells"))
        self._stored = self._stored_under({key for _, cells in rows if (key := self.key_of(cells))})
        self._named = _stored_names({cells["name"] for _, cells in rows if cells.get("name")})
        self._first_with_key: dict[tuple[str, str], int] = {}
        self._first_with_name: dict[tuple[int, str], int] = {}
        for number, cells in rows:
            self._note_first(number, cells)

    # What a cell means

    def cloud_named(self, word: str) -> str | None:
        """The key of the cloud of this key or name; an empty word is the worldwide one."""
        return self._clouds.get(word.strip().lower()) if word.strip() else "global"

    def tenant_named(self, word: str) -> Tenant | None:
        """The tenant of this name or short name, if the user sees it and it is not archived."""
        return self._tenants.get(word.strip().casefold())

    def key_of(self, cells: Cells) -> tuple[str, str] | None:
        """Cloud and client ID, by which a row is met; None where it names none, or none that can be."""
        cloud, client_id = self.cloud_named(cells.get("cloud", "")), as_guid(cells.get("client_id", ""))
        return (cloud, client_id) if cloud and client_id else None

    # What a row meets

    def stored_for(self, cells: Cells) -> Stored | None:
        """What the row changes, if there is such and the user sees it."""
        key = self.key_of(cells)
        stored = self._stored.get(key) if key else None
        return stored if stored and stored.is_visible else None

    def is_taken(self, cells: Cells) -> bool:
        """Is the row's client ID another's, of whom the user may not know?"""
        key = self.key_of(cells)
        return key in self._stored and not self._stored[key].is_visible

    def may_clash(self, cells: Cells, registration: AppRegistration) -> bool:
        """Could a constraint of the database refuse this? To ask it about each row would take most of the time."""
        named = self._named.get((registration.tenant_id, registration.name), set())
        return self.is_taken(cells) or bool(named - {registration.pk})

    def earlier_with_key(self, number: int, cells: Cells) -> int | None:
        """The row before this one that is about the same registration."""
        key = self.key_of(cells)
        first = self._first_with_key.get(key, number) if key else number
        return first if first < number else None

    def earlier_with_name(self, number: int, tenant_id: int | None, name: str) -> int | None:
        """The row before this one that has the same name for the same tenant."""
        first = self._first_with_name.get((tenant_id, name), number) if tenant_id else number
        return first if first < number else None

    def _note_first(self, number: int, cells: Cells) -> None:
        key, stored = self.key_of(cells), self.stored_for(cells)
        if key:
            self._first_with_key.setdefault(key, number)
        tenant = self.tenant_named(cells.get("tenant", ""))
        tenant_id = stored.tenant_id if stored else (tenant.pk if tenant else None)
        name = stored.name if stored and (self.is_env or "name" not in cells) else cells.get("name", "")
        if tenant_id and name:
            self._first_with_name.setdefault((tenant_id, name), number)

    def _stored_under(self, keys: set[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        found: dict[tuple[str, str], Stored] = {}
        for some in in_batches(sorted({client_id for _, client_id in keys})):
            rows = AppRegistration.objects.filter(archived_at=None, client_id__in=some)
            visible = set(rows.visible_to(self.user).values_list("pk", flat=True))
            for pk, cloud, client_id, tenant_id, name in rows.values_list(
                "pk", "cloud", "client_id", "tenant_id", "name"
            ):
                found[cloud, client_id] = Stored(pk, tenant_id, name, pk in visible)
        return found


def _stored_names(names: set[str]) -> dict[tuple[int | None, str], set[int]]:
    found: dict[tuple[int | None, str], set[int]] = {}
    for some in in_batches(sorted(names)):
        rows = AppRegistration.objects.filter(archived_at=None, name__in=some)
        for pk, tenant_id, name in rows.values_list("pk", "tenant_id", "name"):
            found.setdefault((tenant_id, name), set()).add(pk)
    return found


def in_batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """As many at once as one statement takes on every database."""
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]


def load(pks: Iterable[int]) -> dict[int, AppRegistration]:
    """These registrations with their tenants and all an import compares, by primary key."""
    current = Prefetch("credentials", Credential.objects.current(), to_attr="current_secrets")
    rows = AppRegistration.objects.filter(pk__in=list(pks)).select_related("tenant")
    found = {row.pk: row for row in rows.prefetch_related("scope_selections", "redirect_uris", current)}
    for row in found.values():
        row.__dict__["stored_lists"] = stored_lists(row)
        row._prefetched_objects_cache.clear()  # type: ignore[attr-defined]  # a copy of the row would ask for them anew
    return found


def stored_lists(registration: AppRegistration) -> dict[str, list[str]]:
    """Scopes and addresses that are stored for one that was loaded here; none for a new one."""
    if registration.pk is None:
        return {"scopes": [], "product_uris": [], "return_urls": []}
    kept: dict[str, list[str]] | None = registration.__dict__.get("stored_lists")
    return kept or {
        "scopes": registration.scope_names,
        "product_uris": sorted(registration.product_uris),  # databases differ in their order
        "return_urls": sorted(registration.return_urls),
    }


def secret_of(registration: AppRegistration) -> Credential | None:
    """The current client secret of one that was loaded here; None for a new one."""
    return next(iter(getattr(registration, "current_secrets", ())), None)


def end_of(registration: AppRegistration) -> str:
    """The day on which its current secret ends, as it is typed; empty where that is not known."""
    secret = secret_of(registration)
    return secret.ends_at.astimezone(UTC).date().isoformat() if secret and secret.ends_at else ""


def state_of(registration: AppRegistration) -> str:
    """Stands for all that an import may compare or change in a registration that was loaded here."""
    columns = ("tenant_id", "name", "cloud", "audience", "directory", "client_id", "alert_emails", "archived_at")
    secret = secret_of(registration)
    state = [
        *(getattr(registration, name) for name in columns),
        stored_lists(registration),
        [secret.pk, secret.ends_at] if secret else [],
    ]
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()
