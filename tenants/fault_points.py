"""Named places where a test may end the process as `kill -9` would; outside tests they do nothing.

What must survive a crash is tried by ending a real worker at each of these.
"""

import os
import signal

_AT = os.environ.get("FAULT_POINT", "")


def maybe_crash(name: str) -> None:
    """End this process at once if the environment's FAULT_POINT is this name."""
    if name == _AT:
        os.kill(os.getpid(), signal.SIGKILL)
