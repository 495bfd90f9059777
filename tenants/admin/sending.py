"""The button "Send consent link": leads to the page on which a mail is written, about the chosen rows."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from .base import at_once


def sending_page(kind: str, keys: list[Any]) -> str:
    """The address of the page that writes to these tenants, registrations or connections."""
    chosen = ".".join(getattr(key, "hex", None) or str(key) for key in keys)  # short: an address has an end
    return reverse("admin:oauth_link_send", query={kind: chosen})


class SendsLinks:
    """Mixed into an admin whose rows lead to people who may be sent a link."""

    opts: Any
    message_user: Any

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("oauth.add_link"))

    @admin.action(description="Send consent link", permissions=["send"])
    def send_link(self, request: HttpRequest, queryset: Any) -> Any:
        keys = at_once(request, queryset.values_list("pk", flat=True))
        return HttpResponseRedirect(sending_page(self.opts.model_name, keys)) if keys else None
