"""Where in Microsoft's Entra admin center a fault is looked into. No network."""

from typing import NamedTuple
from urllib.parse import quote

from tenants.clouds import clouds

from .models import Finding

# Microsoft names no address for these pages; it is the same fragment in every cloud's admin center.
PAGE = "https://{host}/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/{blade}/appId/{client_id}"

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
    """The page of the registration this concerns; None without one, or where there is none: not registered yet, or in a
    cloud that has no admin center.

    It opens in the directory that the person is signed in to there.
    """
    registration = finding.about
    cloud = clouds().get(registration.cloud) if registration else None
    if registration is None or not registration.client_id or cloud is None or not cloud.portal_host:
        return None
    words, blade = "Registration in Entra", "Overview"
    if finding.credential or finding.kind in SECRETS | OTHER_CREDENTIALS:
        words, blade = "Secrets in Entra", "Credentials"
    elif finding.kind in PERMISSIONS:
        words, blade = "Permissions in Entra", "CallAnAPI"
    client_id = quote(registration.client_id, safe="")
    return EntraPage(words, PAGE.format(host=cloud.portal_host, blade=blade, client_id=client_id))
