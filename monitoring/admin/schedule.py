"""When the night begins, set by whoever sees the platform: admin, Checks, When the night begins."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from monitoring import schedule, watch
from monitoring.models import Heartbeat
from tenants.admin import history
from tenants.admin.display import moment_of


class ScheduleForm(forms.Form):
    begins = forms.TimeField(
        label="The nightly check begins at",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="A time that the clocks skip in spring counts an hour later; of one that comes twice in autumn, the "
        "first counts.",
    )


def schedule_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The time of the nightly check, and how the watch over it is. It cannot be switched off here."""
    if not model_admin.may_check_everything(request):
        raise PermissionDenied
    old = schedule.begins()
    form = ScheduleForm(request.POST if request.method == "POST" else None, initial={"begins": old})
    if form.is_valid():
        new = form.cleaned_data["begins"].replace(second=0, microsecond=0)
        with transaction.atomic():
            schedule.change(new)
            changes = {"begins at": [f"{old:%H:%M}", f"{new:%H:%M}"]}
            history.record(request, PeriodicTask.objects.get(name=schedule.NIGHTLY), "changed", changes=changes)
        model_admin.message_user(request, f"The nightly check begins at {new:%H:%M} from now on.", messages.SUCCESS)
        return HttpResponseRedirect(request.path)
    now = timezone.now()
    next_start, heartbeat = schedule.next_start(now), Heartbeat.objects.first()
    in_utc = f"{next_start:%Y-%m-%d %H:%M} UTC"
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "When the night begins",
        "form": form,
        "zone": settings.TIME_ZONE,
        "is_due": next_start <= now,
        "next_start": moment_of(next_start),
        "next_start_utc": "" if in_utc in moment_of(next_start) else in_utc,
        "finished_at": (finished_at := watch.state(now).finished_at) and moment_of(finished_at),
        "has_heartbeat": bool(settings.HEARTBEAT_URL),
        "heartbeat": heartbeat,
        "heartbeat_sent_at": moment_of(heartbeat.sent_at if heartbeat else None),
        "opts": model_admin.opts,
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/monitoring/sweep/schedule.html", context)
