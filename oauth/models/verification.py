import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from tenants.models import AppRegistration, Credential, Tenant
from tenants.models.visibility import TenantScopedQuerySet

from .link import Link

GOOD_FOR = timedelta(hours=20)  # less than from one night to the next
SPREAD = timedelta(hours=1)
KEPT_FOR = timedelta(days=30)
AT_ONCE = 500  # that one turn of the reconciler forgets
LEASE = timedelta(minutes=4)  # renewed with every step that is saved; the longest takes under two


class VerificationQuerySet(TenantScopedQuerySet["Verification"]):
    tenant_path = "registration__tenant"

    def ask(
        self,
        registration: AppRegistration,
        *,
        credential: Credential | None = None,
        link: Link | None = None,
        by: Any = None,
        kind: str = "",
        entered: dict[str, Any] | None = None,
    ) -> "Verification":
        """One of this registration and secret that is still to begin: the one that waits already, or a new one.

        Without a credential it is the registration's current one, whichever that is by then. Inside the caller's
        transaction; whoever asks rings oauth.tasks.verify once that stands.
        """
        kind = kind or Verification.Kind.WHOLE
        waiting = self.unfinished().filter(started_at=None, kind=kind)
        found = waiting.filter(registration=registration, credential=credential, link=link).first()
        if found is not None:
            waiting.filter(pk=found.pk).update(next_at=None)  # whoever asks waits for it
            found.next_at = None
            return found
        asked_by = by if getattr(by, "pk", None) else None
        about = {"registration": registration, "credential": credential, "link": link}
        return self.create(**about, asked_by=asked_by, kind=kind, entered=entered or {})

    def secret_to_try(self, registration: AppRegistration) -> Credential | None:
        """A proposed secret that Microsoft gave no verdict on yet; None where the current one is to be tried."""
        proposed = Credential.objects.filter(registration=registration, slot=Credential.Slot.NEXT).first()
        if proposed is None:
            return None
        tried = self.filter(credential=proposed)
        return None if any(one.has_signed_in or one.is_refused for one in tried) else proposed

    def last_read(self, registration: AppRegistration) -> "Verification | None":
        """The last one in which Entra told of the application that the registration is now.

        None where nothing can be read any more: what was is no longer true of it.
        """
        if registration.only_personal:
            return None
        read = self.filter(registration=registration, finished_at__isnull=False).exclude(in_entra={}).first()
        return read if read is not None and read.in_entra.get("client_id") == registration.client_id else None

    def unfinished(self) -> Self:
        return self.filter(finished_at=None)

    def soon(self) -> Self:
        """Without those that a night has put off for long."""
        return self.filter(models.Q(next_at=None) | models.Q(next_at__lte=timezone.now() + timedelta(minutes=1)))

    def due(self) -> Self:
        """What is to be worked on now, and in nobody's hands."""
        due = self.unfinished().filter(models.Q(next_at=None) | models.Q(next_at__lte=timezone.now()))
        # By the database's clock: one process whose own is wrong takes nothing out of another's hands.
        return due.filter(models.Q(lease_until=None) | models.Q(lease_until__lte=Now())).order_by("pk")

    def sync_daily(self, verification: "Verification", *, is_readable: bool) -> None:
        """From now on this one's registration is compared with Entra every night, or it is not any more."""
        of_it = self.filter(registration=verification.registration_id)
        of_it.filter(sync_after__isnull=False).update(sync_after=None)
        if is_readable:
            of_it.filter(pk=verification.pk).update(sync_after=timezone.now() + GOOD_FOR)

    def sync_again(self, registrations: Collection[AppRegistration]) -> None:
        """Have those compared with Entra again that could be before, and were not for most of a day.

        Spread over an hour, for they come in hundreds, and nobody waits for them.
        """
        now = timezone.now()
        stale = self.filter(registration__in=registrations, sync_after__lte=now)
        under_way = self.unfinished().filter(registration=models.OuterRef("registration"))
        due = dict(stale.exclude(models.Exists(under_way)).order_by("pk").values_list("pk", "registration"))
        if not due or not self.filter(pk__in=due).update(sync_after=None):
            return
        kind, spread = Verification.Kind.SYNC, int(SPREAD.total_seconds())
        self.bulk_create(
            Verification(kind=kind, registration_id=key, next_at=now + timedelta(seconds=key * 37 % spread))
            for key in due.values()
        )

    def forget_old(self) -> None:
        """Nightly comparisons that a later one has taken the place of, a month later."""
        later = self.filter(registration=models.OuterRef("registration"), pk__gt=models.OuterRef("pk"))
        old = self.filter(kind=Verification.Kind.SYNC, asked_by=None, finished_at__lt=timezone.now() - KEPT_FOR)
        keys = list(old.filter(models.Exists(later)).values_list("pk", flat=True)[:AT_ONCE])
        if keys:
            self.filter(pk__in=keys).delete()

    def claim(self, pk: int) -> "Verification | None":
        """This one, to be worked on by the caller and nobody else, or None. It counts as tried from here on."""
        lease = uuid.uuid4()
        begun = Coalesce("started_at", models.Value(timezone.now(), models.DateTimeField()))
        changes: dict[str, Any] = {"started_at": begun, "next_at": None, "tries": models.F("tries") + 1}
        if not self.due().filter(pk=pk).update(lease_by=lease, lease_until=Now() + LEASE, **changes):
            return None
        whole = self.select_related("registration__tenant", "credential")
        return whole.filter(pk=pk, lease_by=lease).first()


class Verification(models.Model):
    """A report on one registration, step by step, made by a task.

    Whoever saves what was seen must still hold the lease: filter by `lease_by`. `steps` are those of oauth/report.py;
    `in_entra` is what Entra said of the application where it could be read, as oauth/in_entra.py keeps it.
    """

    class Kind(models.TextChoices):
        WHOLE = "whole", "verification"
        SYNC = "sync", "sync from Entra"  # all but the administrator's consent

    class Outcome(models.TextChoices):
        OK = "ok", "ok"
        FAILED = "failed", "failed"
        UNANSWERED = "unanswered", "no answer"  # Microsoft said nothing usable, which is no verdict

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.WHOLE)
    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, related_name="verifications")
    client_id = models.CharField("asked about client ID", max_length=36, blank=True)
    # What a secret drop wrote into the registration for it to be tried: a column's name -> [before, entered].
    entered = models.JSONField(default=dict)
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, null=True, related_name="verifications")
    link = models.ForeignKey(Link, on_delete=models.PROTECT, null=True, related_name="verifications")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField("asked for", default=timezone.now)
    started_at = models.DateTimeField("began", null=True)
    finished_at = models.DateTimeField("finished", null=True)
    steps = models.JSONField(default=list)
    in_entra = models.JSONField(default=dict)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    sync_after = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    lease_by = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    objects = VerificationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # What the reconciler looks for every minute, and the sweep with every batch; nearly all are past both.
            models.Index(fields=["next_at"], condition=models.Q(finished_at=None), name="verification_unfinished"),
            models.Index(fields=["kind", "finished_at"], name="verification_old"),
            models.Index(
                fields=["registration", "sync_after"],
                condition=models.Q(sync_after__isnull=False),
                name="verification_to_sync",
            ),
        ]

    def __str__(self) -> str:
        kind = self.get_kind_display()
        return f"{kind[0].upper()}{kind[1:]} {self.pk} of “{self.registration.name}”"

    @property
    def tenant(self) -> Tenant | None:
        """Whose registration it is about."""
        return self.registration.tenant

    @property
    def has_signed_in(self) -> bool:
        """Did the secret that was tried sign in?"""
        return any(step["key"] == "sign_in" and step["state"] == "ok" for step in self.steps)

    @property
    def is_refused(self) -> bool:
        """Did Microsoft say no, to the secret that was tried or to the directory?"""
        asked = ("directory", "sign_in")
        return any(step["key"] in asked and step["state"] == "failed" for step in self.steps)

    @property
    def moment(self) -> datetime:
        """What it is known by: when it ended, or was asked for."""
        return self.finished_at or self.created_at
