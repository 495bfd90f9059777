import secrets
import uuid
from typing import Any, Self

from django.db import models

from ..fields import SealedField, SecretUnreadable, key_ids


class KeyCanaryQuerySet(models.QuerySet["KeyCanary"]):
    def visible_to(self, user: Any) -> Self:
        """All for superusers, nothing for anyone else."""
        return self if user.is_active and user.is_superuser else self.none()

    def record_current(self) -> None:
        """See that there is a canary of the key that seals. Safe to run in many processes at once."""
        self.get_or_create(key_id=key_ids()[0], defaults={"value": secrets.token_urlsafe()})

    def unreadable(self) -> list[str]:
        """IDs of the keys whose canary none of our keys can read: something was sealed that we cannot open."""
        return [canary.key_id for canary in self.order_by("key_id") if not canary.is_readable()]


class KeyCanary(models.Model):
    """A random text sealed with one key, by which a start sees whether it has that key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key_id = models.CharField("key ID", max_length=8, unique=True, editable=False)
    value = SealedField(place="tenants.keycanary.value", editable=False)

    objects = KeyCanaryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "key canaries"

    def __str__(self) -> str:
        return self.key_id

    def is_readable(self) -> bool:
        try:
            return self.value is not None and bool(self.value.reveal("seeing at start whether we have its key"))
        except SecretUnreadable:
            return False
