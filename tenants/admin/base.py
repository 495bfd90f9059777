"""What every admin of ours stands on: visible rows only, no sealed columns, history in Events, actions as buttons."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import NotRelationField, get_fields_from_path, quote, unquote
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.core.exceptions import (
    FieldDoesNotExist,
    ImproperlyConfigured,
    PermissionDenied,
    ValidationError,
)
from django.db import DataError, IntegrityError, models, transaction
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.text import capfirst

from tenants.fields import SealedField
from tenants.models import Event

from . import history
from .pages import Button, Page
from .scoping import ScopedChoices, is_key, refuse_unscoped

MOST_AT_ONCE = 100

# What the filters and date hierarchies of our lists ask by. Django would let an address name any lookup.
ASKED_BY_FILTERS = {"exact", "isnull", "gte", "lt", "year", "month", "day"}


def at_once(request: HttpRequest, rows: Any, otherwise: str = "") -> list[Any] | None:
    """These; None where they are more than one press takes, of which the person has then been told."""
    few = list(rows[: MOST_AT_ONCE + 1])
    if len(few) <= MOST_AT_ONCE:
        return few
    messages.warning(request, f"Choose at most {MOST_AT_ONCE} at a time{otherwise}.")
    return None


class TenantScopedAdmin(ScopedChoices, admin.ModelAdmin):
    """Shows a staff user only the rows of tenants they look after, and lets nobody delete any.

    Every queryset behind such a model must offer visible_to(user); list pages, direct URLs, autocompletes, choices,
    filters and actions all go through it. `unsearchable` names columns nobody may filter by, besides sealed ones.
    """

    page_actions: ClassVar[tuple[str, ...]] = ()  # actions that are also buttons on an object's page
    unsearchable: ClassVar[frozenset[str]] = frozenset()
    keeps_history = True  # False where nothing is ever recorded about the row itself
    list_per_page = 50
    view_on_site = False
    show_full_result_count = False

    def __init__(self, model: type[models.Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        refuse_unscoped(model)
        named = {*self.list_display, *self.search_fields, *(f for f in self.list_filter if isinstance(f, str))}
        if sealed := sorted(name for name in map(str, named) if self._is_hidden(name)):
            raise ImproperlyConfigured(f"{type(self).__name__} shows or searches {', '.join(sealed)}, which is secret.")

    # Permissions

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """May this user press buttons here, also where the page itself is read-only?"""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    # Lists

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        *path, last = lookup.split(LOOKUP_SEP)
        if path and last not in ASKED_BY_FILTERS and not self._is_column(lookup):
            return False  # a range of one or a broken regex would end as a 500
        return not self._is_hidden(lookup) and super().lookup_allowed(lookup, value, request)

    def _is_column(self, lookup: str) -> bool:
        try:
            return bool(get_fields_from_path(self.model, lookup))
        except (FieldDoesNotExist, NotRelationField):
            return False

    def _is_hidden(self, lookup: str) -> bool:
        """Does this path of names lead through a column that must not be asked about?"""
        model: Any = self.model
        for name in lookup.lstrip("^=@-").split(LOOKUP_SEP):
            try:
                found = model._meta.get_field(model._meta.pk.name if name == "pk" else name)
            except FieldDoesNotExist:
                return False
            if isinstance(found, SealedField) or (model is self.model and name in self.unsearchable):
                return True
            if found.related_model is None:
                return False
            model = found.related_model
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        nonsense = HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
        if "\x00" in "".join(value for values in request.GET.lists() for value in values[1]):
            return nonsense  # PostgreSQL takes no such text
        try:
            return super().changelist_view(request, extra_context)
        except (OverflowError, ValueError, DataError):
            if not request.GET:
                raise
            return nonsense  # a year of 100,000, an address that is none: the database or Python met it first

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        try:
            return super().get_changelist_instance(request)
        except ValidationError as problem:
            raise IncorrectLookupParameters(problem) from problem

    def response_action(self, request: HttpRequest, queryset: Any) -> Any:
        if not all(is_key(self.opts.pk, key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            self.message_user(request, "Choose rows of this list.", messages.WARNING)
            return HttpResponseRedirect(request.path)
        with transaction.atomic():
            return super().response_action(request, queryset)

    # Pages of one object

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address proposes for the add form; of another tenant or of no kind, nothing."""
        proposed = super().get_changeform_initial_data(request)
        return {name: value for name, value in proposed.items() if self._may_propose(request, name, value)}

    def _may_propose(self, request: HttpRequest, name: str, value: Any) -> bool:
        try:
            column: Any = self.opts.get_field(name)
            column.to_python(value)
            if not column.is_relation:
                return not isinstance(column, SealedField)
            formfield = self.formfield_for_dbfield(column, request)
            return bool(formfield and formfield.clean(value))
        except (FieldDoesNotExist, ValidationError, ValueError, TypeError):
            return False

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError:  # somebody else was quicker than the check of the form
            self.message_user(
                request, "This clashes with what was saved a moment ago. Look again and save once more.", messages.ERROR
            )
            return HttpResponseRedirect(request.get_full_path())

    def page(self, request: HttpRequest, obj: Any) -> Page:
        """Buttons and panels for this object; extend it."""
        return Page(buttons=[*self._action_buttons(request, obj)])

    def offers(self, action: str, obj: Any) -> bool:
        """Does this action make sense for this object now?"""
        return True

    def _action_buttons(self, request: HttpRequest, obj: Any) -> Iterator[Button]:
        actions: dict[str, Any] = self.get_actions(request)
        for name in self.page_actions:
            if name in actions and self.offers(name, obj):
                yield Button(str(actions[name][2]), self.and_back(request, self.own_url("act", quote(obj.pk), name)))

    def and_back(self, request: HttpRequest, url: str) -> str:
        """This address with the filters of the list the person came from, which the way back there keeps."""
        return str(
            add_preserved_filters({"preserved_filters": self.get_preserved_filters(request), "opts": self.opts}, url)
        )

    def own_url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args)

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        if obj is not None and not context.get("is_popup"):
            context["page"] = self.page(request, obj)
        context |= {"show_save_and_add_another": False, "keeps_history": self.keeps_history}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self) -> list[Any]:
        act = path(
            "<path:object_id>/do/<slug:name>/",
            self.admin_site.admin_view(self.act_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_act",
        )
        return [act, *super().get_urls()]

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> Any:
        """A button: the action of that name, on this one object."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._missing(request, object_id)
        actions: dict[str, Any] = self.get_actions(request)
        if name not in self.page_actions or name not in actions or not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        with transaction.atomic():
            response = actions[name][0](self, request, self.get_queryset(request).filter(pk=obj.pk))
        return response or HttpResponseRedirect(self.and_back(request, self.own_url("change", quote(obj.pk))))

    def _missing(self, request: HttpRequest, object_id: str) -> Any:
        """Nobody learns whether it exists: of another tenant or not at all, the answer is the same."""
        redirect: Any = getattr(super(), "_get_obj_does_not_exist_redirect")  # noqa: B009  the stubs do not know it
        return redirect(request, self.opts, object_id)

    def confirm(self, request: HttpRequest, queryset: Any, *, title: str, consequences: list[str]) -> Any:
        """None once the person has said yes; until then the page that asks, which posts back to where it came from."""
        rows = at_once(request, queryset)
        if rows is None:
            return HttpResponseRedirect(request.get_full_path())
        if request.POST.get("confirmed"):
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "consequences": consequences,
            "objects": rows,
            "action": request.POST.get("action", ""),
            "back": self.own_url("change", quote(rows[0].pk)) if len(rows) == 1 else self.own_url("changelist"),
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    # History

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return history.changes_in(form, formsets)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        history.record(request, obj, "added", changes=message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        if message:
            history.record(request, obj, "changed", changes=message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            history.record(request, obj, "removed")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._missing(request, object_id)
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        events = Event.objects.visible_to(request.user).filter(
            subject_type=self.opts.label_lower, subject_id=str(obj.pk)
        )
        paginator = self.get_paginator(request, events.select_related("actor"), 100)
        page = paginator.get_page(request.GET.get(PAGE_VAR, 1))
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {obj}",
            "entries": [(event, list(history.lines(event))) for event in page],
            "page": page,
            "page_var": PAGE_VAR,
            "page_range": paginator.get_elided_page_range(page.number),
            "object": obj,
            "opts": self.opts,
            "module_name": capfirst(self.opts.verbose_name_plural),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/object_history.html", context)


class ReadOnlyAdmin(TenantScopedAdmin):
    """For what people look at and never type."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SuperusersOnly:
    """For who works here and what they may do."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
