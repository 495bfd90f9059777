from typing import Any

from django.contrib import admin

from monitoring.models import Delivery
from tenants.admin.display import link_to
from tenants.admin.outgoing import OutgoingAdmin

SUBJECT = ["finding__registration", "finding__credential", "finding__connection"]


@admin.register(Delivery)
class DeliveryAdmin(OutgoingAdmin):
    list_display = ["address", "about", "state_shown", "number_of_tries", "next_try", "created_at", "sent_at"]
    list_filter = ["state"]
    list_select_related = ["alert", *(f"alert__{path}" for path in SUBJECT)]
    search_fields = ["address"]
    keeps_history = False
    fields = ["address", "about", "state_shown", "tries_shown", "next_try", "created_at", "sent_at"]

    @admin.display(description="alert")
    def about(self, delivery: Delivery) -> Any:
        return link_to(delivery.alert.finding, delivery.alert)
