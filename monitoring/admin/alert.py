from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from monitoring.models import Alert, Delivery
from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.counts import counted
from tenants.admin.display import link_to
from tenants.admin.outgoing import state_of, tries_of
from tenants.admin.pages import Page, Panel

from .delivery import SUBJECT, recipient, with_recipients


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """One announcement; what became of it stands in its deliveries."""

    list_display = ["created_at", "says", "about", "told", "delivery_count"]
    list_select_related = SUBJECT
    date_hierarchy = "created_at"
    keeps_history = False
    fields = ["created_at", "says", "about"]

    @admin.display(description="says")
    def says(self, alert: Any) -> str:
        if alert.reminder:
            return "it is still so, after a snooze"
        return {"opened": "something is wrong", "worse": "it got worse", "resolved": "it is resolved"}[alert.news]

    @admin.display(description="finding")
    def about(self, alert: Alert) -> Any:
        return link_to(alert.finding)

    @admin.display(description="sent")
    def told(self, alert: Any) -> int:
        return alert.sent_count  # type: ignore[no-any-return]

    @admin.display(description="deliveries")
    def delivery_count(self, alert: Any) -> int:
        return alert.delivery_count  # type: ignore[no-any-return]

    def get_queryset(self, request: HttpRequest) -> Any:
        deliveries = Delivery.objects.visible_to(request.user)
        sent = deliveries.filter(state=Delivery.State.SENT)
        alerts: Any = super().get_queryset(request)
        counts = {"delivery_count": counted(deliveries, "alerts"), "sent_count": counted(sent, "alerts")}
        return alerts.with_news().annotate(**counts)

    def page(self, request: HttpRequest, obj: Alert) -> Page:
        page = super().page(request, obj)
        deliveries = with_recipients(obj.deliveries.visible_to(request.user), request.user)
        page.panels.append(
            Panel(
                title="Deliveries",
                columns=["To", "State", "Tries"],
                rows=[[link_to(row, recipient(row)), state_of(row), tries_of(row)] for row in deliveries],
                empty="Nobody was told: there is no alert address or channel for it.",
            )
        )
        return page
