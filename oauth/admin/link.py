from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html

from oauth import mails, secret_drop
from oauth.models import ConsentAttempt, Link, Mail
from tenants.admin import history
from tenants.admin.attempts import attempts_panel, outcome_of, why, with_last_attempt
from tenants.admin.base import TenantScopedAdmin
from tenants.admin.counts import counted
from tenants.admin.display import ago, badge, link_to, moment_of, page_of, stacked, times
from tenants.admin.funnel import funnel_of_link
from tenants.admin.pages import Button, Page
from tenants.admin.panels import token_status
from tenants.admin.standing import StandingFilter, everything
from tenants.client_address import client_address
from tenants.models import AppRegistration

from .handing_out import DaysForm, ask, may_hand_out, nearest_days, not_renewable, shown_once
from .link_form import LinkForm
from .link_page import STATUS, children_panel, end_by, entered_by, fieldsets_of, mails_panel, person_of
from .mail import ring
from .of_registration import OfRegistration
from .sending import SendsMails

NOT_SENT_ANY_MORE = "The link was renewed."


def _usable(rows: Any) -> Any:
    return rows.filter(pk__in=Link.objects.usable().values("pk"))


def _over(rows: Any) -> Any:
    return rows.exclude(pk__in=Link.objects.usable().values("pk"))


def _for_purpose(purpose: str, rows: Any) -> Any:
    return rows.filter(purpose=purpose)


class LinkStanding(StandingFilter):
    standings: ClassVar = {
        "all": ("All", everything),
        "open": ("Open", _usable),
        "over": ("Used, expired, revoked or paused", _over),
    }


class PurposeFilter(StandingFilter):
    """Without those to disconnect, of which there is one for each consent."""

    title = "purpose"
    parameter_name = "purpose"
    standings: ClassVar = {
        "kept": ("All but to disconnect", lambda rows: rows.exclude(purpose=Link.Purpose.DISCONNECT)),
        **{value: (str(words).capitalize(), partial(_for_purpose, value)) for value, words in Link.Purpose.choices},
        "all": ("All", everything),
    }


@admin.register(Link)
class LinkAdmin(SendsMails, OfRegistration, TenantScopedAdmin):
    when_empty = "No link yet. Send one from the page of a registration, or add one here."
    form = LinkForm
    list_display = [
        "number",
        "purpose_and_person",
        "tenant_and_registration",
        "state_and_end",
        "last_attempt",
        "consents",
    ]
    list_filter = [LinkStanding, PurposeFilter, "tenant", "registration"]
    list_select_related = ["tenant", "registration", "created_by", "connection", "parent"]
    search_fields = ["tenant__name", "created_by__username", "sent_to", "expected_address"]
    unsearchable = frozenset({"token_digest"})
    autocomplete_fields = ["registration", "tenant"]
    actions = ["revoke"]
    page_actions = ("revoke",)

    class Media:
        js = ["copy.js"]

    # Columns

    @admin.display(description="link, made by", ordering="pk")
    def number(self, link: Link) -> Any:
        return stacked(f"Link {link.pk}", f"by {self.made_by(link)}")

    @admin.display(description="purpose, for", ordering="purpose")
    def purpose_and_person(self, link: Link) -> Any:
        return stacked(link.get_purpose_display(), person_of(link))

    @admin.display(description="tenant, registration", ordering="tenant__name")
    def tenant_and_registration(self, link: Any) -> Any:
        return stacked(link.tenant, self.for_registration(link))

    @admin.display(description="status")
    def state(self, link: Link) -> Any:
        return badge(STATUS[link.status], link.status)

    @admin.display(description="status, expires", ordering="expires_at")
    def state_and_end(self, link: Link) -> Any:
        return stacked(self.state(link), moment_of(link.expires_at))

    @admin.display(description="last attempt", ordering="try_count")
    def last_attempt(self, link: Any) -> Any:
        tries = f", {link.try_count} tries" if link.try_count > 1 else ""
        return next((stacked(outcome_of(last), f"{ago(last.created_at)}{tries}") for last in link.last_attempts), "-")

    @admin.display(description="tries")
    def tries(self, link: Any) -> int:
        return link.try_count  # type: ignore[no-any-return]

    @admin.display(description="consents", ordering="uses")
    def consents(self, link: Link) -> Any:
        words = self.connected(link) if link.leads_to_consent else _ended(link)
        return stacked(words, f"opened {times(link.opens)}" if link.opens else "not opened")

    # Fields of one link

    @admin.display(description="consents")
    def connected(self, link: Link) -> str:
        return f"{link.uses} of {link.max_uses}"

    @admin.display(description="made by")
    def made_by(self, link: Link) -> str:
        if link.parent_id:
            return f"whoever had link {link.parent_id}"
        return str(link.created_by or "Tenantry itself")

    @admin.display(description="tenant")
    def for_tenant(self, link: Link) -> Any:
        return link_to(link.tenant)

    @admin.display(description="grown from")
    def grown_from(self, link: Link) -> Any:
        return link_to(link.parent)

    @admin.display(description="expected account")
    def account(self, link: Link) -> Any:
        return link_to(link.connection) if link.connection else link.expected_address or "any"

    @admin.display(description="expected directory")
    def directory_taken(self, link: Link) -> str:
        audiences = AppRegistration.Audience
        if link.connection:
            return f"{link.connection.tid}, the account's"
        if link.registration.audience == audiences.MY_ORG:
            return f"{link.registration.directory}, the registration's own"
        return link.expected_directory or "any"

    @admin.display(description="return URL")
    def returns_to(self, link: Link) -> str:
        if not link.return_url or link.return_url in link.registration.return_urls:
            return link.return_url or "none, it ends on a page of Tenantry"
        return f"{link.return_url} (no longer a return URL of the registration: nobody is sent there)"

    @admin.display(description="last attempt")
    def came_of_it(self, link: Any) -> Any:
        """In words, with what the person says they saw, and with what became of the connection since."""
        if link.purpose == Link.Purpose.DISCONNECT:
            return end_by(link)
        if link.purpose == Link.Purpose.SECRET:
            return entered_by(link)
        for last in link.last_attempts:
            words = f"{last.status[:1].upper()}{last.status[1:]} ({ago(last.created_at)})"
            if last.connection:
                return format_html("{}<div>Its connection today: {}</div>", words, token_status(last.connection))
            return stacked(words, why(last)) if last.told_code and not last.outcome else words
        if link.opens:
            return "Opened, and not tried yet." if link.leads_to_consent else "Opened."
        return "Not opened yet."

    # Making one

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj:
            return fieldsets_of(obj)
        whose = ["registration", "tenant"] if _sees_shared(request) else ["registration"]
        return [
            (None, {"fields": [*whose, "max_uses", "days"]}),
            ("For whom", {"fields": ["expected_address", "expected_directory"]}),
            ("Afterwards", {"fields": ["return_url"]}),
        ]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        formfield = super().formfield_for_foreignkey(db_field, request, **kwargs)
        formfield.required = db_field.name == "registration"  # the tenant follows from it, unless it is shared
        return formfield

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Link:
        """The row is minted, for its token must be: nobody can read it again later, not from the database either."""
        chosen = form.cleaned_data
        pins = ("expected_address", "expected_directory", "return_url")
        link, token = Link.objects.mint(
            tenant=chosen["tenant"],
            registration=chosen["registration"],
            created_by=request.user,
            max_uses=chosen["max_uses"],
            expires_at=form.expires_at(),
            **{name: chosen[name] for name in pins},
        )
        vars(link)["token"] = token  # for the page that hands it out, in this answer only
        return link

    def save_model(self, request: HttpRequest, obj: Link, form: Any, change: bool) -> None:
        """Minted already."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing related."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        return shown_once(request, self, obj, obj.token)

    # Looking at one

    def get_queryset(self, request: HttpRequest) -> Any:
        links = super().get_queryset(request).annotate(try_count=counted(ConsentAttempt.objects.all(), "link"))
        return with_last_attempt(links)

    def page(self, request: HttpRequest, obj: Link) -> Page:
        page = super().page(request, obj)
        if self.may_renew(request, obj):
            if not not_renewable(obj):
                page.buttons.insert(0, Button("Renew", self.own_url("renew", quote(obj.pk)), post=False))
            elif obj.purpose == Link.Purpose.CONSENT and obj.status == "used":
                query = {"registration": obj.registration_id, "tenant": obj.tenant_id}
                another = reverse("admin:oauth_link_add", query=query)
                page.buttons.insert(0, Button("Create another", another, post=False))
        if obj.leads_to_consent or obj.purpose == Link.Purpose.DISCONNECT:
            page.panels += [funnel_of_link(request, obj), attempts_panel(request, obj)]
        page.panels.append(mails_panel(request, obj))
        page.panels += [panel for panel in [children_panel(request, obj)] if panel.rows]
        return page

    # Ending one, and opening it again

    def offers(self, action: str, obj: Link) -> bool:
        return obj.status in ("open", "paused") or (obj.status == "expired" and obj.purpose == Link.Purpose.SECRET)

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: Any) -> Any:
        # What was entered by a secret drop outlasts it, and may hold a client ID that nothing has proven.
        not_over = Q(expires_at__gt=timezone.now()) | Q(purpose=Link.Purpose.SECRET)
        queryset = queryset.filter(not_over, revoked_at=None, uses__lt=F("max_uses"))
        asked = self.confirm(
            request,
            queryset,
            title="Revoke",
            consequences=[
                "Whoever opens it from now on is told that it does not work. So do the links that grew from it.",
                "What is connected stays connected, and a client secret that is in use stays in use. One that was "
                "entered by it and that Microsoft has not taken yet is not tried any more, and IDs that were entered "
                "with it and that nothing has proven are taken back.",
            ],
        )
        if asked:
            return asked
        links = list(queryset)
        with transaction.atomic():
            chosen = Link.objects.filter(pk__in=[link.pk for link in links])
            chosen.hold_with_registrations()
            revoked = chosen.revoke().select_related("tenant")
            for link in revoked:
                history.record(request, link, "revoked")
            drops = [link for link in revoked if link.purpose == Link.Purpose.SECRET]
            secret_drop.take_back(drops, by=request.user, address=client_address(request))
        self.message_user(request, f"{', '.join(map(str, links)) or 'Nothing'}: revoked.", messages.SUCCESS)
        return None

    def may_renew(self, request: HttpRequest, link: Link) -> bool:
        return self.has_operate_permission(request) and may_hand_out(request.user, link.purpose)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.renew_view)
        return [path("<path:object_id>/renew/", view, name="oauth_link_renew"), *super().get_urls()]

    def renew_view(self, request: HttpRequest, object_id: str) -> Any:
        """A new address for this link, for a time that is asked for."""
        link = self.get_object(request, unquote(object_id))
        if link is None:
            return self._missing(request, object_id)
        if not self.may_renew(request, link):
            raise PermissionDenied
        form = DaysForm(request.POST if request.method == "POST" else None, initial={"days": nearest_days(link)})
        if request.method == "POST" and form.is_valid():
            return self._renew(request, link.pk, form)
        mailed = [
            f"Or it is mailed to {mail.address} in the words of its last mail, and not shown."
            for mail in [mails.last_invitation(link)]
            if mail
        ]
        return self._refused(request, link) or ask(
            request,
            self,
            link,
            form,
            title=f"Renew link {link.pk} for {link.tenant}",
            submit="Renew and show the new address",
            mail=f"Renew and mail it to {link.sent_to} again" if mailed else "",
            consequences=[
                "It gets a new address, which is shown once. The old address stops at once, for whoever has it.",
                "It is open again from now on, also if it was revoked or has expired.",
                "A mail with its address that was not sent yet is not sent any more.",
                *mailed,
            ],
        )

    def _renew(self, request: HttpRequest, pk: int, form: DaysForm) -> HttpResponse:
        with transaction.atomic():
            link = self.get_queryset(request).select_for_update(of=("self",)).get(pk=pk)
            refused = self._refused(request, link)
            if refused:
                return refused
            before = link.expires_at
            token = link.renew(form.expires_at())
            Mail.objects.filter(link=link).withdraw(NOT_SENT_ANY_MORE)
            changes = {"expires at": [f"{before:%Y-%m-%d %H:%M} UTC", f"{link.expires_at:%Y-%m-%d %H:%M} UTC"]}
            history.record(request, link, "renewed", changes=changes)
            last = mails.last_invitation(link) if "mail" in request.POST else None
            if last:
                mails.invite_again(last)
                history.record(request, link, "sent", changes={"for": [None, last.address]})
                ring()
        if last:
            self.message_user(request, f"It was renewed, and is on its way to {last.address}.", messages.SUCCESS)
            return HttpResponseRedirect(page_of(link))
        return shown_once(request, self, link, token)

    def _refused(self, request: HttpRequest, link: Link) -> HttpResponse | None:
        reason = not_renewable(link)
        if not reason:
            return None
        self.message_user(request, f"It was not renewed. {reason}", messages.ERROR)
        return HttpResponseRedirect(page_of(link))


def _ended(link: Link) -> str:
    """In the column of consents, of a link that leads to none."""
    if link.purpose == Link.Purpose.SECRET:
        return "a secret in use" if link.uses else "no secret yet"
    return f"{link.uses} of {link.max_uses}" if link.purpose == Link.Purpose.DISCONNECT else "-"


def _sees_shared(request: HttpRequest) -> bool:
    return AppRegistration.objects.visible_to(request.user).filter(tenant=None, archived_at=None).exists()
