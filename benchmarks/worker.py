"""One worker process: `python -m benchmarks.worker SWEEP [HOST CA_FILE]` works on a sweep to its end.

Prints what it took as JSON: rows, seconds, CPU seconds, the peak of its memory and its round trips to the database.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import django


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """Of this program (Linux). What getrusage() tells begins with the peak of the process that started this one."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(sweep_id: int, stand_in_for: list[str]) -> None:
    django.setup()
    from django.db import connection

    from benchmarks.site import stand_in
    from monitoring import sweep
    from monitoring.models import Sweep

    if stand_in_for:
        stand_in(*stand_in_for)
    trips = 0

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal trips
        trips += 1  # executemany is one: its statements go out together, and so do the answers come back
        return execute(sql, params, many, context)

    rows, began, used = 0, time.perf_counter(), cpu()
    with connection.execute_wrapper(count):
        while Sweep.objects.running().filter(pk=sweep_id).exists():
            for saved in sweep.work(sweep_id):
                rows += saved
            if Sweep.objects.running().filter(pk=sweep_id).exists():
                time.sleep(0.1)
    print(
        json.dumps(
            {
                "rows": rows,
                "seconds": time.perf_counter() - began,
                "cpu_seconds": cpu() - used,
                "peak_mb": peak_mb(),
                "round_trips": trips,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
