"""What a worker's process is set to while it works on a sweep."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def set_to_sweep() -> Iterator[None]:
    """Keep this thread and those it starts on one core, and what is in memory by now out of the collector's rounds.

    One interpreter does the work of one core, and where its threads wander over several, each waits for what the last
    left in another core's cache: a quarter of the time. Which core depends on the process, so that several workers have
    several; what belongs to others may use any.
    """
    own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    gc.freeze()
    try:
        with suppress(OSError):  # where that is forbidden, it goes without
            if own:
                os.sched_setaffinity(0, {sorted(own)[os.getpid() % len(own)]})
        yield
    finally:
        gc.unfreeze()
        with suppress(OSError):
            if own:
                os.sched_setaffinity(0, own)
