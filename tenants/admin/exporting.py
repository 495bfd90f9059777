"""The button "Export": leads to a page that asks in which dialect, shows the files without secrets, and hands them out.

Client secrets are never on the page: they are in the download only, for who may and says why.
"""

import io
import zipfile
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.views.decorators.debug import sensitive_variables

from tenants import exports
from tenants.client_address import client_address
from tenants.exports.handing_out import LONGEST_REASON, PERMISSION, export_with_secrets
from tenants.models import AppRegistration

from .base import MOST_AT_ONCE, at_once
from .display import link_to, page_of

PAGE = "admin:tenants_appregistration_export"


def _choices() -> list[tuple[str, Any]]:
    return [
        (key, format_html("<strong>{}</strong> {}", dialect.label, dialect.purpose))
        for key, dialect in exports.DIALECTS.items()
    ]


class ExportForm(forms.Form):
    """In which dialect, with or without secrets and why, and one redirect URI where a registration has several."""

    dialect = forms.ChoiceField(
        label="Write it as",
        widget=forms.RadioSelect,
        choices=_choices,
        error_messages={"required": "Choose what it is for.", "invalid_choice": "Choose one of these."},
    )
    with_secrets = forms.BooleanField(
        label="With client secrets",
        required=False,
        help_text="In the download only: this page never shows them. It is recorded in the registration's history that "
        "you took them, and why.",
    )
    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        help_text="What the client secrets are needed for. Who looks at the history later reads it there.",
    )

    secrets: ClassVar = ("with_secrets", "reason")

    def __init__(self, data: Any, *, registrations: list[AppRegistration], may_have_secrets: bool) -> None:
        super().__init__(data, initial={"dialect": next(iter(exports.DIALECTS))})
        self.several = {_name(row): row for row in registrations if len(row.product_uris) > 1}
        if not may_have_secrets:
            for name in self.secrets:
                del self.fields[name]
        for name, row in self.several.items():
            uris = [(uri, uri) for uri in row.product_uris]
            self.fields[name] = forms.ChoiceField(label=str(row), required=False, choices=[("", "Choose one"), *uris])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        dialect = exports.DIALECTS.get(cleaned.get("dialect", ""))
        if cleaned.get("with_secrets") and not cleaned.get("reason") and "reason" not in self.errors:
            self.add_error("reason", "Say why the client secrets are needed, in a few words.")
        if dialect and cleaned.get("with_secrets") and not dialect.takes_secret:
            self.add_error("with_secrets", f"“{dialect.label}” holds no client secret: leave this unticked.")
        if dialect and dialect.takes_redirect_uri:
            for name in self.several:
                if not cleaned.get(name) and name not in self.errors:
                    self.add_error(name, "Choose the redirect URI of the product that this file is for.")
        return cleaned

    @property
    def chosen_uris(self) -> dict[int, str]:
        return {row.pk: self.cleaned_data[name] for name, row in self.several.items() if self.cleaned_data[name]}

    def fieldsets(self) -> list[Any]:
        sets: list[Any] = [("What for", {"fields": ["dialect"]})]
        if self.several:
            sets.append(
                ("Which redirect URI", {"fields": list(self.several), "classes": ["redirect-uris"]}),
            )
        if set(self.secrets) <= set(self.fields):
            sets.append(("Client secrets", {"fields": list(self.secrets)}))
        return sets


def _name(registration: AppRegistration) -> str:
    return f"redirect_uri_{registration.pk}"


class Exports:
    """Mixed into the admin of registrations: the action and button "Export", and the page `export/`.

    The page is told the rows by their keys; what of them the user may see, and take, is found out each time.
    """

    admin_site: Any
    opts: Any
    message_user: Any
    own_url: Any
    has_view_permission: Any
    has_change_permission: Any

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Who works on registrations, and who may see them and take their secrets."""
        may_take = self.has_change_permission(request) or request.user.has_perm(PERMISSION)
        return bool(self.has_view_permission(request) and may_take)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=PAGE.partition(":")[2]), *super().get_urls()]  # type: ignore[misc]

    @admin.action(description="Export", permissions=["export"])
    def export(self, request: HttpRequest, queryset: Any) -> Any:
        keys = at_once(request, queryset.values_list("pk", flat=True))
        return HttpResponseRedirect(reverse(PAGE, query={"of": ".".join(map(str, keys))})) if keys else None

    def export_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_export_permission(request):
            raise PermissionDenied
        keys = [key for key in request.GET.get("of", "").split(".") if key.isdecimal() and len(key) < 19]
        visible = AppRegistration.objects.visible_to(request.user).filter(pk__in=keys[: MOST_AT_ONCE + 1])
        rows = list(exports.loaded(visible))
        if not rows or len(keys) > MOST_AT_ONCE:
            self.message_user(
                request, f"Choose what to export: at most {MOST_AT_ONCE} rows of this list.", messages.WARNING
            )
            return HttpResponseRedirect(self.own_url("changelist"))
        may_have_secrets = request.user.has_perm(PERMISSION)
        if request.POST.get("with_secrets") and not may_have_secrets:
            raise PermissionDenied
        posted = request.POST if request.method == "POST" else None
        form: Any = ExportForm(posted, registrations=rows, may_have_secrets=may_have_secrets)
        found = exports.Exported()
        if posted is not None and form.is_valid():
            if "download" in posted:
                found = _taken(request, form, rows)
                if found.exports:
                    return _download(found, form.cleaned_data["dialect"])
            else:
                found = exports.export_many(rows, _dialect(form), redirect_uris=form.chosen_uris)
        return self._page(request, rows, form, found)

    def _page(
        self, request: HttpRequest, rows: list[AppRegistration], form: Any, found: exports.Exported
    ) -> HttpResponse:
        """What is on it was exported without secrets."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Export" if len(rows) == 1 else f"Export {len(rows)} registrations",
            "registrations": [(link_to(row), row.tenant or "shared") for row in rows],
            "adminform": AdminForm(form, form.fieldsets(), {}),
            "errors": form.errors,
            "found": found,
            "refused": [(link_to(each.registration), each.reason, each.way_out) for each in found.refused],
            "secrets_asked_for": form.is_bound and form.is_valid() and form.cleaned_data.get("with_secrets"),
            "may_have_secrets": set(form.secrets) <= set(form.fields),
            "placeholder": exports.LEFT_OUT,
            "back": page_of(rows[0]) if len(rows) == 1 else self.own_url("changelist"),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/tenants/appregistration/export.html", context)


def _dialect(form: ExportForm) -> exports.Dialect:
    return exports.DIALECTS[form.cleaned_data["dialect"]]


@sensitive_variables()
def _taken(request: HttpRequest, form: ExportForm, rows: list[AppRegistration]) -> exports.Exported:
    """What is downloaded, with its secrets where they were asked for."""
    if not form.cleaned_data.get("with_secrets"):
        return exports.export_many(rows, _dialect(form), redirect_uris=form.chosen_uris)
    return export_with_secrets(
        rows,
        _dialect(form),
        by=request.user,
        reason=form.cleaned_data["reason"],
        address=client_address(request),
        redirect_uris=form.chosen_uris,
    )


@sensitive_variables()
def _download(found: exports.Exported, key: str) -> HttpResponse:
    """The file; where there are several, or some registrations have none, all of it in an archive.

    That no cache keeps it is what admin_view() sees to, for every page of the admin.
    """
    if len(found.files) == 1 and not found.refused:
        [file] = found.files
        name, content, kind = file.name, file.text.encode(), "text/plain; charset=utf-8"
    else:
        name, content, kind = f"tenantry-{key}.zip", _archive(found), "application/zip"
    headers = {"Content-Disposition": str(content_disposition_header(True, name))}
    return HttpResponse(content, content_type=kind, headers=headers)


@sensitive_variables()
def _archive(found: exports.Exported) -> bytes:
    files = list(found.files)
    if found.refused:
        files.append(exports.File("not-exported.txt", "".join(f"{refused}\n" for refused in found.refused)))
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name)
            entry.external_attr = 0o600 << 16  # unpacked, it is for its owner alone
            archive.writestr(entry, file.text)
    return kept.getvalue()
