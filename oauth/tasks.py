"""Bells for what a consent leaves to do. Any of these may be lost, doubled or killed: rows say what is left."""

from datetime import timedelta
from uuid import UUID

from celery import current_app, shared_task
from celery.contrib.django.task import DjangoTask
from django.db import transaction
from django.utils import timezone

from . import approval, consent, mails
from . import verify as verifying
from .models import AdminGrant, ConsentAttempt, Verification

SOON = timedelta(minutes=1)  # what comes due later than that, the reconciler rings for


def ring() -> None:
    """Have the mails and alerts that are due sent once this transaction stands. Fails nobody if the broker is down."""
    # No partial here or elsewhere: of one that fails Django wants to log a name that it has not, and fails itself.
    transaction.on_commit(send_mails.delay, robust=True)
    # By its name, for monitoring's tasks import these.
    transaction.on_commit(lambda: current_app.send_task("monitoring.tasks.deliver_due"), robust=True)


@shared_task(base=DjangoTask)
def send_mails() -> None:
    """Send every mail to people outside whose time has come."""
    mails.send_due()


@shared_task(base=DjangoTask)
def try_again(attempt_id: str) -> None:
    """Redeem once more what had not spread at Microsoft."""
    attempt = ConsentAttempt.objects.claim_again(UUID(attempt_id))
    if attempt is not None:
        consent.try_again(attempt)
        ring()


@shared_task(base=DjangoTask)
def look_at_grant(grant_id: int) -> None:
    """Read the directory's list of grants for what was reported."""
    grant = AdminGrant.objects.claim(grant_id)
    if grant is not None:
        approval.look(grant)


def ring_verify(verification: Verification) -> None:
    """Have it begun once this transaction stands. Fails nobody if the broker is down: the reconciler rings, too."""
    transaction.on_commit(lambda: verify.delay(verification.pk), robust=True)


@shared_task(base=DjangoTask, soft_time_limit=240, time_limit=270)
def verify(verification_id: int) -> None:
    """Work on a verification as far as it goes now; if somebody waits for more, ring once more when it is due."""
    verification = Verification.objects.claim(verification_id)
    if verification is None:
        return
    verifying.run(verification)
    ring()
    pause = verification.next_at - timezone.now() if verification.next_at else SOON
    if pause < SOON:
        seconds = max(pause.total_seconds(), 0)
        transaction.on_commit(lambda: verify.apply_async((verification_id,), countdown=seconds), robust=True)
