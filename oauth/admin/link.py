from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import F, Value
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from oauth.models import Link
from tenants.admin import history
from tenants.admin.base import TenantScopedAdmin
from tenants.admin.display import GOOD, QUIET, badge, link_to, moment_of, sees_platform, stacked
from tenants.admin.pages import Page
from tenants.admin.standing import StandingFilter, everything
from tenants.models import AppRegistration

from .attempts import attempts_panel
from .link_form import LinkForm

STATUS = {"open": GOOD, "used": QUIET, "expired": QUIET, "revoked": QUIET}


def _usable(rows: Any) -> Any:
    return rows.filter(pk__in=Link.objects.usable().values("pk"))


def _over(rows: Any) -> Any:
    return rows.exclude(pk__in=Link.objects.usable().values("pk"))


class LinkStanding(StandingFilter):
    standings: ClassVar = {
        "all": ("All", everything),
        "open": ("Open", _usable),
        "over": ("Used, expired, revoked or paused", _over),
    }


@admin.register(Link)
class LinkAdmin(TenantScopedAdmin):
    form = LinkForm
    list_display = ["number", "state", "connected", "tenant", "for_registration", "opens", "expires"]
    list_filter = [LinkStanding, "tenant", "registration"]
    list_select_related = ["tenant", "registration", "created_by"]
    search_fields = ["tenant__name", "created_by__username"]
    unsearchable = frozenset({"token_digest"})
    autocomplete_fields = ["registration", "tenant"]
    actions = ["revoke"]
    page_actions = ("revoke",)
    fields = [
        "for_registration", "for_tenant", "state", "connected", "opens", "last_opened_at", "expires_at", "revoked_at",
        "made_by", "created_at",
    ]  # fmt: skip

    class Media:
        js = ["operator/copy.js"]

    @admin.display(description="link, made by", ordering="pk")
    def number(self, link: Link) -> Any:
        return stacked(f"Link {link.pk}", f"by {link.created_by or 'Tenantry'}")

    @admin.display(description="registration")
    def for_registration(self, link: Any) -> Any:
        if link.registration.tenant_id is None and not link.sees_platform:
            return "a shared registration"
        return link_to(link.registration)

    @admin.display(description="made by")
    def made_by(self, link: Link) -> str:
        return str(link.created_by or "Tenantry itself")

    @admin.display(description="tenant")
    def for_tenant(self, link: Link) -> Any:
        return link_to(link.tenant)

    @admin.display(description="status")
    def state(self, link: Link) -> Any:
        return badge(STATUS[link.status], link.status)

    @admin.display(description="expires", ordering="expires_at")
    def expires(self, link: Link) -> Any:
        return moment_of(link.expires_at)

    @admin.display(description="consents", ordering="uses")
    def connected(self, link: Link) -> str:
        return f"{link.uses} of {link.max_uses}"

    # Making one

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj:
            return [(None, {"fields": self.fields})]
        whose = ["registration", "tenant"] if _sees_shared(request) else ["registration"]
        return [(None, {"fields": [*whose, "max_uses", "days"]})]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        formfield = super().formfield_for_foreignkey(db_field, request, **kwargs)
        formfield.required = db_field.name == "registration"  # the tenant follows from it, unless it is shared
        return formfield

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Link:
        """The row is minted, for its token must be: nobody can read it again later, not from the database either."""
        chosen = form.cleaned_data
        link, token = Link.objects.mint(
            tenant=chosen["tenant"],
            registration=chosen["registration"],
            created_by=request.user,
            max_uses=chosen["max_uses"],
            expires_at=form.expires_at(),
        )
        vars(link)["token"] = token  # for the page that hands it out, in this answer only
        return link

    def save_model(self, request: HttpRequest, obj: Link, form: Any, change: bool) -> None:
        """Minted already."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing related."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        address = settings.SITE_URL + reverse("oauth:open", args=[obj.token])
        context = {
            **self.admin_site.each_context(request),
            "title": "Consent link",
            "link": obj,
            "address": address,
            "opts": self.opts,
            "media": self.media,
        }
        response = TemplateResponse(request, "admin/oauth/link/made.html", context)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    # Looking at one

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(sees_platform=Value(sees_platform(request.user)))

    def offers(self, action: str, obj: Link) -> bool:
        return obj.status == "open"

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: Any) -> Any:
        queryset = queryset.filter(revoked_at=None, expires_at__gt=timezone.now(), uses__lt=F("max_uses"))
        asked = self.confirm(
            request,
            queryset,
            title="Revoke",
            consequences=[
                "Whoever opens it from now on is told that it does not work.",
                "What is connected stays connected.",
            ],
        )
        if asked:
            return asked
        links = list(queryset)
        Link.objects.filter(pk__in=[link.pk for link in links]).update(revoked_at=timezone.now())
        for link in links:
            history.record(request, link, "revoked")
        self.message_user(request, f"{', '.join(map(str, links)) or 'Nothing'}: revoked.", messages.SUCCESS)
        return None

    def page(self, request: HttpRequest, obj: Link) -> Page:
        page = super().page(request, obj)
        page.panels.append(attempts_panel(request, obj))
        return page


def _sees_shared(request: HttpRequest) -> bool:
    return AppRegistration.objects.visible_to(request.user).filter(tenant=None, archived_at=None).exists()
