from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import path
from django.utils.html import format_html

from monitoring.models import Finding, Sweep
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.checking import start_check
from tenants.admin.display import ago, page_of, sees_platform
from tenants.admin.pages import Page
from tenants.admin.panels import findings_panel
from tenants.admin.refreshing import refreshing

from .schedule import schedule_view


@admin.register(Sweep)
class SweepAdmin(ReadOnlyAdmin):
    list_display = ["name", "covers", "progress", "started_at", "took", "by"]
    list_filter = ["kind", "tenant"]
    list_select_related = ["tenant", "started_by"]
    keeps_history = False
    fields = ["kind", "covers", "progress_bar", "done", "failed", "set_aside", "started_at", "finished_at", "by"]

    @admin.display(description="covers")
    def covers(self, sweep: Sweep) -> str:
        kind = sweep.scope.partition(":")[0]
        what = {"all": "everything", "tenant": "one tenant", "registration": "one registration"}.get(
            kind, "one connection"
        )
        return f"{what} ({sweep.tenant})" if sweep.tenant else what

    @admin.display(description="check")
    def name(self, sweep: Sweep) -> Any:
        return format_html('<span class="nowrap">{}</span>', sweep)

    @admin.display(description="progress")
    def progress(self, sweep: Sweep) -> str:
        words = [f"{sweep.seen} of {sweep.planned}", "finished" if sweep.finished_at else "running"]
        if sweep.failed + sweep.set_aside:
            words.append(f"{sweep.failed + sweep.set_aside} could not be checked")
        return ", ".join(words)

    @admin.display(description="progress")
    def progress_bar(self, sweep: Sweep) -> str:
        return render_to_string("admin/monitoring/sweep/progress.html", {"sweep": sweep})

    @admin.display(description="took")
    def took(self, sweep: Sweep) -> str:
        if not sweep.finished_at:
            return "-"
        seconds = int((sweep.finished_at - sweep.started_at).total_seconds())
        return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"

    @admin.display(description="asked for by")
    def by(self, sweep: Sweep) -> str:
        if sweep.kind == Sweep.Kind.NIGHTLY:
            return "the night"
        return str(sweep.started_by or "a command")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.check_everything_view)
        schedule = self.admin_site.admin_view(partial(schedule_view, self))
        return [
            path("check-everything/", view, name="monitoring_sweep_check_everything"),
            path("schedule/", schedule, name="monitoring_sweep_schedule"),
            *super().get_urls(),
        ]

    def may_check_everything(self, request: HttpRequest) -> bool:
        return self.has_operate_permission(request) and sees_platform(request.user)

    def check_everything_view(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.may_check_everything(request):
            raise PermissionDenied
        sweep = start_check(request, Sweep.ALL)
        self.message_user(request, "Checking everything now. This page refreshes itself.", messages.SUCCESS)
        return HttpResponseRedirect(page_of(sweep))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may = {"may_check_everything": self.may_check_everything(request)}
        response = super().changelist_view(request, {**may, **(extra_context or {})})
        return refreshing(response, Sweep.objects.visible_to(request.user).running().exists())

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().change_view(request, object_id, *args, **kwargs)
        shown = getattr(response, "context_data", {}).get("original")
        return refreshing(response, shown is not None and shown.finished_at is None)

    def page(self, request: HttpRequest, obj: Sweep) -> Page:
        page = super().page(request, obj)
        within = Finding.objects.within(obj)
        until = {"opened_at__lte": obj.finished_at} if obj.finished_at else {}
        found = within.filter(last_seen_at__gte=obj.started_at, **until)
        mended = within.filter(resolved_at__gte=obj.started_at)
        if obj.finished_at:
            mended = mended.filter(resolved_at__lte=obj.finished_at)
        page.put_wrong_first(findings_panel(request, found, title="Found wrong", empty=_nothing_found(obj)))
        page.panels.append(findings_panel(request, mended, title="Mended since the last look", empty="Nothing."))
        return page


def _nothing_found(sweep: Sweep) -> str:
    if not sweep.finished_at:
        return f"Nothing so far; it began {ago(sweep.started_at)}."
    if not sweep.planned:
        return "There was nothing to check."
    in_vain = sweep.failed + sweep.set_aside
    return f"Nothing else is known: {in_vain} could not be checked." if in_vain else "Nothing is wrong."
