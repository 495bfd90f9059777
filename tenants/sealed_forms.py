"""How a person enters a secret: it is never shown again, and left empty it stays what it is."""

from typing import Any

from django import forms

from .fields import Sealed


class SealedInput(forms.PasswordInput):
    """A password box that never renders a value, stored or posted, and need not be filled when one is stored."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        attrs = {"autocomplete": "new-password", "spellcheck": "false", **(attrs or {})}
        super().__init__(attrs=attrs, render_value=False)

    def use_required_attribute(self, initial: Any) -> bool:
        return super().use_required_attribute(initial) and not isinstance(initial, Sealed)


class SealedFormField(forms.CharField):
    """Cleans to the text that was entered, or to what is stored where nothing was."""

    widget = SealedInput

    def _clean_bound_field(self, bf: forms.BoundField) -> Any:
        is_kept = self.disabled or not self.to_python(bf.data)
        return bf.initial if is_kept and isinstance(bf.initial, Sealed) else self.clean(bf.data)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return not self.disabled and bool(self.to_python(data))
