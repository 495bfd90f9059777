"""The Celery application as `celery -A faults.skewed` meets it: on a machine whose clock is off.

CLOCK_IS_OFF_BY says by how many seconds. The database's clock is right.
"""

import os
from datetime import UTC, datetime, timedelta

import time_machine

time_machine.travel(datetime.now(UTC) + timedelta(seconds=int(os.environ["CLOCK_IS_OFF_BY"])), tick=True).start()

from config.celery import app  # noqa: E402  not before the clock is off

__all__ = ["app"]
