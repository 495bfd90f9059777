"""Tries: how often one sweep asks before it gives a row up, and how long it waits in between."""

from datetime import timedelta

from oauth.health import NoAnswer

from .models import Sweep

TRIES = 3
# At night there is time for a disturbance to pass; whoever pressed a button is waiting.
PAUSES = {
    Sweep.Kind.NIGHTLY: (timedelta(minutes=5), timedelta(minutes=20)),
    Sweep.Kind.MANUAL: (timedelta(seconds=15), timedelta(seconds=45)),
}
THROTTLED_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)


def pause_after(sweep: Sweep, silence: NoAnswer, tries: int) -> timedelta:
    """How long to wait after so many counted tries; after a 429, of which none is counted, as long as was asked."""
    own = PAUSES[Sweep.Kind(sweep.kind)][tries - 1] if tries else THROTTLED_PAUSE
    asked = timedelta(seconds=silence.retry_after) if silence.retry_after is not None else own
    return min(asked if silence.throttled else max(asked, own), LONGEST_PAUSE)
