from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.views.decorators.csrf import csrf_exempt

from tenants import clouds
from tenants.imports.columns import SECRET
from tenants.models import AppRegistration, Event, Import, ImportRow

from .base import ReadOnlyAdmin
from .display import BAD, GOOD, QUIET, WARNING, badge, link_to, list_of, page_of, stacked
from .importing import example_view, may_import, ring, upload_view
from .pages import Button, Page, Panel
from .panels import SHOWN
from .refreshing import refreshing

A_PAGE = 50
PAGES = "p"
Outcome, State = ImportRow.Outcome, Import.State
KINDS = {
    State.CHECKING: QUIET,
    State.WRITING: QUIET,
    State.DONE: GOOD,
    State.CANCELLED: QUIET,
    State.ABANDONED: WARNING,
    State.FAILED: BAD,
}


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    change_form_template = "admin/tenants/import/change_form.html"
    change_list_template = "admin/tenants/import/change_list.html"
    list_display = ["name", "file_name", "status", "counts", "created_at", "created_by"]
    list_select_related = ["created_by"]
    keeps_history = False
    when_empty = "Nothing has been imported yet."

    # Who may: one's own imports are for whoever may import, so that no group needs another permission.

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_import(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_import(request.user)

    # Columns

    @admin.display(description="import", ordering="pk")
    def name(self, upload: Import) -> Any:
        return format_html('<span class="nowrap">{}</span>', upload)

    @admin.display(description="status", ordering="state")
    def status(self, upload: Import) -> Any:
        if upload.state == State.CHECKED:
            return badge(*_what_was_found(upload))
        shown = badge(KINDS[State(upload.state)], upload.get_state_display())
        return stacked(shown, upload.note) if upload.note else shown

    @admin.display(description="rows")
    def counts(self, upload: Import) -> str:
        return _counts(upload) if upload.state in (State.CHECKED, State.WRITING, State.DONE) else f"{upload.total} rows"

    @admin.display(description="progress")
    def progress(self, upload: Import) -> str:
        return render_to_string("admin/tenants/import/progress.html", {"upload": upload})

    @admin.display(description="what came of it")
    def note_shown(self, upload: Import) -> str:
        return upload.note

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return []
        first = ["file_name", "kind", "created_at", "created_by"]
        if obj.is_at_work:
            return [*first, "progress", *(["note_shown"] if obj.note else [])]
        return [*first, "status", "counts", *(["note_shown"] if obj.note and obj.state == State.CHECKED else [])]

    # Addresses

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        # It names where an upload goes before anybody reads the form; the view checks the token itself then.
        upload = csrf_exempt(partial(upload_view, model_admin=self))
        own = [
            path("upload/", view(upload), name="tenants_import_upload"),
            path("<path:object_id>/start/", view(self.start_view), name="tenants_import_start"),
            path("<path:object_id>/cancel/", view(self.cancel_view), name="tenants_import_cancel"),
        ]
        for kind in ("csv", "json"):
            example = partial(example_view, kind=kind)
            own.append(path(f"example.{kind}", view(example), name=f"tenants_import_example_{kind}"))
        return [*own, *super().get_urls()]

    def start_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The button that writes it: a state first, then the bell."""
        return self._do(request, object_id, self._start)

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, self._cancel)

    def _do(self, request: HttpRequest, object_id: str, act: Any) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        upload = self.get_object(request, unquote(object_id))
        if upload is None:
            missing: HttpResponse = self._missing(request, object_id)
            return missing
        act(request, upload)
        return HttpResponseRedirect(page_of(upload))

    def _start(self, request: HttpRequest, upload: Import) -> None:
        if upload.created_by != request.user:
            self.message_user(request, "Only who uploaded it can import it.", messages.WARNING)
        elif upload.start_writing():
            ring(upload)
        else:
            self.message_user(request, "It cannot be imported now; see below how it stands.", messages.WARNING)

    def _cancel(self, request: HttpRequest, upload: Import) -> None:
        if upload.cancel():
            self.message_user(request, "Cancelled: nothing was imported, and nothing of the file is kept.")
        else:
            self.message_user(request, "It is too late to cancel this; see below how it stands.", messages.WARNING)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        at_work = Import.objects.visible_to(request.user).filter(state__in=Import.AT_WORK)
        return refreshing(response, at_work.exists())

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().change_view(request, object_id, *args, **kwargs)
        shown = getattr(response, "context_data", {}).get("original")
        return refreshing(response, shown is not None and shown.is_at_work)

    # The page

    def page(self, request: HttpRequest, obj: Import) -> Page:
        page = super().page(request, obj)
        if obj.is_ready and obj.created_by == request.user:
            number = obj.new + obj.changed
            words = f"Import {number} registration{'' if number == 1 else 's'}"
            page.buttons.append(Button(words, self.own_url("start", quote(obj.pk))))
        if obj.state in (State.CHECKING, State.CHECKED):
            page.buttons.append(Button("Cancel", self.own_url("cancel", quote(obj.pk))))
        if obj.wrong or obj.state == State.FAILED:
            page.buttons.insert(0, Button("Upload another file", self.own_url("upload"), post=False))
        if obj.state == State.DONE:
            page.panels.append(_imported(request, obj))
        return page

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        obj = kwargs.get("obj")
        if obj is not None and obj.state == State.CHECKED:
            which = Q(outcome=Outcome.WRONG) if obj.wrong else Q(outcome__in=(Outcome.NEW, Outcome.CHANGED))
            rows = obj.rows.visible_to(request.user).filter(which).select_related("registration__tenant")
            shown = Paginator(rows.order_by("number"), A_PAGE).get_page(request.GET.get(PAGES))
            page_range = shown.paginator.get_elided_page_range(shown.number)
            panel = _wrong(shown, obj) if obj.wrong else _changes(shown, obj)
            context |= {"preview": panel, "shown": shown, "page_range": page_range, "page_var": PAGES}
        return super().render_change_form(request, context, *args, **kwargs)


def _what_was_found(upload: Import) -> tuple[str, str]:
    if upload.wrong:
        return BAD, "cannot be imported"
    return (GOOD, "ready to import") if upload.is_ready else (QUIET, "nothing to import")


def _counts(upload: Import) -> str:
    numbers = {name: getattr(upload, name) for name in ("new", "changed", "unchanged", "wrong")}
    return ", ".join(f"{number} {name}" for name, number in numbers.items() if number)


def _wrong(rows: Any, upload: Import) -> Panel:
    return Panel(
        title="What is wrong",
        columns=["Row", "Column", "Reason, and what to do"],
        rows=[
            [row.number, column or "the whole row", format_html('<div class="change">{}</div>', words)]
            for row in rows
            for column, words in row.errors
        ],
        empty="You do not see these rows any more.",
        tone="bad",
        summary=f"{upload.wrong} of {upload.total} rows; mend the file and upload it again",
    )


def _changes(rows: Any, upload: Import) -> Panel:
    return Panel(
        title="What would be imported",
        columns=["Row", "Registration", "What", "Difference"],
        rows=[[row.number, _subject(row), _badge_of(row), _difference(row)] for row in rows],
        empty="Everything in the file is stored already." if not upload.new + upload.changed else "Nothing you see.",
        summary="nothing is written until you press the button" if upload.is_ready else "",
    )


def _subject(row: ImportRow) -> Any:
    changes = row.changes
    if row.registration:
        return stacked(link_to(row.registration), row.registration.tenant or "shared")
    return stacked(changes.get("name", ["", ""])[1] or "-", changes.get("tenant", ["", ""])[1] or "shared")


def _badge_of(row: ImportRow) -> Any:
    return badge(GOOD if row.outcome == Outcome.NEW else QUIET, row.get_outcome_display())


def _difference(row: ImportRow) -> Any:
    lines = [(column, _words(column, old), _words(column, new)) for column, (old, new) in row.changes.items()]
    if row.outcome == Outcome.NEW:
        shown = [(name, new) for name, _, new in lines if name not in ("name", "tenant")]
    else:
        shown = [(name, new if name == SECRET else f"{old} → {new}") for name, old, new in lines]
    hints = format_html_join("", '<div class="below">{}</div>', ((hint,) for hint in row.hints))
    return format_html("{}{}", format_html_join("", '<div class="change">{}: {}</div>', shown), hints)


def _words(column: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    if column == "audience":
        return str(dict(AppRegistration.Audience.choices).get(value, value)) or "nothing"
    if column == "cloud" and value in clouds.clouds():
        return clouds.clouds()[value].name
    return str(value or "nothing")


def _imported(request: HttpRequest, upload: Import) -> Panel:
    """What history has of it, as far as the user sees that."""
    events = Event.objects.visible_to(request.user).filter(
        at__range=(upload.created_at, upload.finished_at),
        subject_type=AppRegistration._meta.label_lower,
        reason=f"import {upload.pk}",
    )
    rows = list(events.order_by("pk")[: SHOWN + 1])
    found = AppRegistration.objects.in_bulk([int(event.subject_id) for event in rows[:SHOWN]])
    return Panel(
        title="Imported",
        columns=["Registration", "What"],
        rows=[
            [link_to(found[int(event.subject_id)], event.subject_name), event.verb]
            for event in rows[:SHOWN]
            if int(event.subject_id) in found
        ],
        empty="Nothing you see.",
        more=list_of(AppRegistration) if len(rows) > SHOWN else "",
        more_words="All app registrations",
    )
