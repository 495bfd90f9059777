"""Registrations that can be exported, and their exports."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import RequestFactory
from django.utils import timezone
from django.views.debug import ExceptionReporter

from tenants.exports import DIALECTS, Export, exportable
from tenants.exports import export as export_one
from tenants.exports.handing_out import export_with_secrets
from tenants.models import AppRegistration, RedirectURI, Tenant
from tests.factories import make_credential, make_registration, make_secret, make_superuser, make_tenant

URI = "https://mail.example.com/"
REASON = "The new mail server"


def make_exportable(
    tenant: Tenant | None = None, *, uris: tuple[str, ...] = (URI,), secret: str = "", **fields: Any
) -> AppRegistration:
    """A registration with a client secret and redirect URIs of products."""
    if tenant is None and not fields.get("shared"):
        tenant = make_tenant()
    registration = make_registration(tenant, **{"name": "Contoso Mail", **fields})
    make_credential(registration, value=secret or make_secret())
    for uri in uris:
        RedirectURI.objects.create(registration=registration, use=RedirectURI.Use.PRODUCT, uri=uri)
    return fresh(registration)


def fresh(registration: AppRegistration) -> AppRegistration:
    """As an export would load it."""
    return exportable(AppRegistration.objects.all()).get(pk=registration.pk)


def exported(registration: AppRegistration, key: str, **options: Any) -> Export:
    return export_one(registration, DIALECTS[key], **options)


def with_secret(registration: AppRegistration, key: str, **options: Any) -> Export:
    """Its export with the client secret, through the door."""
    found = export_with_secrets([registration], DIALECTS[key], by=make_superuser(), reason=REASON, **options)
    if found.refused:
        raise found.refused[0]
    [export] = found.exports
    return export


def text_of(export: Export) -> str:
    [file] = export.files
    return file.text


def end(registration: AppRegistration, days: float) -> AppRegistration:
    """Its client secret ends in so many days."""
    registration.credentials.current().update(ends_at=timezone.now() + timedelta(days=days))
    return fresh(registration)


def error_page(raises: Callable[[], Any]) -> str:
    """What Django would show of the error, with every variable of every function on the way."""
    try:
        raises()
    except Exception as problem:
        trace = (
            problem.__traceback__.tb_next if problem.__traceback__ else None
        )  # without this function's own variables
        report = ExceptionReporter(RequestFactory().get("/"), type(problem), problem, trace)
        return str(report.get_traceback_html() + report.get_traceback_text())
    raise AssertionError("There was no error.")
