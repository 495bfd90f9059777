"""Ends the launcher's processes when the launcher itself was killed and could not.

The launcher starts this as a script and writes +PID for each process it starts, -PID for each that ended. The pipe
closes when the launcher dies, however that happens and on every system, and what is left then is ended from here.
"""

import os
import signal
import sys
import time
from collections.abc import Collection
from contextlib import suppress

PATIENCE = 7.0  # seconds for work in hand


def main() -> None:
    leaders: set[int] = set()
    for line in sys.stdin:
        change, pid = line[0], int(line[1:])
        if change == "+":
            leaders.add(pid)
        else:
            leaders.discard(pid)
    end_groups(leaders)


def end_groups(leaders: Collection[int]) -> None:
    """Ask each group's leader to end, once; after a while, kill whoever is left of the groups."""
    for leader in leaders:
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while any(map(group_lives, leaders)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for leader in leaders:
        kill_group(leader)


def group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # how macOS answers for a group of the dead
        return False
    return True


def kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


if __name__ == "__main__":
    main()
