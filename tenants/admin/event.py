from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join

from tenants.models import Event

from .base import ReadOnlyAdmin
from .history import lines


class SubjectFilter(admin.SimpleListFilter):
    title = "about"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = [model._meta.label_lower for model in model_admin.admin_site._registry]
        return sorted(((kind, _kind(kind)) for kind in kinds), key=lambda found: found[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(subject_type=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["at", "who", "verb", "subject", "changed_fields"]
    list_display_links = ["at"]
    list_filter = [SubjectFilter, "tenant"]
    list_select_related = ["actor", "tenant"]
    search_fields = ["subject_name", "verb", "actor__username", "tenant__name"]
    date_hierarchy = "at"
    keeps_history = False
    fields = ["at", "who", "verb", "subject", "tenant", "what_changed", "reason", "address"]

    @admin.display(description="who", ordering="actor__username")
    def who(self, event: Event) -> str:
        return str(event.actor) if event.actor else "Tenantry itself"

    @admin.display(description="about", ordering="subject_name")
    def subject(self, event: Event) -> Any:
        words = f"{event.subject_name} ({_kind(event.subject_type)})"
        try:
            url = reverse(f"admin:{event.subject_type.replace('.', '_')}_change", args=[quote(event.subject_id)])
        except NoReverseMatch:
            return words
        return format_html('<a href="{}">{}</a>', url, words)

    @admin.display(description="changed")
    def changed_fields(self, event: Event) -> str:
        return ", ".join(line.label for line in lines(event)) or "-"

    @admin.display(description="changes")
    def what_changed(self, event: Event) -> Any:
        return (
            format_html_join(
                "",
                '<div class="change">{}: {}</div>',
                ((line.label, f"{line.old} → {line.new}" if line.new else "changed") for line in lines(event)),
            )
            or "-"
        )


def _kind(label: str) -> str:
    """A model's name for people; its bare label where there is no such model any more."""
    try:
        return str(apps.get_model(label)._meta.verbose_name)
    except (LookupError, ValueError):
        return label
