"""The client secrets of a registration as its page lists them: those entered here, and those Entra lists besides."""

from typing import Any

from django.db.models import ExpressionWrapper, Q
from django.db.models.fields import BooleanField
from django.utils.html import format_html

from tenants.models import AppRegistration, Credential

from .display import QUIET, ago, badge, day, stacked
from .pages import Panel
from .panels import SHOWN


def stored_secrets(registration: AppRegistration) -> Panel:
    has_value = ExpressionWrapper(Q(value__isnull=False), output_field=BooleanField())
    is_current = ExpressionWrapper(Q(slot=Credential.Slot.CURRENT), output_field=BooleanField())
    rows: Any = registration.credentials.defer("value").annotate(has_value=has_value)
    rows = rows.order_by(is_current.desc(), "-created_at")[:SHOWN]  # the one that signs in comes first
    return Panel(
        title="Stored client secrets",
        columns=["Begins with", "Use", "Ends", "Entered"],
        rows=[[_begins(row), _use(row, registration), end_day(row), _entered(row)] for row in rows],
        empty="None yet.",
    )


def end_day(credential: Credential) -> str:
    """The day it ends, and who says so."""
    if credential.ends_at is None:
        return "no end date"
    return f"{day(credential.ends_at)} ({'typed by hand' if credential.ends_at_typed else 'as Entra says'})"


def _begins(row: Any) -> Any:
    hint = f"{row.hint}…" if row.hint else "not known"
    if row.key_id is None:
        return hint
    return stacked(hint, format_html('<span class="identifier">{}</span>', row.key_id))


def _use(row: Any, registration: AppRegistration) -> Any:
    words = row.get_slot_display() or "retired"
    if not row.has_value and not row.slot:
        words = "shredded" if registration.archived_at else "in Entra only: never entered here"
    return stacked(words, badge(QUIET, f"gone in Entra since {day(row.removed_at)}")) if row.removed_at else words


def _entered(row: Any) -> str:
    return ago(row.created_at) if row.has_value else "-"
