"""Where an operator gets the address of their calendar of coming expiries: admin, Calendar."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from monitoring import expiries
from staff.models import User
from tenants.admin import history


def calendar_view(site: Any, request: HttpRequest) -> HttpResponse:
    """What the feed is; `make` shows a new address once, `revoke` ends it."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    user = request.user
    if not isinstance(user, User) or not expiries.may_have(user):
        raise PermissionDenied
    address = ""
    if "make" in request.POST:
        with transaction.atomic():
            address = expiries.make_address(user)
            history.record(request, user, "calendar address made")
    elif "revoke" in request.POST:
        with transaction.atomic():
            for owner in expiries.revoke(User.objects.filter(pk=user.pk)):
                history.record(request, owner, "calendar address revoked")
    if request.method == "POST" and not address:
        return HttpResponseRedirect(reverse("admin:calendar"))
    context = {
        **site.each_context(request),
        "title": "Calendar of expiries",
        "address": address,
        "made_at": user.calendar_made_at,
        "remind_days": expiries.REMIND_BEFORE.days,
    }
    return TemplateResponse(request, "admin/expiries/calendar.html", context)
