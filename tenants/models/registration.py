import re
import uuid
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from .. import clouds, scopes
from .addresses import AddressesField
from .visibility import TenantScopedQuerySet
from .watched import Watched

# A domain as Entra knows it: contoso.com, contoso.onmicrosoft.com.
DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}")


def as_guid(text: str) -> str | None:
    """The text as a GUID in lower case, or None if it is none."""
    text = text.strip().strip("{}")
    try:
        return str(uuid.UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


class AppRegistrationQuerySet(TenantScopedQuerySet["AppRegistration"]):
    def live(self) -> Self:
        """Those that are looked after: not archived, and of no suspended or archived tenant."""
        return self.filter(archived_at=None, tenant__suspended_at=None, tenant__archived_at=None)


class AppRegistration(Watched):
    """One app registration in Entra: of one tenant, or of none, then it is shared by many."""

    class Audience(models.TextChoices):
        MY_ORG = "AzureADMyOrg", "Accounts in this organizational directory only (Single tenant)"
        MULTIPLE_ORGS = "AzureADMultipleOrgs", "Accounts in any organizational directory (Multitenant)"
        ANY = (
            "AzureADandPersonalMicrosoftAccount",
            "Accounts in any organizational directory (Multitenant) and personal Microsoft accounts",
        )
        PERSONAL = "PersonalMicrosoftAccount", "Personal Microsoft accounts only"

    WITH_PERSONAL = (Audience.ANY, Audience.PERSONAL)

    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.PROTECT,
        related_name="registrations",
        null=True,
        blank=True,
        help_text="Whose registration it is. Leave empty for one that many tenants share.",
    )
    name = models.CharField(max_length=120, help_text="Its name in Entra; people see it when they consent.")
    cloud = models.CharField(max_length=40, default="global", help_text="The Microsoft cloud it is registered in.")
    audience = models.CharField(
        "supported account types", max_length=40, choices=Audience.choices, default=Audience.MY_ORG
    )
    directory = models.CharField(
        "directory (tenant) ID",
        max_length=253,
        blank=True,
        help_text="The Directory (tenant) ID from the registration's overview in Entra, or a domain of that directory.",
    )
    client_id = models.CharField(
        "application (client) ID",
        max_length=36,
        blank=True,
        help_text="The Application (client) ID from the same page. Empty until it is registered in Entra.",
    )
    alert_emails = AddressesField(
        "alert addresses",
        help_text="Who is told when something is wrong, one address a line. Empty: those in the setting ALERT_EMAILS.",
    )
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AppRegistrationQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        indexes = [models.Index(fields=["last_sweep", "id"], name="registration_sweep")]
        constraints = [
            models.UniqueConstraint(
                "cloud",
                "client_id",
                condition=models.Q(archived_at=None) & ~models.Q(client_id=""),
                name="registration_client_id_unique",
                violation_error_message="This application (client) ID is already in use in this cloud.",
            ),
            models.UniqueConstraint(
                "tenant",
                "name",
                condition=models.Q(archived_at=None),
                name="registration_name_unique",
                violation_error_message="This tenant already has a registration of this name.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        errors: dict[str, Any] = {}
        self.client_id = self.client_id or ""
        guid = as_guid(self.client_id)
        if guid is None:
            if self.client_id:
                errors["client_id"] = (
                    "This is not a GUID. Paste the Application (client) ID, "
                    "which looks like 1b2c3d4e-0000-0000-0000-000000000000."
                )
        else:
            self.client_id = guid
        self.directory = (self.directory or "").strip().lower()
        if self.directory:
            directory = as_guid(self.directory)
            if directory:
                self.directory = directory
            elif not DOMAIN.fullmatch(self.directory):
                errors["directory"] = (
                    "This is neither a GUID nor a domain. "
                    "Paste the Directory (tenant) ID, or a domain such as contoso.com."
                )
        elif self.audience == self.Audience.MY_ORG and self.client_id:
            errors["directory"] = (
                "A single-tenant registration signs in through its own directory only: "
                "enter its Directory (tenant) ID or a domain."
            )
        known = clouds.clouds()
        if self.cloud not in known:
            errors["cloud"] = "This cloud is not configured here."
        elif not known[self.cloud].personal_accounts and self.takes_personal:
            errors["audience"] = f"{known[self.cloud].name} has no personal Microsoft accounts."
        if errors:
            raise ValidationError(errors)

    @property
    def consent_directory(self) -> str:
        """The directory part of the authority people are sent to."""
        if self.only_personal:
            return "consumers"
        if self.audience == self.Audience.MY_ORG:
            return self.directory
        return "organizations" if self.audience == self.Audience.MULTIPLE_ORGS else "common"

    @property
    def only_personal(self) -> bool:
        """Are personal accounts all that may sign in to it?"""
        return self.audience == self.Audience.PERSONAL

    @property
    def takes_personal(self) -> bool:
        """May personal accounts sign in to it, alone or beside others?"""
        return self.audience in self.WITH_PERSONAL

    @property
    def signs_in_itself(self) -> bool:
        """Can it sign in without a person, and so show that its secret works? It does so in its own directory only.

        One for personal accounts only does so nowhere: Microsoft answers AADSTS9002331 in every directory.
        """
        return bool(self.directory) and not self.only_personal

    @property
    def redirect_uri(self) -> str:
        """Ours, which must be registered in Entra; one path per cloud (RFC 9700 4.4.2.2)."""
        return f"{settings.SITE_URL}/oauth/callback/{self.cloud}/"

    @property
    def scope_names(self) -> list[str]:
        """The catalogue's names ticked for this registration, in the catalogue's order."""
        ticked = {selection.scope for selection in self.scope_selections.all()}
        return [name for name in scopes.CATALOGUE if name in ticked]

    @property
    def return_urls(self) -> list[str]:
        """Where a link of this registration may send a browser once a consent has ended, to the letter."""
        return self._uris(RedirectURI.Use.RETURN)

    @property
    def product_uris(self) -> list[str]:
        """Redirect URIs of the products that sign in with this registration, such as Cypht's CLIENT_URI."""
        return self._uris(RedirectURI.Use.PRODUCT)

    @property
    def uris_to_register(self) -> list[str]:
        """Every redirect URI the registration must have in Entra, platform Web, each once; ours first."""
        return list(dict.fromkeys([self.redirect_uri, *self.product_uris]))

    def _uris(self, use: str) -> list[str]:
        return [row.uri for row in self.redirect_uris.all() if row.use == use]


class ScopeSelectionQuerySet(TenantScopedQuerySet["ScopeSelection"]):
    tenant_path = "registration__tenant"


class ScopeSelection(models.Model):
    """One scope of the catalogue, ticked for one registration."""

    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, related_name="scope_selections")
    scope = models.CharField(max_length=60)

    objects = ScopeSelectionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint("registration", "scope", name="scope_selection_once")]

    def __str__(self) -> str:
        return self.scope


class RedirectURIQuerySet(TenantScopedQuerySet["RedirectURI"]):
    tenant_path = "registration__tenant"


class RedirectURI(models.Model):
    """An address outside Tenantry that people may be sent to for a registration, to the letter."""

    class Use(models.TextChoices):
        RETURN = "return", "return URL"  # where a browser goes once a consent has ended
        PRODUCT = "product", "redirect URI of a product"  # where Microsoft sends those who sign in to the product

    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, related_name="redirect_uris")
    use = models.CharField(max_length=10, choices=Use.choices, default=Use.RETURN)
    uri = models.CharField("URI", max_length=300)

    objects = RedirectURIQuerySet.as_manager()

    class Meta:
        ordering = ["uri"]
        verbose_name = "redirect URI"
        constraints = [models.UniqueConstraint("registration", "use", "uri", name="redirect_uri_once")]

    def __str__(self) -> str:
        return self.uri
