from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join

from monitoring.models import Delivery
from tenants.admin.display import link_to
from tenants.admin.outgoing import OutgoingAdmin

SUBJECT = ["finding__registration", "finding__credential", "finding__connection"]


@admin.register(Delivery)
class DeliveryAdmin(OutgoingAdmin):
    list_display = ["address", "about", "state_shown", "number_of_tries", "next_try", "created_at", "sent_at"]
    list_filter = ["state"]
    list_select_related = ["channel"]
    search_fields = ["address"]
    keeps_history = False
    fields = ["address", "about", "state_shown", "tries_shown", "next_try", "created_at", "sent_at"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related(*(f"alerts__{path}" for path in SUBJECT))

    @admin.display(description="alert")
    def about(self, delivery: Delivery) -> Any:
        return format_html_join(", ", "{}", ((link_to(alert.finding, alert),) for alert in delivery.alerts.all()))
