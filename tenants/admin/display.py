"""How the admin says things: links, statuses with a colour and a word, how long until something ends."""

from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from tenants import ladder
from tenants.models import Tenant

GOOD, WARNING, BAD, QUIET = "good", "warning", "bad", "quiet"


def badge(kind: str, words: str) -> SafeString:
    """Colour for the eye, words for everyone."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, words)


def stacked(main: Any, below: Any) -> SafeString:
    """Two things that belong together in one cell of a list, the second one quieter."""
    return format_html('{}<div class="below">{}</div>', main, below)


def page_of(obj: Model) -> str:
    """The address of this object's page."""
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[quote(obj.pk)])


def list_of(model: type[Model], **filters: Any) -> str:
    """The address of the model's list, filtered."""
    query = {name: str(value) for name, value in filters.items()}
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=query or None)


def link_to(obj: Model | None, words: Any = None) -> SafeString | str:
    if obj is None:
        return "-"
    return format_html('<a href="{}">{}</a>', page_of(obj), words if words is not None else obj)


def ends(moment: datetime | None, tenant: Tenant | None) -> tuple[str, str]:
    """How serious, and in words, when a secret of this tenant's, or of a shared registration, ends."""
    if moment is None:
        return WARNING, "no end date"
    left = moment - timezone.now()
    days = ceil(left / timedelta(days=1))  # as the finding counts them
    if days <= 0:
        return BAD, f"ended {ago(moment)}"
    words = f"ends in {days} days" if days > 1 else "ends within a day"
    return (WARNING if ladder.reached(left, ladder.days_for(tenant)) else GOOD), words


def times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def ago(moment: datetime | None) -> str:
    """ "3 hours ago", by its largest unit."""
    if moment is None:
        return "never"
    if (timezone.now() - moment).total_seconds() < 60:
        return "just now"
    return f"{timesince(moment, depth=1)} ago"


def moment_of(moment: datetime | None) -> SafeString | str:
    """A moment in the site's time zone, which it names."""
    if moment is None:
        return "-"
    return format_html(
        '<time datetime="{}">{}</time>', moment.isoformat(), f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"
    )


def day(moment: datetime | None) -> str:
    """The UTC day of a moment that is meant as a day."""
    return f"{moment.astimezone(timezone.get_fixed_timezone(0)):%Y-%m-%d}" if moment else ""


def sees_platform(user: Any) -> bool:
    return bool(user.has_perm("staff.view_platform"))
