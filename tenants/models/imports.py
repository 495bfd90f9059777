import uuid
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from ..fields import SealedField
from .registration import AppRegistration


class ImportQuerySet(models.QuerySet["Import"]):
    def visible_to(self, user: Any) -> Self:
        """One's own, and for superusers all.

        An import may name tenants that others do not see, and belongs to none of them alone.
        """
        if not user.is_active:
            return self.none()
        return self if user.is_superuser else self.filter(created_by=user.pk)

    def to_work_on(self) -> Self:
        """Those that wait for a worker, or whose worker has not been heard of for the length of a lease."""
        free = models.Q(lease_until=None) | models.Q(lease_until__lte=Now())
        return self.filter(free, state__in=Import.AT_WORK)

    def claim(self, pk: int) -> "Import | None":
        """This import, to be worked on by the caller and nobody else for as long as it is heard of, or None."""
        lease = uuid.uuid4()
        taken = {"lease_by": lease, "lease_until": Now() + Import.LEASE, "tries": models.F("tries") + 1}
        if self.to_work_on().filter(pk=pk).update(**taken) != 1:
            return None
        return self.filter(pk=pk, lease_by=lease).select_related("created_by").first()

    def end_abandoned(self) -> None:
        """End what nobody has imported or cancelled within a day, and shred what was kept of it."""
        old = models.Q(created_at__lte=timezone.now() - Import.KEPT)
        free = models.Q(lease_until=None) | models.Q(lease_until__lte=Now())
        for abandoned in self.filter(old, free, state__in=Import.OPEN):
            abandoned.end(Import.State.ABANDONED, free)


class Import(models.Model):
    """A file of app registrations that somebody uploaded: checked first, then written as a whole or not at all.

    Its rows are kept only until it has ended; history tells what it did. Whoever works on it holds it by `lease_by`,
    and saves nothing once the lease is another's or the state has changed.
    """

    class State(models.TextChoices):
        CHECKING = "checking", "being checked"
        CHECKED = "checked", "checked"
        WRITING = "writing", "being imported"
        DONE = "done", "imported"
        CANCELLED = "cancelled", "cancelled"
        ABANDONED = "abandoned", "abandoned"
        FAILED = "failed", "failed"

    class Kind(models.TextChoices):
        CSV = "csv", "CSV"
        JSON = "json", "JSON"
        ENV = "env", "Cypht's .env"

    AT_WORK: ClassVar = (State.CHECKING, State.WRITING)
    OPEN: ClassVar = (*AT_WORK, State.CHECKED)
    LEASE = timedelta(minutes=2)
    MOST_TRIES = 5
    KEPT = timedelta(days=1)

    kind = models.CharField(max_length=10, choices=Kind.choices)
    file_name = models.CharField("file", max_length=100)
    state = models.CharField(max_length=10, choices=State.choices, default=State.CHECKING)
    note = models.CharField(max_length=400, blank=True)
    total = models.PositiveIntegerField("rows", default=0)
    seen = models.PositiveIntegerField("rows checked", default=0)
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    wrong = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name="uploaded by"
    )
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField("uploaded", default=timezone.now)
    finished_at = models.DateTimeField("ended", null=True, blank=True)
    lease_by = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"Import {self.pk}"

    @property
    def is_at_work(self) -> bool:
        return self.state in self.AT_WORK

    @property
    def is_ready(self) -> bool:
        """Can it be written as it was shown?"""
        return self.state == self.State.CHECKED and not self.wrong and self.new + self.changed > 0

    def start_writing(self) -> bool:
        """Have it written as it was checked. False if that cannot be, or was asked for before."""
        ready = Import.objects.filter(pk=self.pk, state=self.State.CHECKED, wrong=0)
        something = models.Q(new__gt=0) | models.Q(changed__gt=0)
        return ready.filter(something).update(state=self.State.WRITING, tries=0, note="") == 1

    def end(self, state: "Import.State", *conditions: models.Q, note: str = "") -> bool:
        """Bring it to its end and shred its rows, secrets and all. False if it has ended already."""
        ended = {"state": state, "note": note, "finished_at": timezone.now(), "lease_by": None, "lease_until": None}
        with transaction.atomic():
            if Import.objects.filter(*conditions, pk=self.pk, state__in=self.OPEN).update(**ended) != 1:
                return False
            self.rows.all().delete()
        return True

    def cancel(self) -> bool:
        """End it before anything is written. False if it is being written, or has ended already."""
        return self.end(self.State.CANCELLED, models.Q(state__in=(self.State.CHECKING, self.State.CHECKED)))

    # What its worker saves

    def keep(self, **changes: Any) -> bool:
        """Save this and be heard of, if the import is still the caller's and in the state it was claimed in."""
        own = Import.objects.filter(pk=self.pk, lease_by=self.lease_by, state=self.state)
        if own.update(**{"lease_until": Now() + self.LEASE, **changes}) != 1:
            return False
        self.state = changes.get("state", self.state)
        return True

    def hold(self) -> bool:
        """Is it still the caller's? If so it stays that until the transaction ends."""
        own = Import.objects.filter(pk=self.pk, lease_by=self.lease_by, state=self.state)
        return bool(own.select_for_update().values_list("pk"))


class ImportRowQuerySet(models.QuerySet["ImportRow"]):
    def visible_to(self, user: Any) -> Self:
        """Rows of imports one sees, as long as one still sees the registrations they would change."""
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        seen = AppRegistration.objects.visible_to(user).values("pk")
        return self.filter(
            models.Q(registration=None) | models.Q(registration__in=seen),
            upload__in=Import.objects.visible_to(user).values("pk"),
        )


class ImportRow(models.Model):
    """One row of an uploaded file. Its client secret was sealed before anything of it was stored.

    `cells` is what the file says, column by column; `changes` what that alters, as [old, new]; `plan` what is to be
    written; `state_seen` stands for the state of the registration it was compared with.
    """

    class Outcome(models.TextChoices):
        NEW = "new", "new"
        CHANGED = "changed", "changed"
        UNCHANGED = "unchanged", "unchanged"
        WRONG = "wrong", "wrong"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    upload = models.ForeignKey(Import, on_delete=models.PROTECT, related_name="rows")
    number = models.PositiveIntegerField("row")
    cells = models.JSONField(default=dict)
    secret = SealedField(place="tenants.importrow.secret", null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, null=True, related_name="+")
    errors = models.JSONField(default=list)
    hints = models.JSONField(default=list)
    changes = models.JSONField(default=dict)
    plan = models.JSONField(default=dict)
    state_seen = models.CharField(max_length=64, blank=True)

    objects = ImportRowQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint("upload", "number", name="import_row_once")]
        indexes = [models.Index(fields=["upload", "outcome", "number"], name="import_row_outcome")]

    def __str__(self) -> str:
        return f"Row {self.number}"
