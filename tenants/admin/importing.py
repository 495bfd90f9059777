"""The page that takes a file of app registrations. What is secret in it never comes near a disk in clear."""

import csv
import json
from io import StringIO
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.core.files.uploadhandler import FileUploadHandler, MemoryFileUploadHandler
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from tenants import clouds
from tenants.client_address import client_address
from tenants.imports import reading
from tenants.imports.columns import COLUMNS, NAMES
from tenants.imports.cypht import read_env
from tenants.models import Import, ImportRow, Tenant
from tenants.models.credential import start_of
from tenants.tasks import work_on_import

from .display import page_of, sees_platform
from .registration_form import Day
from .scoping import visible_rows

EXAMPLES: list[dict[str, Any]] = [
    {
        "tenant": "contoso",
        "name": "Contoso Mail",
        "cloud": "global",
        "audience": "single",
        "directory": "contoso.example",
        "client_id": "11111111-2222-3333-4444-555555555555",
        "scopes": ["Mail.ReadWrite", "Mail.Send", "Calendar.ReadOnly"],
        "product_uris": ["https://mail.contoso.example/"],
        "return_urls": ["https://app.contoso.example/connected"],
        "alert_emails": ["oncall@example.com", "mail-team@example.com"],
        "client_secret": "",
        "secret_ends_on": "",
    },
    {
        "tenant": "Fabrikam Inc.",
        "name": "Fabrikam IMAP",
        "cloud": "",
        "audience": "multi",
        "directory": "",
        "client_id": "66666666-7777-8888-9999-000000000000",
        "scopes": ["IMAP.AccessAsUser.All", "SMTP.Send"],
        "product_uris": [],
        "return_urls": [],
        "alert_emails": [],
        "client_secret": "",
        "secret_ends_on": "",
    },
]


class InMemoryOnly(MemoryFileUploadHandler):
    """Takes files into memory whatever their size, up to the largest that is read, and drops what is larger.

    Django's own would put a file of more than 2.5 MB on the disk, secrets and all.
    """

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        self.activated = content_length <= reading.LARGEST + 64 * 1024  # the form around the file


class Dropped(FileUploadHandler):
    """Stands behind it: what it did not take is read off and kept nowhere."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        return None

    def file_complete(self, file_size: int) -> Any:
        setattr(self.request, "file_was_dropped", True)  # noqa: B010  a request has no such attribute by itself
        return None


class UploadForm(forms.Form):
    """The file, and for a Cypht's .env what it does not say itself."""

    file = forms.FileField(
        label="File",
        allow_empty_file=True,
        max_length=200,
        help_text="CSV, JSON, or the .env of a running Cypht. UTF-8, at most 5,000 rows and 5 MB.",
        error_messages={"required": "Choose a file."},
    )
    tenant = forms.ModelChoiceField(
        Tenant.objects.none(), label="Tenant", required=False, help_text="Whose Cypht it is."
    )
    cloud = forms.ChoiceField(
        label="Cloud", required=False, help_text="Where its AUTH_URI names another cloud's sign-in, that one counts."
    )
    secret_ends_on = forms.DateField(
        label="Client secret ends on",
        required=False,
        widget=Day,
        help_text="The day in Entra's Expires column, which a .env does not hold. Empty: not known, and nobody is "
        "warned before it ends.",
        error_messages={"invalid": "This is not a day. Enter it as year-month-day, for example 2027-01-31."},
    )

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(*args)
        self.request = request
        self.kind = ""
        self.entries: list[reading.Entry] = []
        choices: Any = self.fields["tenant"]
        choices.queryset = visible_rows(Tenant, request.user).filter(archived_at=None)
        choices.empty_label = "None: it is shared" if sees_platform(request.user) else "---------"
        self.fields["cloud"].choices = [  # type: ignore[attr-defined]
            (key, cloud.name) for key, cloud in clouds.clouds().items()
        ]

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        file = cleaned.pop("file", None)
        if getattr(self.request, "file_was_dropped", False):
            self.errors.pop("file", None)
            self.add_error("file", f"The file is larger than {reading.LARGEST // 1024 // 1024} MB. Split it.")
        if file is None or self.errors:
            return cleaned
        try:
            self.entries = self._read(file.name, file.read(), cleaned)
        except reading.BadFile as wrong:
            self.add_error("file", str(wrong))
        return cleaned

    @sensitive_variables()
    def _read(self, name: str, content: bytes, cleaned: dict[str, Any]) -> list[reading.Entry]:
        text = reading.text_of(content)
        self.kind = reading.kind_of(name, text)
        if self.kind == "csv":
            return reading.read_csv(text)
        if self.kind == "json":
            return reading.read_json(text)
        tenant, ends_on = cleaned["tenant"], cleaned["secret_ends_on"]
        if tenant is None and not sees_platform(self.request.user):
            self.add_error("tenant", "Choose the tenant whose Cypht this is.")
        if ends_on and start_of(ends_on) <= timezone.now():
            self.add_error("secret_ends_on", "A secret that ends on this day has ended already.")
        return read_env(text, tenant=tenant.slug if tenant else "", cloud=cleaned["cloud"], ends_on=ends_on)

    @sensitive_variables()
    def save(self) -> Import:
        """Keep the rows, each secret sealed, and have a worker check them."""
        name = str(self.files["file"])
        upload = Import(
            kind=self.kind,
            file_name="".join(filter(str.isprintable, name))[-100:] or "file",
            total=len(self.entries),
            created_by=self.request.user,  # type: ignore[misc]  # who may import has signed in
            address=client_address(self.request) or None,
        )
        with transaction.atomic():
            upload.save(force_insert=True)
            ImportRow.objects.bulk_create(_row(upload, entry) for entry in self.entries)
            ring(upload)
        return upload


@sensitive_variables()
def _row(upload: Import, entry: reading.Entry) -> ImportRow:
    row = ImportRow(upload=upload, number=entry.number, cells=entry.cells)
    row.secret = entry.secret or None
    return row


def ring(upload: Import) -> None:
    """Have a worker look at it once this transaction stands. Fails nobody if the broker is down: beat rings again."""
    transaction.on_commit(lambda: work_on_import.delay(upload.pk), robust=True)


def may_import(user: Any) -> bool:
    return bool(user.has_perm("tenants.add_appregistration"))


@sensitive_post_parameters()
def upload_view(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """The page. Reads nothing of the request before it has said where an upload goes, so it checks the CSRF token
    itself, and must be exempt from whoever would read the form to check it before."""
    request.upload_handlers = [InMemoryOnly(request), Dropped(request)]
    return csrf_protect(_upload)(request, model_admin)


def _upload(request: HttpRequest, model_admin: Any) -> HttpResponse:
    if not may_import(request.user):
        raise PermissionDenied
    form = UploadForm(request, request.POST, request.FILES) if request.method == "POST" else UploadForm(request)
    if request.method == "POST" and form.is_valid():
        return HttpResponseRedirect(page_of(form.save()))
    fieldsets: Any = [
        ("File", {"fields": ["file"]}),
        (
            "Only for a Cypht’s .env",
            {
                "fields": ["tenant", "cloud", "secret_ends_on"],
                "description": "Everything in it but Cypht’s own Outlook and Office 365 settings is dropped at once.",
            },
        ),
    ]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Import app registrations",
        "opts": model_admin.opts,
        "media": model_admin.media,
        "adminform": AdminForm(form, fieldsets, {}),  # type: ignore[arg-type]
        "errors": form.errors,
        "columns": COLUMNS,
        "back": reverse("admin:tenants_appregistration_changelist"),
    }
    return TemplateResponse(request, "admin/tenants/import/upload.html", context)


def example_view(request: HttpRequest, kind: str) -> HttpResponse:
    """A file to fill in."""
    if not may_import(request.user):
        raise PermissionDenied
    if kind == "json":
        text = json.dumps(EXAMPLES, indent=2) + "\n"
    else:
        stream = StringIO()
        writer = csv.DictWriter(stream, NAMES)
        writer.writeheader()
        for row in EXAMPLES:
            writer.writerow({name: " ".join(cell) if isinstance(cell, list) else cell for name, cell in row.items()})
        text = "\ufeff" + stream.getvalue()  # by which spreadsheets know UTF-8
    return HttpResponse(
        text,
        content_type=f"{'application/json' if kind == 'json' else 'text/csv'}; charset={settings.DEFAULT_CHARSET}",
        headers={"Content-Disposition": f'attachment; filename="app-registrations.{kind}"'},
    )


class OffersImport:
    """Mixed into the admin of app registrations: the button above its list."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        offered: Any = {"offers_import": may_import(request.user), **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, offered)  # type: ignore[misc]
        return response
