"""The form of a channel: what each kind needs, and nothing secret shown again."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.views.decorators.debug import sensitive_variables

from monitoring.kinds import KINDS
from monitoring.models import Channel
from monitoring.transports import catalogue, guard
from tenants.admin.display import sees_platform
from tenants.admin.forms import WholeRowForm


class ChannelForm(WholeRowForm, forms.ModelForm):
    kinds = forms.MultipleChoiceField(
        label="Kinds",
        required=False,
        choices=[(name, kind.what) for name, kind in KINDS.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text="Only findings of these kinds. None chosen: all.",
    )

    constraint_fields = {"channel_name_of_tenant_unique": "name", "channel_name_for_all_unique": "name"}
    hidden_but_checked = frozenset({"tenant", "kind"})  # they may stand read-only
    user: Any  # who fills it in; the admin's subclass knows

    class Meta:
        model = Channel
        fields = ["name", "kind", "tenant", "addresses", "url", "least_severity", "kinds"]
        widgets = {"kind": forms.RadioSelect, "least_severity": forms.RadioSelect}
        error_messages = {
            "name": {"required": "Give it a name by which you know it in lists and alerts."},
            "kind": {"required": "Choose how its alerts are sent."},
        }
        help_texts = {
            "url": "Of a webhook: its https address. Of a chat or on-call service: the https address that the service "
            "gave you for incoming messages, or its Apprise address (such as pagerduty://…). It is a secret and never "
            "shown again.",
            "addresses": "One address a line.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.place = self.instance.place
        if "kind" in self.fields:
            kind: Any = self.fields["kind"]
            kind.choices = Channel.Kind.choices  # a row of buttons needs none for "nothing"
        if "url" in self.fields and not self.instance._state.adding:
            self.fields["url"].help_text = f"{self.fields['url'].help_text} Leave it empty to keep what is stored."
        if "tenant" in self.fields and not sees_platform(self.user):
            self.fields["tenant"].required = True
            self.fields["tenant"].error_messages["required"] = "Choose the tenant whose alerts go there."
            self.fields["tenant"].help_text = "Only what concerns this tenant."

    @property
    def kind(self) -> str:
        kind: str = self.cleaned_data.get("kind") or self.instance.kind
        return kind

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self._check_addresses(cleaned)
        self._check_url(cleaned)
        return cleaned

    def _check_addresses(self, cleaned: dict[str, Any]) -> None:
        addresses = cleaned.get("addresses")
        if self.kind == Channel.Kind.EMAIL and not addresses and "addresses" not in self.errors:
            self.add_error("addresses", "Enter at least one address.")
        elif self.kind and self.kind != Channel.Kind.EMAIL and addresses:
            self.add_error("addresses", "Only a channel by email has these. Leave it empty.")

    @sensitive_variables()
    def _check_url(self, cleaned: dict[str, Any]) -> None:
        url = cleaned.get("url")
        if not self.kind or "url" in self.errors:
            return
        if self.kind == Channel.Kind.EMAIL:
            if url:
                self.add_error("url", "A channel by email has none. Leave it empty.")
        elif not url:
            self.add_error("url", "Paste the address that messages are sent to.")
        elif isinstance(url, str):  # else it is what was stored before
            check = self._webhook if self.kind == Channel.Kind.WEBHOOK else self._service
            self._take_place(check, url)

    @sensitive_variables()
    def _take_place(self, check: Callable[[str], str], url: str) -> None:
        try:
            self.place = check(url)
        except (guard.Refused, catalogue.Unusable) as refusal:
            self.add_error("url", str(refusal))

    @sensitive_variables()
    def _webhook(self, url: str) -> str:
        return guard.parse(url).place

    @sensitive_variables()
    def _service(self, url: str) -> str:
        service, plugin = catalogue.service_of(url)
        if service.hosts is None and not sees_platform(self.user):
            raise catalogue.Unusable(
                f"{service.name} is on a host of its own, and only who sees the platform may name one. "
                f"These may be used: {catalogue.named(catalogue.FIXED)}."
            )
        return catalogue.place_of(service, plugin)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors and "url" not in self.errors and self.data.get(self.add_prefix("url")):
            self.add_error("url", "The address was not kept, as a page never shows it again. Paste it once more.")
