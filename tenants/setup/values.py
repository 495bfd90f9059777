"""What a registration is to be in Entra: the values that are entered there, by whichever way."""

from dataclasses import dataclass
from datetime import date, timedelta

from tenants import scopes
from tenants.clouds import Cloud, clouds
from tenants.models import AppRegistration

GRAPH_APP = "00000003-0000-0000-c000-000000000000"  # Microsoft Graph, in every directory
SECRET_DAYS = 365  # an option of Entra's form; Microsoft recommends no more than that, and takes 24 months

Audience = AppRegistration.Audience
# Microsoft, "Understand the app manifest": with personal accounts, access tokens are of version 2 only.
WITH_PERSONAL = (Audience.ANY, Audience.PERSONAL)
# As the form says it today, and as older portals do.
ACCOUNT_TYPES = {
    Audience.MY_ORG: "Single tenant only",
    Audience.MULTIPLE_ORGS: "Multiple Entra ID tenants",
    Audience.ANY: "Any Entra ID Tenant + Personal Microsoft accounts",
    Audience.PERSONAL: "Personal accounts only",
}


@dataclass(frozen=True)
class Permission:
    """One delegated permission of Microsoft Graph's list, by name and ID."""

    name: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Values:
    """All that is entered in Entra, or told to a tool that enters it. Holds no secret."""

    name: str
    audience: str
    account_types: str
    account_types_before: str
    cloud: Cloud | None
    directory: str
    client_id: str
    uris: tuple[str, ...]
    permissions: tuple[Permission, ...]
    secret_name: str
    secret_ends_on: date


def values_of(registration: AppRegistration, today: date) -> Values:
    """The registration's own values. Without a ticked scope its permissions are those always asked for."""
    names = scopes.permissions_listed(registration.scope_names)
    return Values(
        name="".join(character for character in " ".join(registration.name.split()) if character.isprintable()),
        audience=registration.audience,
        account_types=ACCOUNT_TYPES[Audience(registration.audience)],
        account_types_before=registration.get_audience_display(),
        cloud=clouds().get(registration.cloud),
        directory=registration.directory,
        client_id=registration.client_id,
        uris=tuple(registration.uris_to_register),
        permissions=tuple(Permission(name, scopes.PERMISSION_IDS[name]) for name in names),
        secret_name=f"Tenantry {today:%Y-%m}",
        secret_ends_on=today + timedelta(days=SECRET_DAYS),
    )
