"""The Setup page of a registration: its steps in Entra with its own values, by hand and by machine, and links to it."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from oauth.admin.handing_out import may_hand_out, shown_once
from oauth.models import Link
from oauth.progress import progress_of
from oauth.views.setup import file_of
from tenants.models import AppRegistration
from tenants.setup.steps import steps
from tenants.setup.tools import write_all
from tenants.setup.values import values_of

from . import history
from .pages import Button
from .sending import sending_page

# What may be sent to the tenant's administrator, by what it offers.
SENT = {"steps": Link.Purpose.SETUP, "secret": Link.Purpose.SECRET}


class SetsUp:
    """Mixed into the admin of registrations."""

    def setup_button(self, registration: AppRegistration) -> Button:
        return Button(
            "Setup", reverse("admin:tenants_appregistration_setup", args=[quote(registration.pk)]), post=False
        )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view  # type: ignore[attr-defined]
        return [
            path("<path:object_id>/setup/", view(self.setup_view), name="tenants_appregistration_setup"),
            path("<path:object_id>/setup/<slug:tool>/", view(self.tool_view), name="tenants_appregistration_tool"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def setup_view(self, request: HttpRequest, object_id: str) -> Any:
        """The steps; a POST makes a link to them, for the tenant's administrator."""
        registration = self._registration(request, object_id)
        if registration is None:
            return self._missing(request, object_id)  # type: ignore[attr-defined]
        if request.method == "POST":
            return self._send(request, registration)
        values, known = values_of(registration, timezone.localdate()), progress_of(registration)
        found = steps(values, known)
        context = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "title": f"Set up “{registration}” in Entra",
            "registration": registration,
            "steps": found,
            "done": sum(step.done is True for step in found),
            "known": known,
            "tools": write_all(values, lambda key: self._own("tool", registration, key)),
            "may_send": self._may_send(request, registration),
            "mailed": {kind: sending_page(purpose, [registration.pk]) for kind, purpose in SENT.items()},
            "may_change": self.has_change_permission(request, registration),  # type: ignore[attr-defined]
            "opts": AppRegistration._meta,
            "media": self.media,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/tenants/appregistration/setup.html", context)

    def tool_view(self, request: HttpRequest, object_id: str, tool: str) -> HttpResponse:
        """One tool's file, to keep."""
        registration = self._registration(request, object_id)
        if registration is None:
            return self._missing(request, object_id)  # type: ignore[attr-defined, no-any-return]
        return file_of(values_of(registration, timezone.localdate()), tool)

    def _own(self, name: str, registration: AppRegistration, *more: str) -> str:
        return reverse(f"admin:tenants_appregistration_{name}", args=[quote(registration.pk), *more])

    def _registration(self, request: HttpRequest, object_id: str) -> AppRegistration | None:
        found: AppRegistration | None = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]
        if found and not self.has_view_or_change_permission(request, found):  # type: ignore[attr-defined]
            raise PermissionDenied
        return found

    def _may_send(self, request: HttpRequest, registration: AppRegistration) -> bool:
        """A link is of a tenant; who set up a registration that many share are the operators themselves."""
        is_live = AppRegistration.objects.live().filter(pk=registration.pk).exists()
        return registration.tenant_id is not None and is_live and may_hand_out(request.user, Link.Purpose.SETUP)

    @sensitive_variables()
    def _send(self, request: HttpRequest, registration: AppRegistration) -> HttpResponse:
        purpose = SENT.get(request.POST.get("link", ""))
        tenant = registration.tenant
        if purpose is None or tenant is None or not self._may_send(request, registration):
            raise PermissionDenied
        if not may_hand_out(request.user, purpose):
            messages.error(request, "Only those who may change the registration may have a secret entered for it.")
            return HttpResponseRedirect(self._own("setup", registration))
        link, token = Link.objects.mint(
            tenant=tenant, registration=registration, created_by=request.user, purpose=purpose
        )
        history.record(request, link, "added", changes={"purpose": [None, link.get_purpose_display()]})
        return shown_once(request, self, link, token)
