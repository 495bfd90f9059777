"""What is written to people, for how long the link is good, and to whom it goes."""

from collections.abc import Collection
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError

from oauth import mails
from oauth.models import Link
from oauth.models.mail import ADDRESS
from tenants.addresses import is_address
from tenants.models import AppRegistration
from tenants.models.addresses import AddressesFormField
from tenants.models.registration import as_guid

from .link_form import DaysField, UsesField, expiry, problem_with_directory
from .recipients import Group, name_for

MOST_ADDRESSES = 500


class InvitationForm(forms.Form):
    key = forms.UUIDField(widget=forms.HiddenInput)  # of this page, so that what it sends is sent once
    subject = forms.CharField(
        max_length=150,
        widget=forms.TextInput(attrs={"size": 70}),
        help_text="{tenant} stands for the tenant's name, {ends} for when the link ends.",
    )
    text = forms.CharField(
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 14, "cols": 80}),
        help_text="{link} stands for the address of each link, on a line of its own; {tenant} and {ends} may be used "
        "too. Every address gets a link of its own, which is made when the mail is sent.",
    )
    days = DaysField()
    max_uses = UsesField()
    only_theirs = forms.BooleanField(
        label="Each link takes only the account it was mailed to",
        required=False,
        help_text="Another account that comes back is refused. Only for addresses that are what people sign in with: "
        "not for one that reads a shared mailbox, or hands the mail on to colleagues.",
    )

    def __init__(self, data: Any, *, purpose: str) -> None:
        subject, text = mails.invitation(purpose)
        super().__init__(data, initial={"subject": subject, "text": text, "key": uuid4()})
        if purpose != Link.Purpose.CONSENT:
            # One account is connected again, or nobody consents to anything.
            del self.fields["max_uses"], self.fields["only_theirs"]

    def clean_subject(self) -> str:
        subject = str(self.cleaned_data["subject"])
        if ADDRESS in subject:
            raise ValidationError("{link} belongs in the text only: subjects are shown and kept in many places.")
        _refuse_unknown(subject)
        return subject

    def clean_text(self) -> str:
        text = str(self.cleaned_data["text"])
        _refuse_unknown(text)
        if not mails.has_one_link(text):
            raise ValidationError("The text must hold {link} once, on a line of its own: there the address will stand.")
        return text

    def expires_at(self) -> Any:
        return expiry(self.cleaned_data["days"])


def _refuse_unknown(text: str) -> None:
    if unknown := mails.unknown_placeholders(text):
        named = ", ".join(dict.fromkeys(unknown))
        known = ", ".join(sorted(mails.PLACEHOLDERS))
        raise ValidationError(f"Nothing is known to fill in for {named}. There are {known}.")


class RecipientsField(AddressesFormField):
    """Email addresses, each once, however it is written."""

    def clean(self, value: Any) -> Any:
        addresses: list[str] = super().clean(value)
        for address in addresses:
            if not is_address(address):
                raise ValidationError(f"“{address}” is not an email address.")
        return list({address.lower(): address for address in addresses}.values())


class GroupForm(forms.Form):
    """One tenant or connection; whoever empties the box leaves it out."""

    registration = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    addresses = RecipientsField(label="Addresses", required=False, help_text="One a line. Empty: nobody here gets one.")

    directory = forms.CharField(
        label="Expected directory",
        required=False,
        max_length=253,
        help_text="The company's Directory (tenant) ID, or its domain: accounts of other directories are refused. "
        "Empty: any directory that the registration takes.",
    )

    def __init__(self, data: Any, *, group: Group, user: Any, connected: Collection[str] = ()) -> None:
        only = group.registrations[0].pk if len(group.registrations) == 1 else None
        super().__init__(data, prefix=group.key, initial={"registration": only, "addresses": group.addresses})
        self.group = group
        if group.connection or all(row.tenant_id for row in group.registrations):
            del self.fields["directory"]
        if connected:
            self.fields["addresses"].help_text += f" Connected already: {', '.join(sorted(connected))}."
        choices: Any = [(row.pk, name_for(row, user)) for row in group.registrations]
        self.fields["registration"].choices = choices if only else [("", "Choose one"), *choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("addresses") and not cleaned.get("registration") and "registration" not in self.errors:
            self.add_error("registration", "Choose the registration these people shall consent to.")
        entered = str(cleaned.get("directory", "")).lower()
        directory = as_guid(entered) or entered
        if directory and cleaned.get("registration"):
            problem = problem_with_directory(directory, self.chosen)
            if problem:
                self.add_error("directory", problem)
            elif self.chosen.audience == AppRegistration.Audience.MY_ORG:
                directory = ""  # it pins its own by itself, also after a correction there
        cleaned["directory"] = directory
        return cleaned

    @property
    def chosen(self) -> AppRegistration:
        key = self.cleaned_data["registration"]
        return next(row for row in self.group.registrations if row.pk == key)
