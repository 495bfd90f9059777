from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils.html import format_html_join

from monitoring.models import Channel, Delivery, DeliveryAlert
from monitoring.models.delivery import TO_CONTACT
from tenants.admin import history
from tenants.admin.counts import counted
from tenants.admin.display import link_to, moment_of
from tenants.admin.outgoing import OutgoingAdmin

from .bell import ring

SUBJECT = [f"finding__{name}" for name in ("registration", "credential", "connection", "channel")]


def recipient(delivery: Any) -> str:
    """Whom it goes to; of a channel for all tenants, who does not see that learns no more than that it is one."""
    if delivery.channel is not None and not delivery.sees_channel:
        return "a channel for all tenants"
    if delivery.target.startswith(TO_CONTACT):
        return f"{delivery.address} (contact)"
    return delivery.address or str(delivery.channel)


def with_recipients(deliveries: Any, user: Any) -> Any:
    """With what `recipient` needs to know."""
    seen = Channel.objects.visible_to(user).filter(pk=OuterRef("channel"))
    return deliveries.select_related("channel").annotate(sees_channel=Exists(seen))


@admin.register(Delivery)
class DeliveryAdmin(OutgoingAdmin):
    when_empty = "No alert has been sent yet."
    list_display = ["to", "about", "state_shown", "number_of_tries", "next_try", "created_at", "sent_at"]
    list_filter = ["state"]
    search_fields = ["address"]
    actions = ["send_again"]
    page_actions = ("send_again",)
    fields = ["to", "kind", "about_all", "state_shown", "tries_shown", "next_try", "created_at", "sent_at"]

    def get_queryset(self, request: HttpRequest) -> Any:
        deliveries = with_recipients(super().get_queryset(request), request.user)
        return deliveries.annotate(alert_count=counted(DeliveryAlert.objects.all(), "delivery"))

    @admin.display(description="to", ordering="address")
    def to(self, delivery: Delivery) -> str:
        return recipient(delivery)

    @admin.display(description="kind")
    def kind(self, delivery: Delivery) -> Any:
        if delivery.is_test:
            return "a test"
        if delivery.digest_at:
            return f"the digest of {moment_of(delivery.digest_at)}"
        return "several alerts together" if delivery.is_group else "one alert"

    @admin.display(description="alert")
    def about(self, delivery: Any) -> Any:
        if delivery.is_test:
            return "a test"
        return "none" if not delivery.alert_count else f"{delivery.alert_count} alerts"

    @admin.display(description="alerts")
    def about_all(self, delivery: Delivery) -> Any:
        alerts = delivery.alerts.select_related(*SUBJECT).order_by("pk")
        return (
            format_html_join("", '<div class="change">{}</div>', ((link_to(row.finding, row),) for row in alerts))
            or "none"
        )

    @admin.action(description="Send again", permissions=["operate"])
    def send_again(self, request: HttpRequest, queryset: Any) -> None:
        rows = Delivery.objects.filter(pk__in=queryset.values("pk")).send_again()
        for row in rows:
            history.record(request, row, "sent again")
        if rows:
            ring()
            self.message_user(request, f"On their way again: {len(rows)}.", messages.SUCCESS)
        else:
            self.message_user(request, "Nothing to do: only what was set aside is sent again.", messages.WARNING)

    def offers(self, action: str, obj: Delivery) -> bool:
        return obj.state == Delivery.State.SET_ASIDE
