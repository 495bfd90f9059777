"""Making a consent link: for whom, for how many accounts, for how long."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from oauth.models import Link
from tenants.models import AppRegistration

DAYS = [1, 3, 7, 14, 30, 90]


class LinkForm(forms.ModelForm):
    days = forms.TypedChoiceField(
        label="Good for",
        coerce=int,
        choices=[(days, f"{days} day{'' if days == 1 else 's'}") for days in DAYS],
        initial=14,
        help_text="After that it opens nothing. It can be revoked at any time.",
    )

    class Meta:
        model = Link
        fields = ["registration", "tenant", "max_uses"]
        labels = {"max_uses": "For how many consents"}
        help_texts = {
            "tenant": "Only for a shared registration: the tenant whose people this link is for. "
            "Else leave it empty, the registration has its tenant.",
            "max_uses": "It is used up once so many consents are complete; the same account twice counts twice. "
            "Opening it uses nothing up.",
        }
        error_messages = {"registration": {"required": "Choose the registration people shall consent to."}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "max_uses" in self.fields:
            self.fields["max_uses"] = forms.IntegerField(
                label="For how many consents",
                min_value=1,
                max_value=100_000,
                initial=1,
                help_text=self.fields["max_uses"].help_text,
                error_messages={"min_value": "A link is for one consent at least."},
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        registration = cleaned.get("registration")
        if registration is None:
            return cleaned
        for missing in _missing(registration):
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
        return cleaned

    def expires_at(self) -> Any:
        return timezone.now() + timedelta(days=self.cleaned_data["days"])


def _missing(registration: AppRegistration) -> list[str]:
    """What a consent through this registration would fail for, each with the way out."""
    missing = []
    secret = registration.credentials.current().first()
    if secret is None:
        missing.append(f"“{registration}” has no client secret yet. Paste one on its page first.")
    elif secret.ends_at and secret.ends_at <= timezone.now():
        missing.append(f"The client secret of “{registration}” has ended. Paste a new one on its page first.")
    if not registration.scope_names:
        missing.append(f"“{registration}” asks for nothing yet. Tick scopes on its page first.")
    return missing
