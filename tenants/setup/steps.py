"""The steps by which a registration becomes what it is to be, in the Entra admin center's own words.

Words of the Entra admin center as of 2026 (Microsoft, "Register an application", "Add and manage app credentials");
where an older portal has others, both are told.
"""

from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from tenants import portal

from .values import Audience, NewSecret, Values


@dataclass(frozen=True)
class Known:
    """How far it has come, as far as Tenantry can tell. None: it cannot."""

    registered: bool = False
    audience: bool | None = None
    own_uri: bool | None = None
    other_uris: bool | None = None
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

    def named_copies(self) -> list[tuple[str, Copy]]:
        """Each with an ID of its own on the page."""
        return [(f"{self.key}-{number}", copy) for number, copy in enumerate(self.copies)]


def steps(values: Values, known: Known) -> list[Step]:
    """From nothing to a client secret, in the order of the admin center."""
    made = [_register(values, known), _ids(values, known)]
    if len(values.uris) > 1:
        made.append(_more_uris(values, known))
    made += [_permissions(values, known), _consent(values, known)]
    return [*made, _secret(values, values.new_secret, known)] if values.new_secret else made


def _register(values: Values, known: Known) -> Step:
    if known.registered and False in (known.audience, known.own_uri):
        return _register_again(values)
    before = _("Older portals call these account types “%(before)s”.") % {"before": values.account_types_before}
    return Step(
        key="register",
        title=_("Register the application"),
        where=_("Entra ID → App registrations → New registration"),
        url=portal.list_of_apps(values.cloud),
        lines=(
            before,
            _("Redirect URI: choose the platform “Web”, not “Single-page application”, and paste the address."),
            _("Press “Register”."),
        ),
        copies=(Copy(_("Name"), values.name), *_account_types_and_uri(values)),
        done=known.registered,
    )


def _register_again(values: Values) -> Step:
    return Step(
        key="register",
        title=_("Correct the registration"),
        where=_("Manage → Authentication"),
        url=portal.page_of_app(values.cloud, values.client_id, portal.AUTHENTICATION),
        lines=(
            _("It is registered, but with other account types or without this redirect URI, as last seen in Entra."),
            _("Change what differs, to the letter, and press “Save”. The platform of the redirect URI is “Web”."),
        ),
        copies=_account_types_and_uri(values),
        done=False,
    )


def _account_types_and_uri(values: Values) -> tuple[Copy, ...]:
    return (
        Copy(_("Supported account types"), values.account_types),
        Copy(_("Redirect URI"), values.uris[0]),
    )


def _ids(values: Values, known: Known) -> Step:
    asked = _("Copy “Application (client) ID” and “Directory (tenant) ID”: they are asked for at the end.")
    sent = _(
        "Copy “Application (client) ID” and “Directory (tenant) ID” and send both to whoever sent you this page; "
        "neither is a secret."
    )
    ids = [(_("Application (client) ID"), values.client_id), (_("Directory (tenant) ID"), values.directory)]
    return Step(
        key="ids",
        title=_("Note the two IDs"),
        where=_("Overview of the new registration"),
        url=portal.page_of_app(values.cloud, values.client_id, portal.OVERVIEW),
        lines=(
            asked if values.new_secret else sent,
            _("The “Object ID” beside them is neither of the two."),
        ),
        copies=tuple(Copy(field, text) for field, text in ids if text),
        done=known.registered and bool(values.directory or values.audience == Audience.PERSONAL),
    )


def _more_uris(values: Values, known: Known) -> Step:
    return Step(
        key="uris",
        title=_("Add the other redirect URIs"),
        where=_("Manage → Authentication → Add redirect URI → Web"),
        url=portal.page_of_app(values.cloud, values.client_id, portal.AUTHENTICATION),
        lines=(
            _("Older portals: “Add a platform” → “Web”, then “Add URI”."),
            _("Microsoft compares them to the letter, also the last slash. Press “Save”."),
        ),
        copies=tuple(Copy(_("Redirect URI"), uri) for uri in values.uris[1:]),
        done=known.other_uris,
    )


def _permissions(values: Values, known: Known) -> Step:
    return Step(
        key="permissions",
        title=_("Add the permissions"),
        where=_("Manage → API permissions → Add a permission → Microsoft Graph → Delegated permissions"),
        url=portal.page_of_app(values.cloud, values.client_id, portal.PERMISSIONS),
        lines=(
            _("Search for each name, tick it, and press “Add permissions” once all are ticked."),
            _("Choose “Delegated permissions”, never “Application permissions”: those would open every mailbox."),
        ),
        copies=tuple(Copy(_("Permission"), permission.name) for permission in values.permissions),
        done=known.permissions,
    )


def _consent(values: Values, known: Known) -> Step:
    lines: tuple[str, ...] = (_("Nothing to do: owners of personal accounts consent for themselves."),)
    if values.audience != Audience.PERSONAL:
        lines = (
            _(
                "Press “Grant admin consent for …” and confirm. It takes an Application Administrator, a Cloud "
                "Application Administrator or a Privileged Role Administrator."
            ),
            _("The column “Status” then has a green tick on every line. Without it people meet “Need admin approval”."),
        )
    return Step(
        key="consent",
        title=_("Grant admin consent"),
        where=_("Manage → API permissions"),
        url=portal.page_of_app(values.cloud, values.client_id, portal.PERMISSIONS),
        lines=lines,
        done=values.audience == Audience.PERSONAL or known.consent,
    )


def _secret(values: Values, secret: NewSecret, known: Known) -> Step:
    lasts = _("Expires: “365 days (12 months)”, until %(day)s. 24 months is the longest, and “Never” is gone.")
    return Step(
        key="secret",
        title=_("Make a client secret"),
        where=_("Manage → Certificates & secrets → Client secrets → New client secret"),
        url=portal.page_of_app(values.cloud, values.client_id, portal.CREDENTIALS),
        lines=(
            lasts % {"day": date_format(secret.ends_on, "j F Y")},
            _("Press “Add” and copy the “Value” at once: it is never shown again. The “Secret ID” is not the secret."),
            _("Note the day in the column “Expires”."),
        ),
        copies=(Copy(_("Description"), secret.name),),
        done=known.secret,
    )
