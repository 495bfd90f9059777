"""What the list of findings can be narrowed to."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from monitoring.models import Finding
from tenants.admin.standing import StandingFilter, everything
from tenants.models import AppRegistration


class FindingStanding(StandingFilter):
    standings: ClassVar = {
        "open": ("Open", lambda rows: rows.open()),
        "unacknowledged": ("Unacknowledged", lambda rows: rows.unacknowledged()),
        "acknowledged": ("Acknowledged", lambda rows: rows.acknowledged()),
        "snoozed": ("Snoozed", lambda rows: rows.snoozed()),
        "resolved": ("Resolved", lambda rows: rows.resolved()),
        "all": ("All", everything),
    }


class KindFilter(admin.SimpleListFilter):
    """Offers the kinds there are among what the user may see."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = Finding.objects.visible_to(request.user).order_by("kind").values_list("kind", flat=True).distinct()
        return [(kind, kind.replace("_", " ").capitalize()) for kind in kinds]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class AboutFilter(admin.SimpleListFilter):
    """Findings that concern one registration, as its page links to them; offered only where one was asked for."""

    title = "registration"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        key = str(self.used_parameters.get(self.parameter_name, ""))
        if not key.isdecimal():
            return []
        return [(str(row.pk), str(row)) for row in AppRegistration.objects.visible_to(request.user).filter(pk=key)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        key = self.value()
        if key is None:
            return queryset
        return queryset.filter(Q(registration=key) | Q(credential__registration=key) | Q(connection__registration=key))
