"""A list of email addresses, one per line in a form, JSON in the database."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from tenants.addresses import is_address


def _split(text: str) -> list[str]:
    parts = text.replace(",", "\n").replace(";", "\n").splitlines()
    return [part.strip() for part in parts if part.strip()]


class AddressesFormField(forms.CharField):
    widget = forms.Textarea(attrs={"rows": 2, "cols": 50})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return _split(super().to_python(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != _split(data or "")


class AddressesField(models.JSONField):
    """A list of email addresses; empty by default."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs = {"default": list, "blank": True, **kwargs}
        super().__init__(*args, **kwargs)

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        for address in value or []:
            if not is_address(address):
                raise ValidationError(
                    "“%(address)s” is not an email address.", code="invalid", params={"address": address}
                )

    def formfield(self, form_class: Any = None, choices_form_class: Any = None, **kwargs: Any) -> forms.Field | None:
        return models.Field.formfield(self, form_class=AddressesFormField, **{"required": False, **kwargs})
