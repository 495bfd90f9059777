"""What a registration is to be in Entra: the values, and the steps to them in the admin center's own words.

Words of the Entra admin center as of 2026 (Microsoft, "Register an application", "Add and manage app credentials");
where an older portal has others, both are told.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from . import portal, scopes
from .clouds import Cloud, clouds
from .models import AppRegistration

GRAPH_APP = "00000003-0000-0000-c000-000000000000"  # Microsoft Graph, in every directory
SECRET_DAYS = 365  # an option of Entra's form; Microsoft recommends less than twelve months at most twenty-four

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
        name=registration.name,
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


@dataclass(frozen=True)
class Known:
    """How far it has come, as far as Tenantry can tell. None: it cannot."""

    registered: bool = False
    uris: bool | None = None
    permissions: bool | None = None
    consent: bool | None = None
    secret: bool = False
    verified: bool = False


@dataclass(frozen=True)
class Copy:
    """A value to copy, and the field of Entra's it goes into."""

    field: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step in the admin center. `lines` are what to do there, `copies` what to enter; `done` as in Known."""

    key: str
    title: str
    where: str
    url: str
    lines: tuple[str, ...]
    copies: tuple[Copy, ...] = ()
    done: bool | None = None


def steps(values: Values, known: Known) -> list[Step]:
    """From nothing to a client secret, in the order of the admin center."""
    made = [_register(values, known), _ids(values, known)]
    if len(values.uris) > 1:
        made.append(_more_uris(values, known))
    return [*made, _permissions(values, known), _consent(values, known), _secret(values, known)]


def _register(values: Values, known: Known) -> Step:
    return Step(
        key="register",
        title="Register the application",
        where="Entra ID → App registrations → New registration",
        url=portal.list_of_apps(values.cloud),
        lines=(
            f"Supported account types: “{values.account_types}”. "
            f"Older portals call it “{values.account_types_before}”.",
            "Redirect URI: choose the platform “Web”, not “Single-page application”, and paste the address.",
            "Press “Register”.",
        ),
        copies=(Copy("Name", values.name), Copy("Redirect URI", values.uris[0])),
        done=known.registered,
    )


def _ids(values: Values, known: Known) -> Step:
    return Step(
        key="ids",
        title="Note the two IDs",
        where="Overview of the new registration",
        url=portal.page_of_app(values.cloud, values.client_id, portal.OVERVIEW),
        lines=(
            "Copy “Application (client) ID” and “Directory (tenant) ID”. Both are entered here at the end.",
            "“Object ID” is neither of them.",
        ),
        copies=tuple(
            Copy(field, text)
            for field, text in [
                ("Application (client) ID", values.client_id),
                ("Directory (tenant) ID", values.directory),
            ]
            if text
        ),
        done=known.registered and bool(values.directory),
    )


def _more_uris(values: Values, known: Known) -> Step:
    return Step(
        key="uris",
        title="Add the other redirect URIs",
        where="Manage → Authentication → Add redirect URI → Web",
        url=portal.page_of_app(values.cloud, values.client_id, portal.AUTHENTICATION),
        lines=(
            "Older portals: “Add a platform” → “Web”, then “Add URI”.",
            "Microsoft compares them to the letter, also the last slash. Press “Save”.",
        ),
        copies=tuple(Copy("Redirect URI", uri) for uri in values.uris[1:]),
        done=known.uris,
    )


def _permissions(values: Values, known: Known) -> Step:
    return Step(
        key="permissions",
        title="Add the permissions",
        where="Manage → API permissions → Add a permission → Microsoft Graph → Delegated permissions",
        url=portal.page_of_app(values.cloud, values.client_id, portal.PERMISSIONS),
        lines=(
            "Search for each name, tick it, and press “Add permissions” when all are ticked.",
            "Choose “Delegated permissions”, never “Application permissions”: those would open every mailbox.",
        ),
        copies=tuple(Copy("Permission", permission.name) for permission in values.permissions),
        done=known.permissions,
    )


def _consent(values: Values, known: Known) -> Step:
    lines: tuple[str, ...] = ("Nothing to do: owners of personal accounts consent for themselves.",)
    if values.audience != Audience.PERSONAL:
        lines = (
            "Press “Grant admin consent for …” and confirm. It needs a Cloud Application Administrator, an Application "
            "Administrator or a Privileged Role Administrator.",
            "The Status column then shows a green tick on every line. Without it people meet “Need admin approval”.",
        )
    return Step(
        key="consent",
        title="Grant admin consent",
        where="Manage → API permissions",
        url=portal.page_of_app(values.cloud, values.client_id, portal.PERMISSIONS),
        lines=lines,
        done=known.consent,
    )


def _secret(values: Values, known: Known) -> Step:
    return Step(
        key="secret",
        title="Make a client secret",
        where="Manage → Certificates & secrets → Client secrets → New client secret",
        url=portal.page_of_app(values.cloud, values.client_id, portal.CREDENTIALS),
        lines=(
            f"Expires: “365 days (12 months)”, which is {values.secret_ends_on:%d %B %Y}. 24 months is the longest; "
            "“Never” is gone. Press “Add”.",
            "Copy the “Value” at once: it is never shown again. The “Secret ID” beside it is not the secret.",
            "Note the day in the “Expires” column.",
        ),
        copies=(Copy("Description", values.secret_name),),
        done=known.secret,
    )
