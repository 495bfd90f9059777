"""Exports: registrations written down for what uses them, one module for each dialect.

`export()` leaves client secrets out. `handing_out.export_with_secrets()` is the one door through which they leave.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import QuerySet

from tenants.models import AppRegistration
from tenants.models.credential import LEFT_OUT

from .aurinko import AURINKO
from .compose import COMPOSE
from .csv import CSV
from .cypht import CYPHT
from .env import ENV
from .export import CannotExport, Dialect, Export, File
from .json import JSON
from .registering import REGISTERING
from .values import values_of

__all__ = [
    "DIALECTS",
    "LEFT_OUT",
    "CannotExport",
    "Dialect",
    "Export",
    "Exported",
    "File",
    "export",
    "export_many",
    "exportable",
    "loaded",
]

DIALECTS: dict[str, Dialect] = {
    dialect.key: dialect for dialect in (CYPHT, AURINKO, ENV, JSON, CSV, COMPOSE, *REGISTERING)
}


@dataclass
class Exported:
    """What came of several: the exports, and why some registrations have none."""

    exports: list[Export] = field(default_factory=list)
    refused: list[CannotExport] = field(default_factory=list)

    @property
    def files(self) -> list[File]:
        return [file for each in self.exports for file in each.files]

    def joined(self, dialect: Dialect) -> "Exported":
        """In one document, where the dialect has one for many."""
        if dialect.together is None or len(self.exports) < 2:
            return self
        return Exported([dialect.together(self.exports)], self.refused)


def exportable(registrations: QuerySet[AppRegistration]) -> QuerySet[AppRegistration]:
    """Those that are not archived, loaded."""
    return loaded(registrations.filter(archived_at=None, tenant__archived_at=None))


def loaded(registrations: QuerySet[AppRegistration]) -> QuerySet[AppRegistration]:
    """These with all that is written down of them, in few queries."""
    return registrations.select_related("tenant").prefetch_related("redirect_uris", "scope_selections", "credentials")


def export(registration: AppRegistration, dialect: Dialect, *, secret: bool = False, redirect_uri: str = "") -> Export:
    """One registration in this dialect. Raises CannotExport.

    With `secret` its client secret is in it: only `export_with_secrets()` may ask for that, which records it.
    """
    values = values_of(
        registration,
        of_registered=dialect.of_registered,
        with_secret=secret and dialect.takes_secret,
        chosen_uri=redirect_uri if dialect.takes_redirect_uri else "",
    )
    return dialect.write(values)


def export_many(
    registrations: Iterable[AppRegistration], dialect: Dialect, *, redirect_uris: Mapping[int, str] | None = None
) -> Exported:
    """Each of these without its client secret; `redirect_uris` by primary key, where one was chosen among several."""
    found = Exported()
    for registration in registrations:
        try:
            found.exports.append(
                export(registration, dialect, redirect_uri=(redirect_uris or {}).get(registration.pk, ""))
            )
        except CannotExport as refused:
            found.refused.append(refused)
    return found.joined(dialect)
