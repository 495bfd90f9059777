from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models import QuerySet


class UserQuerySet(QuerySet["User"]):
    def visible_to(self, user: Any) -> "UserQuerySet":
        """Colleagues: everybody for superusers, for anyone else only themselves."""
        if user.is_active and user.is_superuser:
            return self
        return self.filter(pk=user.pk)


class UserManager(DjangoUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    pass


class User(AbstractUser):
    """Who works here. Our own from the first migration: Django cannot swap users later."""

    calendar_digest = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001  unique
    calendar_made_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        permissions = [("view_platform", "Can see what belongs to no tenant: shared registrations and sweeps")]
