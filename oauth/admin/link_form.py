"""Making a consent link: for whom, for how many accounts, for how long, and where it leads in the end."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from oauth.id_token import PERSONAL
from oauth.models import Link
from tenants.models import AppRegistration
from tenants.models.registration import DOMAIN, as_guid

DAYS = [1, 3, 7, 14, 30, 90]
MOST_USES = 100_000


class DaysField(forms.TypedChoiceField):
    """For how long an address is good."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            label="Good for",
            coerce=int,
            choices=[(days, f"{days} day{'' if days == 1 else 's'}") for days in DAYS],
            initial=14,
            help_text="After that it opens nothing. It can be revoked at any time.",
            **options,
        )


class UsesField(forms.IntegerField):
    """How many consents a link is good for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            label="For how many consents",
            min_value=1,
            max_value=MOST_USES,
            initial=1,
            help_text="1 for one person. For everyone in the company, as many as there are mailboxes: one link for all "
            "of them. Only completed consents count, the same account twice counts twice.",
            error_messages={"min_value": "A link is for one consent at least."},
            **options,
        )


def expiry(days: int) -> datetime:
    return timezone.now() + timedelta(days=days)


class LinkForm(forms.ModelForm):
    days = DaysField()

    class Meta:
        model = Link
        fields = ["registration", "tenant", "max_uses", "expected_address", "expected_directory", "return_url"]
        help_texts = {
            "tenant": "Only for a shared registration: the tenant whose people this link is for. "
            "Else leave it empty, the registration has its tenant.",
            "expected_address": "The mailbox it is for. Another account that comes back is refused, and nothing of it "
            "is kept. Empty: any account of the directory.",
            "expected_directory": "The Directory (tenant) ID of the company, or its domain; accounts of other "
            "directories are refused. A single-tenant registration takes its own only, so leave it empty there.",
            "return_url": "Where the browser goes in the end: one of the registration's return URLs, to the letter. "
            "Empty: the person stays on a page that says what happened.",
        }
        error_messages = {
            "registration": {"required": "Choose the registration people shall consent to."},
            "expected_address": {"invalid": "This is not an email address."},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "max_uses" in self.fields:
            self.fields["max_uses"] = UsesField()

    def clean_expected_address(self) -> str:
        return str(self.cleaned_data["expected_address"]).lower()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        registration = cleaned.get("registration")
        if registration is None:
            return cleaned
        for missing in missing_of(registration, f"“{registration}”"):
            self.add_error("registration", missing)
        chosen = cleaned.get("tenant")
        if registration.tenant is None and chosen is None and "tenant" not in self.errors:
            self.add_error(
                "tenant" if "tenant" in self.fields else None,
                f"“{registration}” is shared by many: choose the tenant this link is for.",
            )
        elif registration.tenant and chosen and chosen != registration.tenant:
            self.add_error("tenant", f"“{registration}” belongs to {registration.tenant}. Leave the tenant empty.")
        cleaned["tenant"] = registration.tenant or chosen
        if cleaned["tenant"] and cleaned["tenant"].suspended_at:
            self.add_error("registration", f"{cleaned['tenant']} is suspended. Resume it first.")
        self._check_directory(cleaned, registration)
        self._check_return_url(cleaned, registration)
        return cleaned

    def _check_directory(self, cleaned: dict[str, Any], registration: AppRegistration) -> None:
        entered = cleaned.get("expected_directory", "").strip().lower()
        directory = as_guid(entered) or entered
        cleaned["expected_directory"] = directory
        if not directory:
            return
        problem = problem_with_directory(directory, registration)
        if problem:
            self.add_error("expected_directory", problem)
        elif registration.audience == AppRegistration.Audience.MY_ORG:
            cleaned["expected_directory"] = ""  # it pins its own by itself, also after a correction there

    def _check_return_url(self, cleaned: dict[str, Any], registration: AppRegistration) -> None:
        entered = cleaned.get("return_url")
        known = registration.return_urls
        if not entered or entered in known:
            return
        if known:
            words = f"This is not one of the return URLs of “{registration}”: {', '.join(known)}."
        else:
            words = f"“{registration}” has no return URLs. Add this one on its page first, under Return URLs."
        self.add_error("return_url", words)

    def expires_at(self) -> datetime:
        return expiry(self.cleaned_data["days"])


def problem_with_directory(directory: str, registration: AppRegistration) -> str:
    """Why no account of this directory could come through this registration; empty where it can."""
    audiences = AppRegistration.Audience
    if as_guid(directory) is None and not DOMAIN.fullmatch(directory):
        return (
            "This is neither a GUID nor a domain. Paste the company's Directory (tenant) ID, or a domain such as "
            "contoso.com."
        )
    if registration.audience == audiences.PERSONAL:
        return f"“{registration}” takes personal Microsoft accounts only, which have no directory. Leave it empty."
    if directory == PERSONAL:
        return "This stands for all personal Microsoft accounts. Leave it empty and name the account instead."
    if registration.audience == audiences.MY_ORG and directory != registration.directory:
        return f"“{registration}” takes accounts of its own directory only ({registration.directory}). Leave it empty."
    return ""


def missing_of(registration: AppRegistration, called: str) -> list[str]:
    """What a consent through this registration would fail for, each with the way out."""
    missing = []
    if not registration.client_id:
        missing.append(f"{called} has no client ID yet. Follow its Setup page first.")
    secret = registration.credentials.current().first()
    if secret is None:
        missing.append(f"{called} has no client secret yet. Paste one on its page first.")
    elif secret.ends_at and secret.ends_at <= timezone.now():
        missing.append(f"The client secret of {called} has ended. Paste a new one on its page first.")
    if not registration.scope_names:
        missing.append(f"{called} asks for nothing yet. Tick scopes on its page first.")
    return missing
