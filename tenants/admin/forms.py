"""A form that knows what its row must hold, also in columns it does not show."""

from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError


class WholeRowForm:
    """Mixed into a ModelForm: constraints are checked with columns the form does not show, each error at its field."""

    hidden_but_checked: ClassVar[frozenset[str]] = frozenset(["archived_at"])
    constraint_fields: ClassVar[dict[str, str]] = {}

    def _get_validation_exclusions(self) -> set[str]:
        said: set[str] = set(self.errors)  # type: ignore[attr-defined]
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - (self.hidden_but_checked - said)

    def _update_errors(self, errors: ValidationError) -> None:
        """Each error where the person can mend it: a constraint's at its field, a column's that is fixed above all."""
        form: Any = self
        fields = {
            constraint.violation_error_message: self.constraint_fields.get(constraint.name, NON_FIELD_ERRORS)
            for constraint in form.instance._meta.constraints
        }
        placed: dict[str, list[ValidationError]] = {}
        for name, problems in errors.update_error_dict({}).items():
            for problem in problems:
                field = fields.get(problem.message, name)
                placed.setdefault(field if field in form.fields else NON_FIELD_ERRORS, []).append(problem)
        super()._update_errors(ValidationError(placed))  # type: ignore[misc]
