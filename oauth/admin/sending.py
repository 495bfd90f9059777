"""The page on which an operator writes to people and sends each of them a link."""

from typing import Any
from uuid import UUID, uuid5

from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html

from oauth import mails
from oauth.models import Link
from tenants.admin import history
from tenants.admin.base import MOST_AT_ONCE
from tenants.admin.display import link_to, list_of

from .handing_out import may_hand_out
from .mail import ring
from .recipients import LeftOut, chosen, connected_among, is_key_of, purpose_of
from .sending_form import MOST_ADDRESSES, GroupForm, InvitationForm

# Of which rows, by the word that stands before their keys in the address: it also tells what the link is for.
KINDS = {
    "tenant": "tenants_tenant",
    "appregistration": "tenants_appregistration",
    "connection": "oauth_connection",
    "setup": "tenants_appregistration",
    "secret": "tenants_appregistration",
}


class SendsMails:
    """Mixed into the links' admin: the page `send/`, which is told the chosen rows by their keys.

    Nothing is taken from the page that asked: what the user may see and send to is found out each time.
    """

    admin_site: Any
    opts: Any
    media: Any
    message_user: Any
    has_view_or_change_permission: Any

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.send_view)
        return [path("send/", view, name="oauth_link_send"), *super().get_urls()]  # type: ignore[misc]

    def send_view(self, request: HttpRequest) -> HttpResponse:
        kind = next((kind for kind in KINDS if kind in request.GET), "tenant")
        purpose = purpose_of(kind)
        if not may_hand_out(request.user, purpose):
            raise PermissionDenied
        keys = [key for key in request.GET.get(kind, "").split(".") if is_key_of(kind, key)]
        if not keys or len(keys) > MOST_AT_ONCE:
            words = f"Choose who is to be sent a link: at most {MOST_AT_ONCE} rows of this list."
            self.message_user(request, words, messages.WARNING)
            return HttpResponseRedirect(reverse(f"admin:{KINDS[kind]}_changelist"))
        groups, left_out = chosen(kind, keys, request.user)
        posted = request.POST if request.method == "POST" else None
        invitation = InvitationForm(posted, purpose=purpose)
        connected = connected_among(groups) if purpose == Link.Purpose.CONSENT else {}
        forms = [
            GroupForm(posted, group=group, user=request.user, connected=connected.get(group.key, ()))
            for group in groups
        ]
        if posted is not None and all([invitation.is_valid(), *(form.is_valid() for form in forms)]):
            number = sum(len(form.cleaned_data["addresses"]) for form in forms)
            if 0 < number <= MOST_ADDRESSES:
                return self._send(request, kind, invitation, forms)
            words = f"These are {number} addresses; send to {MOST_ADDRESSES} at most at once."
            invitation.add_error(None, words if number else "Nobody would be sent a link: enter an address.")
        return self._page(request, kind, invitation, forms, left_out)

    def _page(
        self,
        request: HttpRequest,
        kind: str,
        invitation: Any,
        forms: list[Any],
        left_out: list[LeftOut],
    ) -> HttpResponse:
        fields = [("The mail", {"fields": [name for name in invitation.fields if name != "key"]})]
        context = {
            **self.admin_site.each_context(request),
            "title": f"Send {purpose_of(kind).label} link{'s' if len(forms) > 1 else ''}",
            "invitation": AdminForm(invitation, fields, {}),
            "general_errors": invitation.non_field_errors(),
            "has_errors": bool(invitation.errors or any(form.errors for form in forms)),
            "key": invitation["key"],
            "groups": [(form.group, AdminForm(form, _fields_of(form), {})) for form in forms],
            "left_out": [(link_to(each.row), each.reason) for each in left_out],
            "back": reverse(f"admin:{KINDS[kind]}_changelist"),
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/oauth/link/send.html", context)

    def _send(
        self, request: HttpRequest, kind: str, invitation: InvitationForm, forms: list[GroupForm]
    ) -> HttpResponse:
        began = timezone.now()
        back = HttpResponseRedirect(reverse(f"admin:{KINDS[kind]}_changelist"))
        try:
            number = self._mint(request, kind, invitation, forms)
        except IntegrityError:
            if not Link.objects.filter(sending=_place(invitation, 0)).exists():
                raise
            self.message_user(request, "These were sent already.", messages.WARNING)
            return back
        words = "1 link is on its way." if number == 1 else f"{number} links are on their way."
        if not self.has_view_or_change_permission(request):
            self.message_user(request, words, messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:index"))
        user: Any = request.user
        these = list_of(Link, created_by__id__exact=user.pk, created_at__gte=began.isoformat())
        self.message_user(request, format_html('{} <a href="{}">See them</a>', words, these), messages.SUCCESS)
        return back

    def _mint(self, request: HttpRequest, kind: str, invitation: InvitationForm, forms: list[GroupForm]) -> int:
        """A link and its mail for every address; how many. Raises IntegrityError where this page was sent before."""
        written, number = invitation.cleaned_data, 0
        with transaction.atomic():
            for form in forms:
                for address in form.cleaned_data["addresses"]:
                    # Its token opens nothing for anybody: one that does is made when the mail goes out.
                    link, _token = Link.objects.mint(
                        tenant=form.group.tenant,
                        registration=form.chosen,
                        created_by=request.user,
                        purpose=purpose_of(kind),
                        connection=form.group.connection,
                        sending=_place(invitation, number),
                        sent_to=address,
                        expected_address=address.lower() if written.get("only_theirs") else "",
                        expected_directory=form.cleaned_data["directory"],
                        max_uses=written.get("max_uses", 1),
                        expires_at=invitation.expires_at(),
                    )
                    mails.invite(link, subject=written["subject"], text=written["text"])
                    history.record(request, link, "sent", changes={"for": [None, address]})
                    number += 1
            ring()
        return number


def _place(invitation: InvitationForm, number: int) -> UUID:
    """One for each link that a page sends, and the same when the page is sent once more."""
    return uuid5(invitation.cleaned_data["key"], str(number))


def _fields_of(form: GroupForm) -> Any:
    return [(form.group.name, {"fields": list(form.fields)})]
