"""What machines ask: the watch's health, Prometheus' metrics, a calendar's feed."""

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from oauth.limits import limited

from . import expiries, kinds, metrics, watch

IN_SHORT = {
    kinds.SWEEP_OVERDUE: "the nightly check is overdue",
    kinds.CLOCK_SWITCHED_OFF: "the clock of the nightly check is switched off",
}


@never_cache
@require_safe
def watch_health(request: HttpRequest) -> HttpResponse:
    """200 "ok" while everything is checked every night, else 503 and why. For whoever watches from outside."""
    try:
        faults = watch.state(timezone.now()).faults
    except DatabaseError:
        return HttpResponse("the database is unreachable", status=503, content_type="text/plain")
    if faults:
        why = "; ".join(IN_SHORT[fault.kind] for fault in faults)
        return HttpResponse(why, status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """The metrics, for whoever has METRICS_TOKEN. Without one there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
        return HttpResponse(
            "unauthorized", status=401, headers={"WWW-Authenticate": "Bearer"}, content_type="text/plain"
        )
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


@never_cache
@require_safe
@limited("calendar")
def expiries_feed(request: HttpRequest, token: str) -> HttpResponse:
    """One operator's calendar of coming expiries."""
    user = expiries.owner_of(token)
    if user is None:
        raise Http404
    headers = {"Content-Disposition": 'inline; filename="expiries.ics"'}
    content = expiries.calendar_of(user, timezone.now())
    return HttpResponse(content, content_type="text/calendar; charset=utf-8", headers=headers)
