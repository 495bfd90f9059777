"""Whose rows a page may show: the one gate that every admin, inline, choice and filter goes through."""

from typing import Any, ClassVar

from django.contrib.admin import FieldListFilter, RelatedFieldListFilter
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect, RelatedFieldWidgetWrapper
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

# Django's own models cannot learn visible_to; both say what staff may do, which is for superusers.
FOR_SUPERUSERS = {"auth.group", "auth.permission"}
MOST_CHOICES_IN_A_FILTER = 50


def visible_rows(model: type[Model], user: Any) -> QuerySet[Any]:
    """The model's rows that this user may see. Raises ImproperlyConfigured where nobody could say which those are."""
    refuse_unscoped(model)
    return _visible(model._default_manager.get_queryset(), user)


def _visible(rows: Any, user: Any) -> QuerySet[Any]:
    visible: QuerySet[Any]
    if rows.model._meta.label_lower in FOR_SUPERUSERS:
        visible = rows if user.is_active and user.is_superuser else rows.none()
    else:
        visible = rows.visible_to(user)
    return visible


def refuse_unscoped(model: type[Model]) -> None:
    if model._meta.label_lower not in FOR_SUPERUSERS and not hasattr(
        model._default_manager.get_queryset(), "visible_to"
    ):
        raise ImproperlyConfigured(
            f"{model._meta.label} has no visible_to(user): give its queryset one, or all operators would see all of it."
        )


class VisibleOnlyFieldListFilter(RelatedFieldListFilter):
    """Names only what the user may see; of very many, only the one that is chosen (the search finds the others)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.empty_value_display = SafeString("None")

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        rows = visible_rows(field.related_model, request.user)
        ordering = self.field_admin_ordering(field, request, model_admin)
        shown = list((rows.order_by(*ordering) if ordering else rows)[: MOST_CHOICES_IN_A_FILTER + 1])
        if len(shown) > MOST_CHOICES_IN_A_FILTER:
            try:
                shown = list(rows.filter(pk__in=self.lookup_val or []))
            except (ValueError, ValidationError):
                shown = []
        return [(row.pk, str(row)) for row in shown]


# Django's own would name other tenants' customers in every filter that somebody forgets to name a class for.
FieldListFilter.register(lambda field: bool(field.remote_field), VisibleOnlyFieldListFilter, take_priority=True)


class SearchingSelect(AutocompleteSelect):
    """Django's, but text that is no key selects nothing instead of raising."""

    def optgroups(self, name: str, value: Any, attrs: dict[str, Any] | None = None) -> Any:
        target = self.field.target_field
        return super().optgroups(name, [key for key in value if is_key(target, key)], attrs)


def is_key(column: Any, text: Any) -> bool:
    """Could this be a value of this key column, or would asking the database for it raise?"""
    try:
        column.run_validators(column.to_python(text))
    except (ValueError, ValidationError):
        return False
    return True


def _not_archived(rows: QuerySet[Any]) -> QuerySet[Any]:
    is_archivable = any(column.name == "archived_at" for column in rows.model._meta.fields)
    return rows.filter(archived_at=None) if is_archivable else rows


class Suggestions(AutocompleteJsonView):
    """What an autocompleting box may offer: what the admin of those rows shows this user, and what is not archived."""

    def process_request(self, request: HttpRequest) -> Any:
        term, model_admin, source_field, to_field_name = super().process_request(request)  # type: ignore[misc]
        if not source_field.concrete:  # the other end of a foreign key, which Django stumbles over
            raise PermissionDenied
        return term.replace("\x00", ""), model_admin, source_field, to_field_name

    def get_queryset(self) -> QuerySet[Any]:
        return _not_archived(super().get_queryset())


class ScopedChoices:
    """For admins and inlines: foreign keys and many-to-many fields offer visible rows only, in plain boxes."""

    admin_site: Any
    autocomplete_fields: ClassVar[Any]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = _not_archived(visible_rows(db_field.related_model, request.user))
        if db_field.name in self.autocomplete_fields:
            kwargs["widget"] = SearchingSelect(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = visible_rows(db_field.related_model, request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        formfield = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if formfield and isinstance(formfield.widget, RelatedFieldWidgetWrapper):
            for icon in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
                setattr(formfield.widget, icon, False)  # they edit another object in a pop-up window
        return formfield

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return _visible(super().get_queryset(request), request.user)  # type: ignore[misc]
