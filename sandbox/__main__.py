"""python -m sandbox: runs the sandbox until it is told to stop."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from sandbox.dialect import DIALECTS
from sandbox.server import PortTaken, Sandbox
from sandbox.store import FolderUnusable


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise ValueError
    return number


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A Microsoft in the box, on loopback only.")
    parser.add_argument("--folder", type=Path, required=True, help="where its people, apps, grants and keys are kept")
    parser.add_argument("--pages-port", type=port, default=8001, help="http, for browsers (default 8001)")
    parser.add_argument("--token-port", type=port, default=8443, help="https, for tokens (default 8443)")
    parser.add_argument("--mail-folder", type=Path, help="where Django's file-based backend writes mail, to show it")
    parser.add_argument("--dialect", choices=DIALECTS, default="entra", help="in whose manner it answers")
    given = parser.parse_args()

    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    try:
        with Sandbox(given.folder, given.pages_port, given.token_port, given.mail_folder, given.dialect) as box:
            print(f"The sandbox is ready: {box.pages_origin}/control/ (tokens at https://{box.token_host})", flush=True)
            stop.wait()
    except (PortTaken, FolderUnusable) as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
