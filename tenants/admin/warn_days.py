"""A list of days as an operator types it: whole numbers between commas."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

MOST = 365


class DaysFormField(forms.CharField):
    """Empty is None. Shown and kept with the largest first, each once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=100, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        parts = [part.strip() for part in super().clean(value).split(",")]
        days = {self._day(part) for part in parts if part}
        return sorted(days, reverse=True) or None

    def _day(self, part: str) -> int:
        if not part.isascii() or not part.isdecimal() or not 1 <= int(part) <= MOST:
            raise ValidationError(
                "“%(part)s” is not a whole number from 1 to 365. Separate numbers by commas: 60, 30, 7",
                code="invalid",
                params={"part": part},
            )
        return int(part)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or None) != self.clean(data))
        except ValidationError:
            return True
