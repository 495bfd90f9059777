"""What a registration is to be in Entra: the values that are entered there, by whichever way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext as _

from tenants import scopes
from tenants.clouds import Cloud, clouds
from tenants.models import AppRegistration

GRAPH_APP = "00000003-0000-0000-c000-000000000000"  # Microsoft Graph, in every directory
SECRET_DAYS = 365  # an option of Entra's form; Microsoft recommends no more than that, and takes 24 months

Audience = AppRegistration.Audience
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


@dataclass(frozen=True)
class NewSecret:
    """The client secret that is to be made: what it is called there, and its last day."""

    name: str
    ends_on: date


class NoSuchCloud(LookupError):
    """The tool has no name for this cloud; the message says what to do instead."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """All that is entered in Entra, or told to a tool that enters it. Holds no secret.

    Without a new secret, none is to be made there: whoever follows this has no way to hand it over.
    """

    name: str
    audience: str
    account_types: str
    account_types_before: str
    cloud: Cloud | None
    directory: str
    client_id: str
    uris: tuple[str, ...]
    permissions: tuple[Permission, ...]
    new_secret: NewSecret | None

    @property
    def only_version_2(self) -> bool:
        """With personal accounts, access tokens are of version 2 only (Microsoft, "Understand the app manifest")."""
        return self.audience in AppRegistration.WITH_PERSONAL

    def cloud_in(self, names: Mapping[str, str], unknown: str) -> tuple[Cloud, str]:
        """The cloud, and what a tool calls it. Raises NoSuchCloud with these words about `%(cloud)s`."""
        name = names.get(self.cloud.key) if self.cloud else None
        if self.cloud is None or name is None:
            raise NoSuchCloud(unknown % {"cloud": self.cloud.name if self.cloud else _("this cloud")})
        return self.cloud, name


def values_of(registration: AppRegistration, today: date, *, with_secret: bool = True) -> Values:
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
        new_secret=NewSecret(f"Tenantry {today:%Y-%m}", today + timedelta(days=SECRET_DAYS)) if with_secret else None,
    )
