"""The admin's side of history: what a form changed becomes an Event, and an object's history page shows its Events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.contrib.auth.forms import ReadOnlyPasswordHashField
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from tenants.client_address import client_address
from tenants.models import Event, Tenant

CHANGED = "changed"


def record(request: HttpRequest, subject: Model, verb: str, *, changes: dict[str, Any] | None = None) -> None:
    """One line of history for what the signed-in user does now."""
    Event.objects.record(
        actor=request.user,
        verb=verb,
        subject=subject,
        tenant=subject if isinstance(subject, Tenant) else getattr(subject, "tenant", None),
        changes=changes,
        address=client_address(request),
    )


def changes_in(form: Any, formsets: Any) -> dict[str, Any]:
    """Label -> [old, new] of what was entered; of a secret only that it changed."""
    changes: dict[str, Any] = {}
    for name in form.changed_data:
        field = form.fields.get(name)
        label = str(field.label or name.replace("_", " ")).lower() if field else name
        if field is None or _is_secret(field):
            changes[label] = CHANGED
        else:
            changes[label] = [_plain(field, form.initial.get(name)), _plain(field, form.cleaned_data.get(name))]
    for formset in formsets or []:
        gone = [str(row) for row in formset.deleted_objects]
        come = [str(row) for row in [*formset.new_objects, *(row for row, _ in formset.changed_objects)]]
        if gone or come:
            changes[str(formset.model._meta.verbose_name_plural)] = [gone, come]
    return changes


def _is_secret(field: forms.Field) -> bool:
    return isinstance(field, ReadOnlyPasswordHashField) or isinstance(field.widget, forms.PasswordInput)


def _plain(field: forms.Field, value: Any) -> Any:
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, QuerySet | list | tuple | set):
        return [_plain(field, item) for item in value]
    if isinstance(field, forms.ModelChoiceField) and value not in field.empty_values:
        try:
            return str(field.to_python(value))
        except ValidationError:
            return str(value)
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


@dataclass(frozen=True)
class Line:
    """One changed field as a page shows it; `old` and `new` are empty where the value is a secret."""

    label: str
    old: str = ""
    new: str = ""


def lines(event: Event) -> Iterator[Line]:
    for label, change in event.changes.items():
        if isinstance(change, list) and len(change) == 2:
            yield Line(label, _text(change[0]), _text(change[1]))
        else:
            yield Line(label)


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    if isinstance(value, bool):
        value = "yes" if value else "no"
    return "nothing" if value in (None, "") else str(value)
