"""Filters by standing, with what is looked after as the one that is on when nobody chose."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

Narrowed = Callable[[Any], QuerySet[Any]]


def everything(rows: Any) -> QuerySet[Any]:
    return rows.all()  # type: ignore[no-any-return]


class StandingFilter(admin.SimpleListFilter):
    """`standings` maps a value to its words and to what it leaves of the rows; the first is on by default."""

    title = "status"
    parameter_name = "status"
    standings: ClassVar[dict[str, tuple[str, Narrowed]]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, words) for value, (words, _) in self.standings.items()]

    def value(self) -> str:
        chosen = super().value()
        return chosen if chosen in self.standings else next(iter(self.standings))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return self.standings[self.value()][1](queryset)

    def choices(self, changelist: Any) -> Iterator[Any]:
        for value, words in self.lookup_choices:
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": words,
            }


class TenantStanding(StandingFilter):
    standings: ClassVar = {
        "kept": ("Not archived", lambda rows: rows.filter(archived_at=None)),
        "active": ("Active", lambda rows: rows.live()),
        "suspended": ("Suspended", lambda rows: rows.filter(archived_at=None, suspended_at__isnull=False)),
        "archived": ("Archived", lambda rows: rows.filter(archived_at__isnull=False)),
        "all": ("All", everything),
    }


class RegistrationStanding(StandingFilter):
    standings: ClassVar = {
        "kept": ("Not archived", lambda rows: rows.filter(archived_at=None)),
        "archived": ("Archived", lambda rows: rows.filter(archived_at__isnull=False)),
        "all": ("All", everything),
    }
