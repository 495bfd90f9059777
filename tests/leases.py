"""Leases are set and compared by the database's clock, which no test can move: what has lapsed is said there.

And what a worker does with the rows it holds, one step at a time.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from monitoring.claims import Batch
from monitoring.looks import Crew, Looked
from monitoring.outages import Breaker
from monitoring.pacing import Pace


def lapse(*models: type[Any]) -> None:
    """Every lease in these tables has ended, as if its holder had died long ago."""
    for model in models:
        model._default_manager.exclude(lease_until=None).update(lease_until=Now() - timedelta(seconds=1))


def look(batch: Batch) -> list[Looked]:
    """Look at all of one batch, as a worker would, and save nothing."""
    crew = Crew(Breaker(), Pace(settings.CHECKS_PER_SECOND))
    try:
        crew.begin(batch)
        return [looked for _ in iter(lambda: crew.in_air, 0) for looked in crew.collect(len(batch.rows), 1.0)]
    finally:
        crew.close()
