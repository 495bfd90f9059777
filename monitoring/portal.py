"""Where in Microsoft's Entra admin center a fault is looked into. No network."""

from typing import NamedTuple

from tenants import portal
from tenants.clouds import clouds

from .models import Finding

SECRETS = {"no_secret", "secret_ending", "secret_expired", "secret_invalid", "secret_missing"}
OTHER_CREDENTIALS = {"certificate_invalid", "federated_credential_invalid"}
PERMISSIONS = {
    "admin_consent_required", "consent_missing", "invalid_scope", "resource_missing", "scopes_missing",
    "service_missing",
}  # fmt: skip


class EntraPage(NamedTuple):
    words: str
    url: str


def entra_page(finding: Finding) -> EntraPage | None:
    """The page of the registration this concerns; None without one, and where it has none."""
    registration = finding.about
    if registration is None:
        return None
    words, blade = "Registration in Entra", portal.OVERVIEW
    if finding.credential or finding.kind in SECRETS | OTHER_CREDENTIALS:
        words, blade = "Secrets in Entra", portal.CREDENTIALS
    elif finding.kind in PERMISSIONS:
        words, blade = "Permissions in Entra", portal.PERMISSIONS
    url = portal.page_of_app(clouds().get(registration.cloud), registration.client_id, blade)
    return EntraPage(words, url) if url else None
