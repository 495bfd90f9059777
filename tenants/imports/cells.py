"""What one cell may say and what it comes to: django-import-export's widgets and fields for our columns.

A widget raises ValueError with the sentence a person reads. What does not stand in a column of the registration itself
(scopes, addresses, the secret) is kept in the instance's `wanted` until it is written.
"""

import re
from datetime import date
from hmac import compare_digest
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from import_export.fields import Field
from import_export.widgets import Widget

from tenants import clouds, scopes
from tenants.fields import Sealed, SecretUnreadable
from tenants.models import AppRegistration, Tenant
from tenants.models.credential import check_secret_value
from tenants.models.registration import as_guid
from tenants.redirect_uris import problem_with

from .columns import ENDS_ON, SECRET
from .reading import parts_of
from .situation import Situation, end_of, secret_of, stored_lists

Audience = AppRegistration.Audience
LONGEST_SECRET = 400
NEW_SECRET = "new secret"  # noqa: S105  the words of the preview

_BETWEEN_WORDS = r"[\s,;]+"
_BETWEEN_ADDRESSES = r"[,;]?\s+|[,;](?=https?://)"  # a comma or semicolon alone may be part of an address


def _squeezed(words: str) -> str:
    return re.sub(r"[^a-z]", "", words.lower())


_SHORT = {
    Audience.MY_ORG: ("single", "single tenant"),
    Audience.MULTIPLE_ORGS: ("multi", "multitenant", "multiple", "organizations"),
    Audience.ANY: ("any", "all", "common", "multitenant and personal"),
    Audience.PERSONAL: ("personal", "consumers"),
}
AUDIENCES = {
    _squeezed(words): audience
    for audience in Audience
    for words in (audience.value, audience.label, audience.label.partition("(Single")[0], *_SHORT[audience])
}


class TenantCell(Widget):  # type: ignore[misc]  # the library has no types
    def __init__(self, situation: Situation) -> None:
        self.situation = situation

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Tenant | None:
        if not value:
            if self.situation.sees_platform:
                return None
            raise ValueError("Name the tenant. Only who sees what belongs to no tenant may leave it empty.")
        tenant = self.situation.tenant_named(value)
        if tenant is None:
            raise ValueError(
                "Unknown tenant. Write its name or short name as the list of tenants shows it, or ask a superuser "
                "to give it to you."
            )
        return tenant


class NameCell(Widget):  # type: ignore[misc]
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> str:
        if not value:
            raise ValueError("Give it the name it has in Entra.")
        return value


class CloudCell(Widget):  # type: ignore[misc]
    def __init__(self, situation: Situation) -> None:
        self.situation = situation

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> str:
        cloud = self.situation.cloud_named(value)
        if cloud is None:
            raise ValueError(f"This cloud is not configured here. Known are: {', '.join(clouds.clouds())}.")
        return cloud


class AudienceCell(Widget):  # type: ignore[misc]
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> str | None:
        if not value:
            return None
        if _squeezed(value) not in AUDIENCES:
            raise ValueError(
                f"These are no supported account types. Write single, multi, any or personal, or one of "
                f"{', '.join(Audience.values)}."
            )
        return AUDIENCES[_squeezed(value)].value


class IdentifierCell(Widget):  # type: ignore[misc]
    """A GUID, with or without the braces that are copied along; whatever else it is, the model looks at."""

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> str:
        return as_guid(value) or value


class ScopesCell(Widget):  # type: ignore[misc]
    def clean(self, value: str | list[str], row: Any = None, **kwargs: Any) -> list[str]:
        names = {scopes.scope_named(word).name for word in parts_of(value, _BETWEEN_WORDS)}
        scopes.family_of(names)
        return [name for name in scopes.CATALOGUE if name in names]


class URIsCell(Widget):  # type: ignore[misc]
    def clean(self, value: str | list[str], row: Any = None, **kwargs: Any) -> list[str]:
        uris = list(parts_of(value, _BETWEEN_ADDRESSES))
        for place, uri in enumerate(uris, start=1):
            if problem := problem_with(uri):
                raise ValueError(f"Address {place}: {problem}.")
        return sorted(uris)


class AddressesCell(Widget):  # type: ignore[misc]
    def clean(self, value: str | list[str], row: Any = None, **kwargs: Any) -> list[str]:
        return list(parts_of(value, _BETWEEN_WORDS))


class DayCell(Widget):  # type: ignore[misc]
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> str:
        if not value:
            return ""
        try:
            day = date.fromisoformat(value) if len(value) == 10 else None
        except ValueError:
            day = None
        if day is None:
            raise ValueError("This is not a day. Write it as year-month-day, for example 2027-01-31.")
        if not is_to_come(day):
            raise ValueError("A secret that ends on this day has ended already: make a new one in Entra.")
        return day.isoformat()


def is_to_come(day: date) -> bool:
    """Does this day, which counts from its start in UTC, lie ahead?"""
    return day > timezone.now().astimezone(timezone.get_fixed_timezone(0)).date()


def wanted(registration: AppRegistration) -> dict[str, Any]:
    """What a row wants beside the columns of the registration: lists, and of the secret that there is a new one."""
    found: dict[str, Any] = registration.__dict__.setdefault("wanted", {})
    return found


class TenantField(Field):  # type: ignore[misc]
    def save(self, instance: AppRegistration, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        tenant = self.clean(row, **kwargs)
        if instance.pk and (tenant.pk if tenant else None) != instance.tenant_id:
            raise ValueError(
                f"This registration is {f'of “{instance.tenant}”' if instance.tenant else 'shared'}, and never moves "
                "to another tenant. Correct the tenant or the client ID."
            )
        instance.tenant = tenant


class ListField(Field):  # type: ignore[misc]
    """Scopes or addresses. `adds`: what is stored stays, too."""

    adds = False

    def get_value(self, instance: AppRegistration) -> list[str]:
        found: list[str] = wanted(instance).get(self.attribute, stored_lists(instance)[self.attribute])
        return found

    def save(self, instance: AppRegistration, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        named = self.clean(row, **kwargs)
        stored = stored_lists(instance)[self.attribute] if self.adds else []
        wanted(instance)[self.attribute] = sorted({*stored, *named}) if self.adds else named


class SecretField(Field):  # type: ignore[misc]
    """Never the value: only that there is a new one. An export's placeholder keeps what is stored, as nothing does."""

    def get_value(self, instance: AppRegistration) -> str:
        return wanted(instance).get(SECRET, "")  # type: ignore[no-any-return]

    @sensitive_variables()
    def save(self, instance: AppRegistration, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        sealed = row[SECRET]
        if not isinstance(sealed, Sealed):
            return
        value = sealed.reveal("checking a row of an import")
        if len(value) > LONGEST_SECRET:
            raise ValueError("This is too long to be a client secret; copy the Value alone.")
        check_secret_value(value)
        if not _is_stored(instance, value):
            wanted(instance)[SECRET] = NEW_SECRET


@sensitive_variables()
def _is_stored(instance: AppRegistration, value: str) -> bool:
    current = secret_of(instance)
    if current is None or current.value is None:
        return False
    try:
        stored = current.value.reveal("seeing whether an import brings the same")
    except SecretUnreadable:
        return False
    return compare_digest(stored.encode(), value.encode())


class EndField(Field):  # type: ignore[misc]
    def get_value(self, instance: AppRegistration) -> str:
        return wanted(instance).get(ENDS_ON, end_of(instance))  # type: ignore[no-any-return]

    def save(self, instance: AppRegistration, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        if SECRET not in wanted(instance) and row[ENDS_ON] == end_of(instance):
            return  # also where that day is over
        day = self.clean(row, **kwargs)
        if day or SECRET in wanted(instance):
            wanted(instance)[ENDS_ON] = day
