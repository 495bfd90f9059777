"""The values of one registration that an integrator needs, found out once, for every dialect."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.utils import timezone
from django.utils.text import slugify

from tenants import clouds, scopes
from tenants.fields import SecretUnreadable
from tenants.models import AppRegistration, Credential
from tenants.models.credential import LEFT_OUT

from .export import CannotExport, named, one_line

HOW_TO_GET_IT = (
    f"The client secret is left out: {LEFT_OUT} stands in its place. Whoever may export client secrets gets it, with "
    "a reason that is recorded, under Export on the registration's page in Tenantry or with the command export_config."
)


@dataclass(frozen=True)
class Values:
    """`client_secret` is None where it is left out, which it is unless it was asked for."""

    registration: AppRegistration
    cloud: clouds.Cloud
    made_at: datetime
    credential: Credential | None
    client_secret: str | None = field(default=None, repr=False)
    chosen_uri: str = ""

    @property
    def title(self) -> str:
        return named(self.registration)

    @property
    def stem(self) -> str:
        """What the names of this registration's files begin with."""
        tenant = self.registration.tenant
        words = slugify(f"{tenant.slug if tenant else 'shared'} {self.registration.name}")[:60].strip("-")
        return f"{words}-{self.registration.pk}"

    @property
    def secret_or_placeholder(self) -> str:
        return LEFT_OUT if self.client_secret is None else self.client_secret

    @property
    def authority(self) -> str:
        return self.cloud.authority(self.registration.consent_directory)

    @property
    def authorize_endpoint(self) -> str:
        """Where people's browsers are sent."""
        return f"{self.cloud.sign_in_origin}/{self.registration.consent_directory}/oauth2/v2.0/authorize"

    @property
    def token_endpoint(self) -> str:
        return f"{self.authority}/oauth2/v2.0/token"

    @property
    def permissions(self) -> tuple[str, ...]:
        """In Microsoft's words: what is asked for, then what signing in needs."""
        return scopes.permissions_listed(self.registration.scope_names)

    @property
    def request_scopes(self) -> list[str]:
        """What the parameter `scope` holds when somebody is sent to Microsoft; empty where nothing is ticked."""
        names = self.registration.scope_names
        if not names:
            return []
        if scopes.family_of(names) == scopes.IMAP and not self.cloud.outlook_host:
            raise self.cannot(
                "It asks for scopes of IMAP, POP and SMTP, for which its cloud has no host.",
                "Give the cloud an outlook_host in EXTRA_CLOUDS, or tick scopes of Microsoft Graph.",
            )
        asked = scopes.request_scopes(names, self.cloud)
        return [*asked, *(name for name in scopes.OIDC if name not in asked)]

    @property
    def headline(self) -> str:
        return f"{self.title}, exported by Tenantry on {self.made_at.astimezone(UTC):%Y-%m-%d}."

    def about_secret(self) -> list[str]:
        """What to know of the client secret: whether it is in there, and when it ends."""
        told = [] if self.client_secret is not None else [HOW_TO_GET_IT]
        if self.credential is None:
            return [*told, "No client secret is stored in Tenantry for this registration."]
        ends_at = self.credential.ends_at
        if ends_at is None:
            return [*told, "When the client secret ends is not known."]
        day = f"{ends_at.astimezone(UTC):%Y-%m-%d}"
        if ends_at <= self.made_at:
            return [
                *told,
                f"The client secret ended on {day}: Microsoft refuses it. Enter a new one, then export again.",
            ]
        return [*told, f"The client secret ends on {day} (UTC). Export again once it has been replaced."]

    def product_uri(self) -> str:
        """The one redirect URI of a product. Raises CannotExport where there is none, or nobody chose among several."""
        uris = self.registration.product_uris
        if self.chosen_uri and self.chosen_uri not in uris:
            raise self.cannot(
                f"“{one_line(self.chosen_uri)}” is not among the redirect URIs of its products.",
                "Choose one of them, or enter it on the registration's page first.",
            )
        if not uris:
            raise self.cannot(
                "It has no redirect URI of a product.",
                "Enter the product's address on the registration's page, under “Redirect URIs of your products”, and "
                "register it in Entra.",
            )
        if not self.chosen_uri and len(uris) > 1:
            raise self.cannot(
                f"Its products have {len(uris)} redirect URIs, and the file holds one.",
                f"Choose one of them: {', '.join(uris)}.",
            )
        return self.chosen_uri or uris[0]

    def cannot(self, reason: str, way_out: str) -> CannotExport:
        return CannotExport(self.registration, reason, way_out)


def values_of(
    registration: AppRegistration, *, of_registered: bool = True, with_secret: bool = False, chosen_uri: str = ""
) -> Values:
    """Raises CannotExport where something is missing, or a secret that is asked for is not there or not readable."""
    if registration.archived_at or (registration.tenant and registration.tenant.archived_at):
        raise CannotExport(registration, "It is archived.", "Its secrets are shredded; nothing of it is exported.")
    try:
        cloud = clouds.cloud(registration.cloud)
    except clouds.UnknownCloud as unknown:
        raise CannotExport(registration, "Its cloud is not configured here.", str(unknown)) from unknown
    if of_registered and not registration.client_id:
        raise CannotExport(
            registration,
            "It has no application (client) ID yet.",
            "Register it in Entra and enter its ID on the registration's page.",
        )
    if of_registered and not registration.consent_directory:
        raise CannotExport(
            registration,
            "It signs in through its own directory, and has none.",
            "Enter its Directory (tenant) ID on the registration's page.",
        )
    stored = (row for row in registration.credentials.all() if row.value is not None)
    credential = next((row for row in stored if row.slot == Credential.Slot.CURRENT), None)
    return Values(
        registration=registration,
        cloud=cloud,
        made_at=timezone.now(),
        credential=credential,
        client_secret=_revealed(registration, credential) if with_secret else None,
        chosen_uri=chosen_uri,
    )


def _revealed(registration: AppRegistration, credential: Credential | None) -> str:
    """The one place where a secret leaves."""
    if credential is None or credential.value is None:
        raise CannotExport(
            registration, "No client secret is stored.", "Paste one on the registration's page, or export without it."
        )
    try:
        return credential.value.reveal("export")
    except SecretUnreadable as unreadable:
        raise CannotExport(
            registration,
            "The stored client secret cannot be read.",
            f"{unreadable} It can be exported without the secret.",
        ) from unreadable
