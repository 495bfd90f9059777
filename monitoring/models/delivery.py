from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from tenants.models import Tenant
from tenants.models.outgoing import LEASE, MAIL, Outgoing, OutgoingQuerySet
from tenants.models.visibility import TenantScopedQuerySet

from .alert import Alert
from .channel import Channel

TO_ADDRESS, TO_CONTACT, TO_CHANNEL = "email:", "contact:", "channel:"  # how targets begin

LONGEST_TRY = timedelta(minutes=1)  # at a channel; whoever has one in hand for longer has died of it
PACE = timedelta(seconds=1)  # between two messages to one channel; more is more than Slack takes


class DeliveryQuerySet(OutgoingQuerySet["Delivery"]):
    def due(self) -> Self:
        """What is to be sent now, and in nobody's hands. Of one finding, a target is told the earlier thing first.

        A digest neither waits for others nor holds them up.
        """
        return self._in_order(super().due()).filter(_paced(timezone.now()))

    def due_soon(self) -> Self:
        return self._in_order(super().due()).filter(_paced(timezone.now() + 2 * PACE))

    def _in_order(self, due: Self) -> Self:
        mine = DeliveryAlert.objects.filter(delivery=models.OuterRef(models.OuterRef("pk")))
        earlier = DeliveryAlert.objects.filter(
            delivery__state=Delivery.State.WAITING,
            delivery__digest_at=None,
            delivery__created_at__lt=models.OuterRef("created_at"),
            target=models.OuterRef("target"),
            alert__finding__in=mine.values("alert__finding"),
        )
        return due.filter(models.Q(digest_at__isnull=False) | ~models.Exists(earlier))

    def besides(self, lanes: Collection[str]) -> Self:
        others = self.exclude(target__in=lanes)
        return others.filter(target__startswith=TO_CHANNEL) if MAIL in lanes else others

    def may_go(self, row: "Delivery") -> bool:
        """Of one channel never two within a second, nor one while the answer to another may still say "wait"."""
        if row.lane == MAIL:
            return True
        just_now = Now() + LEASE - LONGEST_TRY
        under_way = self.filter(channel=models.OuterRef("pk"), target=row.target, lease_until__gt=just_now)
        return bool(Channel.objects.filter(deliveries=row).exclude(models.Exists(under_way)).pace(PACE))

    def send_again(self) -> list["Delivery"]:
        """Those that were set aside are due once more, for another three days; which those are."""
        now = timezone.now()
        rows = list(self.filter(state=Delivery.State.SET_ASIDE))
        for row in rows:
            row.state, row.next_at = Delivery.State.WAITING, now
            row.tries.append({"at": now.isoformat(timespec="seconds"), "problem": "to be sent again", "again": True})
        self.bulk_update(rows, ["state", "next_at", "tries"])
        return rows


def _paced(now: datetime) -> models.Q:
    """To whose channel another message may go by then."""
    to_mail = ~models.Q(target__startswith=TO_CHANNEL)
    return to_mail | models.Q(channel__next_at=None) | models.Q(channel__next_at__lte=now)


class Delivery(Outgoing):
    """One message on its way to one target, an address or a channel, with one alert or many.

    `channel` is set for every message that a channel asked for, also where it goes to an address of a channel by email.
    """

    address = models.EmailField(blank=True)
    target = models.CharField(max_length=400, help_text="email:<address>, contact:<address> or channel:<uuid>.")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, related_name="deliveries")
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Whose, if it tells of one tenant only.",
    )
    digest_at = models.DateTimeField(null=True, help_text="The daily digest it is; none: sent as soon as possible.")
    is_group = models.BooleanField(default=False, help_text="Further alerts join it until it is first tried.")
    is_test = models.BooleanField(default=False, help_text="It tells of nothing: somebody pressed Send test.")
    alerts: "models.ManyToManyField[Alert, DeliveryAlert]" = models.ManyToManyField(
        Alert, through="DeliveryAlert", related_name="deliveries"
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["state", "next_at"], name="delivery_due")]
        constraints = [
            models.UniqueConstraint(
                "target", "digest_at", condition=models.Q(digest_at__isnull=False), name="delivery_one_digest"
            ),
        ]

    def __str__(self) -> str:
        return f"Message of {self.created_at:%Y-%m-%d %H:%M} UTC"  # to whom is not for everybody who may see it

    @property
    def lane(self) -> str:
        return self.target if self.target.startswith(TO_CHANNEL) else MAIL


class DeliveryAlertQuerySet(TenantScopedQuerySet["DeliveryAlert"]):
    tenant_path = "alert__finding__tenant"


class DeliveryAlert(models.Model):
    """That an alert goes to a target, once, and in which message."""

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="carried")
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="carried")
    target = models.CharField(max_length=400)

    objects = DeliveryAlertQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint("alert", "target", name="delivery_alert_once")]

    def __str__(self) -> str:
        return f"{self.alert} to {self.target}"
