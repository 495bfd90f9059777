"""Closing: what a sweep passes over without asking, and its end."""

import logging
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from oauth.models import Connection
from tenants.fault_points import maybe_crash

from .claims import before, free, in_vain, registrations
from .models import Sweep

logger = logging.getLogger(__name__)


def close(sweep: Sweep) -> None:
    """Pass over what is not to be asked, and end the sweep if nothing is left before it at all."""
    waiting = free(before(sweep, sweep.connections())).filter(registration__last_sweep__gte=sweep.pk)
    with transaction.atomic():
        failed = _pass_over(sweep, waiting.filter(in_vain()))
        dead = _pass_over(sweep, waiting.filter(token_status=Connection.TokenStatus.DEAD))
        sweep.save_counts(failed=failed, done=dead)
    if registrations(sweep).exists() or before(sweep, sweep.connections()).exists():
        return
    maybe_crash("sweep.closing")
    if Sweep.objects.running().filter(pk=sweep.pk).update(finished_at=timezone.now()):
        sweep.refresh_from_db()
        counts = {name: getattr(sweep, name) for name in ("kind", "planned", "done", "failed", "set_aside")}
        took = (timezone.now() - sweep.started_at).total_seconds()
        logger.info("sweep finished", extra={"sweep": sweep.pk, "seconds": round(took), **counts})


def _pass_over(sweep: Sweep, connections: QuerySet[Any]) -> int:
    """Done with these without asking Microsoft; how many they were. Nothing else about them changes."""
    # The number stands outside the subquery too: there PostgreSQL looks again at a row another worker has just counted.
    rows = Connection.objects.filter(pk__in=connections.values("pk"), last_sweep__lt=sweep.pk)
    return rows.update(last_sweep=sweep.pk, lease_by=None, lease_until=None, tries=0, next_at=None)
