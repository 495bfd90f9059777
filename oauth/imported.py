"""Client secrets that an import stored are verified, as those that somebody typed."""

from collections.abc import Collection
from typing import Any

from django.dispatch import receiver

from tenants.signals import secrets_imported

from .models import Verification
from .tasks import ring_verify

RUNG_FOR = 20  # of more, the reconciler rings for a hundred a minute, so that many do not ask Microsoft at once


@receiver(secrets_imported)
def verify_imported(sender: Any, registrations: Collection[int], by: Any, **kwargs: Any) -> None:
    """Write down a verification for each of these, inside the transaction that stored their secrets."""
    made = [Verification(registration_id=pk, asked_by=by) for pk in registrations]
    Verification.objects.bulk_create(made)
    for verification in made[:RUNG_FOR]:
        ring_verify(verification)
