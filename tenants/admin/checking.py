"""The button "Check now": a manual sweep is a row first, then the bell; the page it leads to refreshes itself."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect

from monitoring.models import Sweep
from monitoring.tasks import work_on_sweep

from . import history
from .base import at_once
from .display import list_of, page_of


def start_check(request: HttpRequest, scope: Any) -> Sweep:
    """A sweep of this scope that is under way: a new one, or the one that already runs."""
    with transaction.atomic():
        sweep: Sweep = Sweep.objects.start_manual(scope=scope, by=request.user)
        # robust: with the broker down the row still stands, the reconciler rings again, and the page need not fail.
        transaction.on_commit(lambda: work_on_sweep.delay(sweep.pk), robust=True)
        if isinstance(scope, Model):
            history.record(request, scope, "check asked for")
    return sweep


class CheckNow:
    """Mixed into an admin whose rows can be checked, or lead to something that can."""

    def to_check(self, obj: Any) -> Any:
        """The tenant, registration or connection that a check of this row looks at."""
        return obj

    @admin.action(description="Check now", permissions=["operate"])
    def check_now(self, request: HttpRequest, queryset: Any) -> Any:
        rows = at_once(request, queryset, otherwise=", or check their tenant")
        if rows is None:
            return None
        scopes = list(dict.fromkeys(scope for row in rows if (scope := self.to_check(row)) is not None))
        if not scopes:
            words = "There is nothing of Microsoft's behind what you chose that could be checked."
            self.message_user(request, words, messages.WARNING)  # type: ignore[attr-defined]
        live = [scope for scope in scopes if type(scope)._default_manager.live().filter(pk=scope.pk).exists()]
        for scope in scopes:
            if scope not in live:
                self.message_user(  # type: ignore[attr-defined]
                    request, f"“{scope}” is not checked: it is suspended, archived or disconnected.", messages.WARNING
                )
        sweeps = [start_check(request, scope) for scope in live]
        if not sweeps:
            return None
        names = f"“{live[0]}”" if len(live) == 1 else f"{len(live)} selected"
        self.message_user(  # type: ignore[attr-defined]
            request, f"Checking {names} now. What is found appears here and under Findings.", messages.SUCCESS
        )
        if not request.user.has_perm("monitoring.view_sweep"):
            return None
        if len(sweeps) == 1 and Sweep.objects.visible_to(request.user).filter(pk=sweeps[0].pk).exists():
            return HttpResponseRedirect(page_of(sweeps[0]))
        return HttpResponseRedirect(list_of(Sweep)) if len(sweeps) > 1 else None
