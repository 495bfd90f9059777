"""Bells for the night's work. Any of these may be lost, doubled or killed at any line: rows say what is left to do."""

from celery import shared_task
from celery.contrib.django.task import DjangoTask
from django.conf import settings
from django.utils import timezone

from oauth.models import AdminGrant, ConsentAttempt, Mail, RequestCount, Verification
from oauth.tasks import look_at_grant, send_mails, try_again, verify
from tenants.models import Import
from tenants.tasks import work_on_import

from . import alerts, heartbeat, lifecycle, schedule, sweep, watch
from .models import Delivery, Sweep

RUN = 20.0  # seconds a worker stays with a sweep: so long it may take to stop, and others wait for a turn


@shared_task(base=DjangoTask)
def start_sweep() -> None:
    """Start the night's sweep, if its time has come and nobody has started it."""
    night = Sweep.objects.start_nightly(schedule.night_due(timezone.now()))
    if night.finished_at is None:
        for _ in range(settings.SWEEP_WORKERS):
            work_on_sweep.delay_on_commit(night.pk)


# A turn, and the longest that what was asked in it can take; what is held then is given back.
@shared_task(base=DjangoTask, soft_time_limit=240, time_limit=270)
def work_on_sweep(sweep_id: int) -> None:
    """Check what the sweep has left until that is nothing or the turn is over."""
    for _ in sweep.work(sweep_id, seconds=RUN):
        pass
    if any(sweep.has_work(left) for left in Sweep.objects.running().filter(pk=sweep_id)):
        work_on_sweep.delay_on_commit(sweep_id)
    if Delivery.objects.due().exists():
        deliver_due.delay_on_commit()


@shared_task(base=DjangoTask)
def deliver_due() -> None:
    """Send every alert whose time has come."""
    alerts.deliver_due()


@shared_task(base=DjangoTask)
def reconcile() -> None:
    """Find what was missed, lost or put off, and ring for it: every minute, from beat."""
    now = timezone.now()
    schedule.keep()
    if not Sweep.objects.filter(night=schedule.night_due(now)).exists():
        start_sweep.delay_on_commit()
    for running in Sweep.objects.running():
        if not sweep.is_held(running):
            work_on_sweep.delay_on_commit(running.pk)
    lifecycle.end_snoozes(timezone.now())
    if Delivery.objects.due().exists():
        deliver_due.delay_on_commit()
    if Mail.objects.due().exists():
        send_mails.delay_on_commit()
    for attempt in ConsentAttempt.objects.to_try_again()[:100]:
        try_again.delay_on_commit(str(attempt.pk))
    for grant in AdminGrant.objects.to_look_at()[:100]:
        look_at_grant.delay_on_commit(grant.pk)
    for verification in Verification.objects.due()[:100]:
        verify.delay_on_commit(verification.pk)
    Import.objects.end_abandoned()
    for pk in Import.objects.to_work_on().values_list("pk", flat=True):
        work_on_import.delay_on_commit(pk)
    ConsentAttempt.objects.forget_expired_flows()
    RequestCount.objects.forget_old()
    Verification.objects.forget_old()
    watch.tell(now)
    heartbeat.send(now)  # last: who cannot do the rest does not say that all is well
