"""Rows of a registration: a shared one's name is for those who see the platform, whoever's row it is."""

from typing import Any

from django.contrib import admin
from django.db.models import Value
from django.http import HttpRequest

from oauth.models import ConsentAttempt
from tenants.admin.display import link_to, sees_platform
from tenants.models import AppRegistration

SHARED = "a shared registration"


def is_named_to(registration: AppRegistration, user: Any) -> bool:
    return registration.tenant_id is not None or sees_platform(user)


class OfRegistration:
    """Mixed into the admin of such rows; gives the column `for_registration`."""

    @admin.display(description="registration")
    def for_registration(self, row: Any) -> Any:
        registration = row.link.registration if isinstance(row, ConsentAttempt) else row.registration
        if registration.tenant_id is None and not row.sees_platform:
            return SHARED
        return link_to(registration)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows: Any = super().get_queryset(request)  # type: ignore[misc]
        return rows.annotate(sees_platform=Value(sees_platform(request.user)))
