"""A form that knows what its row must hold, also in columns it does not show."""

from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError


class WholeRowForm:
    """Mixed into a ModelForm: constraints are checked with columns the form does not show, each error at its field."""

    hidden_but_checked: ClassVar[frozenset[str]] = frozenset(["archived_at"])
    constraint_fields: ClassVar[dict[str, str]] = {}

    def _get_validation_exclusions(self) -> set[str]:
        return super()._get_validation_exclusions() - self.hidden_but_checked  # type: ignore[misc,no-any-return]

    def _update_errors(self, errors: ValidationError) -> None:
        """What the row says of a column that stands read-only in the form is said above the form."""
        shown: Any = self.fields  # type: ignore[attr-defined]
        by_field = getattr(errors, "error_dict", {})
        for name in [name for name in by_field if name not in shown and name != NON_FIELD_ERRORS]:
            by_field.setdefault(NON_FIELD_ERRORS, []).extend(by_field.pop(name))
        super()._update_errors(errors)  # type: ignore[misc]

    def validate_constraints(self) -> None:
        form: Any = self
        for constraint in form.instance._meta.constraints:
            try:
                constraint.validate(type(form.instance), form.instance, exclude=self._get_validation_exclusions())
            except ValidationError as problem:
                form.add_error(self.constraint_fields.get(constraint.name), problem)
