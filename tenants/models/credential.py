import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ..fields import SealedField
from .registration import AppRegistration, as_guid
from .visibility import TenantScopedQuerySet

LONGEST_IN_ENTRA = timedelta(days=731)  # 24 months
HINT_LENGTH = 3  # as many characters as Entra itself shows of a secret
# What stands in a secret's place where it is left out: no secret looks like it, and nobody takes it for one.
LEFT_OUT = "CLIENT-SECRET-LEFT-OUT"


def check_secret_value(value: str) -> None:
    """Raise ValidationError if this cannot be a client secret's value. The error never holds the value."""
    if value == LEFT_OUT:
        raise ValidationError(_("This is the placeholder of an export. Paste the Value that Entra shows."))
    if as_guid(value):
        raise ValidationError(
            _("This is the Secret ID; paste the Value. Entra shows the Value only right after creation.")
        )
    if any(character.isspace() or not character.isprintable() for character in value):
        raise ValidationError(_("A client secret has no spaces or line breaks; copy the Value again."))
    if len(value) < 8:
        raise ValidationError(_("This is too short to be a client secret; copy the whole Value."))


def start_of(day: date) -> datetime:
    """A date typed by hand means its start in UTC."""
    return datetime.combine(day, time.min, UTC)


class CredentialQuerySet(TenantScopedQuerySet["Credential"]):
    tenant_path = "registration__tenant"

    def current(self) -> Self:
        """The one of each registration that signs in."""
        return self.filter(slot=Credential.Slot.CURRENT)

    def propose(self, registration: AppRegistration, value: str, ends_at: datetime) -> "Credential":
        """Keep this value as the registration's next secret, in the place of another next one. Returns it.

        It signs in for nobody until `promote`, so whatever is current goes on.
        """
        with transaction.atomic():
            self.withdraw(registration=registration)
            return self._store(registration, value, ends_at, Credential.Slot.NEXT)

    def withdraw(self, **chosen: Any) -> None:
        """Of these, those that wait in the next slot are not tried any more."""
        waiting = self.filter(slot=Credential.Slot.NEXT, **chosen).values_list("pk", flat=True)
        self.filter(pk__in=list(waiting)).update(slot="")

    def promote(self, credential: "Credential") -> None:
        """Make the registration's next secret the current one; what was current becomes previous."""
        with transaction.atomic():
            stored = self.filter(registration=credential.registration_id)
            stored.filter(slot=Credential.Slot.PREVIOUS).update(slot="")
            stored.current().update(slot=Credential.Slot.PREVIOUS)
            stored.filter(pk=credential.pk).update(slot=Credential.Slot.CURRENT)
        credential.slot = Credential.Slot.CURRENT

    def replace(self, registration: AppRegistration, value: str, ends_at: datetime) -> "Credential":
        """Make this value the registration's current secret; what was current becomes previous. Returns the new one.

        One that was proposed is not tried any more: whoever enters this knows better.
        """
        with transaction.atomic():
            self.withdraw(registration=registration)
            stored = self.filter(registration=registration)
            stored.filter(slot=Credential.Slot.PREVIOUS).update(slot="")
            stored.current().update(slot=Credential.Slot.PREVIOUS)
            return self._store(registration, value, ends_at, Credential.Slot.CURRENT)

    @sensitive_variables()
    def replace_many(self, secrets: Iterable[tuple[AppRegistration, str, datetime | None]]) -> None:
        """The same for many registrations at once, each named once; of a secret the end may be unknown (None)."""
        rows = [_made(*secret, Credential.Slot.CURRENT) for secret in secrets]
        with transaction.atomic():
            self.withdraw(registration__in=[row.registration_id for row in rows])
            stored = self.filter(registration__in=[row.registration_id for row in rows])
            stored.filter(slot=Credential.Slot.PREVIOUS).update(slot="")
            stored.current().update(slot=Credential.Slot.PREVIOUS)
            self.bulk_create(rows)

    def _store(self, registration: AppRegistration, value: str, ends_at: datetime, slot: str) -> "Credential":
        credential = _made(registration, value, ends_at, slot)
        credential.save(force_insert=True)
        return credential


@sensitive_variables()
def _made(registration: AppRegistration, value: str, ends_at: datetime | None, slot: str) -> "Credential":
    credential = Credential(registration=registration, slot=slot, hint=value[:HINT_LENGTH], ends_at=ends_at)
    credential.value = value
    return credential


class Credential(models.Model):
    """A client secret of a registration. Its value is sealed and write-only; only the current one signs in."""

    class Slot(models.TextChoices):
        NEXT = "next", "next"
        CURRENT = "current", "current"
        PREVIOUS = "previous", "previous"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    registration = models.ForeignKey(AppRegistration, on_delete=models.PROTECT, related_name="credentials")
    slot = models.CharField(max_length=10, choices=Slot.choices, blank=True)
    value = SealedField(place="tenants.credential.value", null=True)
    hint = models.CharField(max_length=HINT_LENGTH, blank=True)
    key_id = models.UUIDField("secret ID in Entra", null=True, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    ends_at_typed = models.BooleanField("end date was typed by hand", default=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    worked_at = models.DateTimeField("last signed in", null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        permissions = [("export_secrets", "Can export client secrets")]
        constraints = [
            models.UniqueConstraint(
                "registration", "slot", condition=~models.Q(slot=""), name="credential_slot_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"Client secret {self.hint}…" if self.hint else "Client secret"
