from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join

from monitoring.models import Delivery
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.display import BAD, GOOD, WARNING, ago, badge, link_to

KINDS = {Delivery.State.WAITING: WARNING, Delivery.State.SENT: GOOD, Delivery.State.SET_ASIDE: BAD}
SUBJECT = ["finding__registration", "finding__credential", "finding__connection"]


def state_of(delivery: Delivery) -> Any:
    return badge(KINDS[Delivery.State(delivery.state)], delivery.get_state_display())


def tries_of(delivery: Delivery) -> Any:
    """When it was tried, and what went wrong each time."""
    return (
        format_html_join(
            "",
            '<div class="change">{}: {}</div>',
            (
                (str(entry.get("at", ""))[:16].replace("T", " "), entry.get("problem") or "sent")
                for entry in delivery.tries
            ),
        )
        or "not tried yet"
    )


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["address", "about", "state_shown", "number_of_tries", "next_try", "created_at", "sent_at"]
    list_filter = ["state"]
    list_select_related = ["alert", *(f"alert__{path}" for path in SUBJECT)]
    search_fields = ["address"]
    date_hierarchy = "created_at"
    unsearchable = frozenset({"lease_by"})
    keeps_history = False
    fields = ["address", "about", "state_shown", "tries_shown", "next_try", "created_at", "sent_at"]

    @admin.display(description="alert")
    def about(self, delivery: Delivery) -> Any:
        return link_to(delivery.alert.finding, delivery.alert)

    @admin.display(description="state", ordering="state")
    def state_shown(self, delivery: Delivery) -> Any:
        return state_of(delivery)

    @admin.display(description="tries")
    def number_of_tries(self, delivery: Delivery) -> int:
        return len(delivery.tries)

    @admin.display(description="tries")
    def tries_shown(self, delivery: Delivery) -> Any:
        return tries_of(delivery)

    @admin.display(description="next try", ordering="next_at")
    def next_try(self, delivery: Delivery) -> Any:
        return ago(delivery.next_at) if delivery.state == Delivery.State.WAITING else "none"
