"""Real processes for tests: what runs in a session, and waiting without hanging."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether the process still runs; one that ended and that nobody has collected yet does not."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self").exists():
        with suppress(OSError):
            return stat.read_text().rpartition(")")[2].split()[0] != "Z"
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def of_session(leader: int) -> set[int]:
    """Every process of the session that leader began, whoever its parent is by now."""
    if Path("/proc/self").exists():
        pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    else:
        listing = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, check=True)
        pids = [int(pid) for pid in listing.stdout.split()]
    found = set()
    for pid in pids:
        with suppress(OSError):
            if os.getsid(pid) == leader and alive(pid):
                found.add(pid)
    return found


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
