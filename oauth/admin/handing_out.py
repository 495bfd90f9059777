"""An address is shown once, to be copied: of a new link, of one that is renewed, of one to reconnect an account."""

from typing import Any

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_variables

from oauth import mails
from oauth.models import Connection, Link
from tenants.admin.display import page_of

from .link_form import DAYS, DaysField, expiry, missing_of
from .of_registration import is_named_to


class DaysForm(forms.Form):
    days = DaysField()

    def expires_at(self) -> Any:
        return expiry(self.cleaned_data["days"])


class ReconnectForm(DaysForm):
    return_url = forms.ChoiceField(
        label="Return URL", required=False, help_text="Where the browser goes in the end; one of the registration's."
    )

    def __init__(self, *args: Any, connection: Connection, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        registration = connection.registration
        known = registration.return_urls if is_named_to(registration, user) else []
        if known:
            choices: Any = [("", "none, it ends here"), *((uri, uri) for uri in known)]
            self.fields["return_url"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["return_url"]


def may_hand_out(user: Any, purpose: str) -> bool:
    """May this user hand out an address for this purpose, of what they see? By a secret drop a registration changes."""
    changes = ["tenants.change_appregistration"] if purpose == Link.Purpose.SECRET else []
    return bool(user.has_perms(["oauth.add_link", *changes]))


def nearest_days(link: Link) -> int:
    """The choice that comes nearest to how long the link was made for."""
    made_for = (link.expires_at - link.created_at).days
    return min(DAYS, key=lambda days: abs(days - made_for))


def not_renewable(link: Link) -> str:
    """Why this link cannot be renewed, with the way out; empty where it can."""
    if link.purpose == Link.Purpose.DISCONNECT:
        return "It went out with a notice to the mailbox, and is good for that mail only."
    if link.uses >= link.max_uses:
        return f"{link} is used up. Create another one."
    if link.parent and link.parent.revoked_at:
        return f"{link.parent}, from which it came, is revoked. Renew that one first."
    return _behind(link)


def not_reconnectable(connection: Connection) -> list[str]:
    """Why there can be no link to reconnect this account, with the way out."""
    behind = _behind(connection)
    return [behind] if behind else missing_of(connection.registration, "Its registration")


def _behind(row: Link | Connection) -> str:
    if row.tenant.archived_at or row.registration.archived_at:
        return "Its tenant or registration is archived."
    return f"{row.tenant} is suspended. Resume it first." if row.tenant.suspended_at else ""


def ask(request: HttpRequest, model_admin: Any, obj: Any, form: Any, **context: Any) -> HttpResponse:
    """The page with this small form, about one row. Takes `title`, `consequences` and `submit`."""
    context = {
        **model_admin.admin_site.each_context(request),
        "adminform": AdminForm(form, [(None, {"fields": list(form.fields)})], {}),
        "errors": form.errors,
        "object": obj,
        "back": page_of(obj),
        "opts": model_admin.opts,
        "media": model_admin.media,
        **context,
    }
    return TemplateResponse(request, "admin/oauth/link/ask.html", context)


@sensitive_variables()
def shown_once(request: HttpRequest, model_admin: Any, link: Link, token: str) -> HttpResponse:
    """The page with the address of this link, kept by no browser."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{link.word} link",
        "link": link,
        "address": mails.address_of(token),
        "opts": Link._meta,
        "media": model_admin.media,
    }
    response = TemplateResponse(request, "admin/oauth/link/made.html", context)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
