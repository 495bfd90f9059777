import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import ClassVar, Self, TypeVar

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from .visibility import TenantScopedQuerySet

MAIL = "mail"  # the lane of all that leaves through the mail server
LEASE = timedelta(minutes=10)  # longer than a mail server may keep one message waiting, step by step

_Row = TypeVar("_Row", bound="Outgoing")


class OutgoingQuerySet(TenantScopedQuerySet[_Row]):
    def due(self) -> Self:
        """What is to be sent now, and in nobody's hands."""
        waiting = self.filter(state=Outgoing.State.WAITING, next_at__lte=timezone.now())
        # By the database's clock: one process whose own is wrong takes nothing out of another's hands.
        return waiting.filter(models.Q(lease_until=None) | models.Q(lease_until__lte=Now()))

    def due_soon(self) -> Self:
        """What is due but for a moment's pace between two messages of its lane."""
        return self.due()

    def besides(self, lanes: Collection[str]) -> Self:
        """Without what belongs to these lanes."""
        return self.none() if MAIL in lanes else self.all()

    def may_go(self, row: _Row) -> bool:
        """Whether its lane takes a message at this very moment; a yes counts as one sent."""
        return True

    def claim(self, pk: uuid.UUID) -> _Row | None:
        """This row, to be sent by the caller and nobody else, or None. A new try is on record from here on."""
        row = self.due().filter(pk=pk).first()
        if row is None or not self.may_go(row):
            return None
        unchanged = self.filter(pk=pk, state=Outgoing.State.WAITING, lease_by=row.lease_by, next_at=row.next_at)
        row.lease_by = uuid.uuid4()
        row.tries.append({"at": timezone.now().isoformat(timespec="seconds"), "problem": "interrupted"})
        taken = unchanged.update(lease_by=row.lease_by, lease_until=Now() + LEASE, tries=row.tries)
        return row if taken else None


class Outgoing(models.Model):
    """One message on its way, sent by `tenants.outbox`. Its id is the message's, the same on every try."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SENT = "sent", "sent"
        SET_ASIDE = "set_aside", "set aside"

    secret_while_waiting: ClassVar[tuple[str, ...]] = ()  # columns that are emptied once it is sent or set aside

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    address = models.EmailField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.JSONField(default=list, help_text="One entry a try: when, and what went wrong.")
    next_at = models.DateTimeField(default=timezone.now)
    lease_by = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def lane(self) -> str:
        """Messages of one lane are sent one after the other."""
        return MAIL
