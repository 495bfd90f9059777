"""The one form in which an operator types what Entra shows of an app registration."""

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from tenants import clouds, scopes
from tenants.models import AppRegistration, Credential, RedirectURI, ScopeSelection
from tenants.models.credential import LONGEST_IN_ENTRA, check_secret_value, start_of
from tenants.models.registration import as_guid
from tenants.redirect_uris import URIsField
from tenants.sealed_forms import SealedInput

from .display import day
from .forms import WholeRowForm
from .scope_boxes import ScopesField

ASKED_WITH = ("cloud", "audience", "directory", "client_id")  # besides the secret, when it is tried at Microsoft


class Day(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class RegistrationForm(WholeRowForm, forms.ModelForm):
    cloud = forms.ChoiceField(label="Cloud", help_text="The Microsoft cloud it is registered in.")
    secret = forms.CharField(
        label="Client secret (Value)",
        required=False,
        widget=SealedInput,
        max_length=400,
        help_text="From Certificates &amp; secrets in Entra: the Value, not the Secret ID. It is never shown again. "
        "Leave empty to keep what is stored; a new one replaces it.",
    )
    secret_ends_on = forms.DateField(
        label="Client secret ends on",
        required=False,
        widget=Day,
        help_text="The day in the Expires column beside it; at most 24 months after it was made. "
        "Without a new Value this corrects the end date of the stored one.",
        error_messages={"invalid": "This is not a day. Enter it as year-month-day, for example 2027-01-31."},
    )
    scopes = ScopesField(label="Scopes", required=False)
    product_uris = URIsField(
        label="Redirect URIs of your products",
        required=False,
        help_text="Where your products have Microsoft send the people who sign in, one a line, such as Cypht's "
        "CLIENT_URI. They are registered in Entra beside Tenantry's own, compared to the letter.",
    )
    return_urls = URIsField(
        label="Return URLs",
        required=False,
        help_text="Where a consent link may send the browser once a consent has ended, one a line: addresses of the "
        "product that asks. Compared to the letter; https only, but for localhost. Nothing secret is sent along.",
    )

    constraint_fields = {"registration_client_id_unique": "client_id", "registration_name_unique": "name"}
    hidden_but_checked = frozenset({"archived_at", "tenant", "cloud"})  # tenant and cloud may stand read-only

    class Meta:
        model = AppRegistration
        fields = ["tenant", "name", "cloud", "audience", "directory", "client_id", "alert_emails"]
        widgets = {"audience": forms.RadioSelect}
        error_messages = {
            "name": {"required": "Give it the name it has in Entra."},
            "tenant": {"required": "Choose the tenant this registration belongs to."},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored: Credential | None = None
        if self.instance.pk:
            self.stored = Credential.objects.current().filter(registration=self.instance).first()
            self.initial["scopes"] = self.instance.scope_names
            self.initial["product_uris"] = self.instance.product_uris
            self.initial["return_urls"] = self.instance.return_urls
            self._tell_apart_what_is_left_alone()
        if "client_id" in self.fields:  # room for the spaces and braces that are copied along
            self.fields["client_id"].widget.attrs.pop("maxlength", None)
            self.fields["client_id"].validators = []
        if "cloud" in self.fields:
            self.fields["cloud"].choices = self._clouds()  # type: ignore[attr-defined]

    def _tell_apart_what_is_left_alone(self) -> None:
        """The page says what stood in these boxes when it was loaded: a secret drop may have filled them since."""
        for name in {"client_id", "directory"} & set(self.fields):
            is_told = not self.is_bound or self.add_initial_prefix(name) in self.data
            self.fields[name].show_hidden_initial = is_told

    def _entered(self, name: str) -> str:
        """What was typed. A box that was left alone means what stands there by now, and not what it showed."""
        stands: str = getattr(self.instance, name)
        if not self.fields[name].show_hidden_initial:
            return str(self.cleaned_data[name])
        if name not in self.changed_data:
            return stands
        entered = str(self.cleaned_data[name])
        if self.data[self.add_initial_prefix(name)] != stands != (as_guid(entered) or entered.lower()):
            raise forms.ValidationError("It was entered meanwhile. Load the page again to see what stands there now.")
        return entered

    def _clouds(self) -> list[tuple[str, str]]:
        known = {key: cloud.name for key, cloud in clouds.clouds().items()}
        current = self.instance.cloud
        return [*known.items(), *([] if current in known else [(current, f"{current} (no longer configured)")])]

    @sensitive_variables()
    def clean_secret(self) -> str:
        value: str = self.cleaned_data["secret"]
        if value:
            check_secret_value(value)
        return value

    def clean_secret_ends_on(self) -> date | None:
        ends_on: date | None = self.cleaned_data["secret_ends_on"]
        if ends_on and start_of(ends_on) <= timezone.now():
            raise forms.ValidationError("A secret that ends on this day has ended already: make a new one in Entra.")
        return ends_on

    def clean_scopes(self) -> list[str]:
        names: list[str] = self.cleaned_data["scopes"]
        try:
            scopes.family_of(names)
        except scopes.MixedFamilies as mixed:
            raise forms.ValidationError(str(mixed)) from mixed
        return names

    @sensitive_variables()
    def clean_client_id(self) -> str:
        entered = self._entered("client_id")
        return as_guid(entered) or entered

    def clean_directory(self) -> str:
        entered = self._entered("directory")
        return as_guid(entered) or entered

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        value, ends_on = cleaned.get("secret"), cleaned.get("secret_ends_on")
        if value and not ends_on and "secret_ends_on" not in self.errors:
            self.add_error("secret_ends_on", "Enter the day this secret ends; Entra shows it in the Expires column.")
        if ends_on and not value and not self.stored and "secret" not in self.errors:
            self.add_error("secret", "Paste the Value of the secret that ends on this day.")
        if value and "client_id" in self.fields and not cleaned.get("client_id") and "client_id" not in self.errors:
            self.add_error(
                "client_id",
                "Paste the Application (client) ID that the secret is of, from the registration's overview.",
            )
        self._check_family(cleaned)
        return cleaned

    def _check_family(self, cleaned: dict[str, Any]) -> None:
        cloud = clouds.clouds().get(cleaned.get("cloud") or self.instance.cloud)
        names = cleaned.get("scopes") or []
        if cloud and not cloud.outlook_host and names and scopes.family_of(names) == scopes.IMAP:
            self.add_error("scopes", f"{cloud.name} has no host for IMAP, POP and SMTP; tick Graph's scopes.")

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors and "secret" not in self.errors and self.data.get(self.add_prefix("secret")):
            self.add_error("secret", "The Value was not kept, as a page never shows it again. Paste it once more.")

    def asks_otherwise(self) -> bool:
        """Is Microsoft asked something else by now with the secret that is stored?"""
        changed = [name for name in ASKED_WITH if name in self.changed_data]
        return self.stored is not None and any(self.initial[name] != getattr(self.instance, name) for name in changed)

    def is_longer_than_entra_allows(self) -> bool:
        ends_on = self.cleaned_data.get("secret_ends_on")
        return bool(ends_on and start_of(ends_on) - timezone.now() > LONGEST_IN_ENTRA)

    def old_end(self) -> str:
        return day(self.stored.ends_at) if self.stored else ""

    def save_scopes(self) -> None:
        ticked, before = set(self.cleaned_data["scopes"]), set(self.initial.get("scopes", []))
        ScopeSelection.objects.filter(registration=self.instance, scope__in=before - ticked).delete()
        ScopeSelection.objects.bulk_create(
            [ScopeSelection(registration=self.instance, scope=name) for name in sorted(ticked - before)]
        )

    def save_uris(self) -> None:
        self._save_uris("return_urls", RedirectURI.Use.RETURN)
        self._save_uris("product_uris", RedirectURI.Use.PRODUCT)

    def _save_uris(self, name: str, use: str) -> None:
        entered, before = self.cleaned_data[name], self.initial.get(name, [])
        gone = [uri for uri in before if uri not in entered]
        RedirectURI.objects.filter(registration=self.instance, use=use, uri__in=gone).delete()
        RedirectURI.objects.bulk_create(
            [RedirectURI(registration=self.instance, use=use, uri=uri) for uri in entered if uri not in before]
        )

    @sensitive_variables()
    def save_secret(self) -> None:
        """A new value replaces the current secret; a date alone corrects when the stored one ends."""
        value, ends_on = self.cleaned_data["secret"], self.cleaned_data["secret_ends_on"]
        if not ends_on:
            return
        if value:
            Credential.objects.replace(self.instance, value, start_of(ends_on))
        elif self.stored:
            Credential.objects.filter(pk=self.stored.pk).update(ends_at=start_of(ends_on), ends_at_typed=True)
