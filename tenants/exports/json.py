"""JSON of a documented, stable shape (docs/exports.md), for programs, and for an import to read again."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tenants import scopes

from .export import Dialect, Export, File
from .values import Values

FORMAT = 1  # goes up when something is renamed, removed or means something else; not when something is added


def write(values: Values) -> Export:
    warnings = tuple(values.about_secret())
    document = _document([_registration(values, warnings)], values.made_at)
    return Export(values.title, (File(f"{values.stem}.json", document),), warnings)


def together(exports: Sequence[Export]) -> Export:
    """One document that lists all of them."""
    documents = [json.loads(file.text) for export in exports for file in export.files]
    rows = [row for document in documents for row in document["registrations"]]
    text = _text({**documents[0], "registrations": rows})
    warnings = tuple(f"{export.title}: {warning}" for export in exports for warning in export.warnings)
    return Export(f"{len(rows)} registrations", (File("registrations.json", text),), warnings)


def _registration(values: Values, warnings: tuple[str, ...]) -> dict[str, Any]:
    registration, cloud, tenant = values.registration, values.cloud, values.registration.tenant
    names = registration.scope_names
    return {
        "tenant": {"name": tenant.name, "slug": tenant.slug} if tenant else None,
        "name": registration.name,
        "cloud": {"key": cloud.key, "name": cloud.name},
        "hosts": {"login": cloud.login_host, "graph": cloud.graph_host, "outlook": cloud.outlook_host},
        "audience": registration.audience,
        "directory": registration.directory or None,
        "authority": values.authority,
        "authorize_endpoint": values.authorize_endpoint,
        "token_endpoint": values.token_endpoint,
        "client_id": registration.client_id,
        "client_secret": values.client_secret,
        "client_secret_left_out": values.client_secret is None,
        "client_secret_ends_at": _moment(values.credential.ends_at if values.credential else None),
        "redirect_uris": {"tenantry": registration.redirect_uri, "products": registration.product_uris},
        "return_urls": registration.return_urls,
        "alert_emails": registration.alert_emails,
        "scopes": [{"name": name, "permission": scopes.CATALOGUE[name].permission} for name in names],
        "permissions": list(values.permissions),
        "request_scopes": values.request_scopes,
        "warnings": list(warnings),
    }


def _document(registrations: list[dict[str, Any]], made_at: datetime) -> str:
    return _text({"format": FORMAT, "exported_at": _moment(made_at), "registrations": registrations})


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _moment(moment: datetime | None) -> str | None:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else None


JSON = Dialect(
    key="json",
    label="JSON",
    purpose="everything, for programs and to be imported again: one document, of one or many registrations",
    write=write,
    together=together,
)
