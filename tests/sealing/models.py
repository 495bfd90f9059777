"""Models that only tests use: they have no migrations, so the test database makes their tables by itself."""

import uuid

from django.db import models

from tenants.fields import SealedField


class Vault(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=20, unique=True)
    note = models.TextField(blank=True)
    secret = SealedField(place="sealing.vault.secret", null=True)
    spare = SealedField(place="sealing.vault.spare", null=True, blank=True)

    def __str__(self):
        return self.name
