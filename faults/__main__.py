"""`python -m faults [--short] [--only ROUND ...]`: injects each fault, prints the table, exits 1 if a row is wrong."""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from faults.processes import Processes
from faults.servers import NotInstalled
from faults.sizes import FULL, SHORT, Sizes
from faults.table import Table

ROUNDS = (
    "killing",
    "stopping",
    "points",
    "brokers",
    "databases",
    "answering",
    "clocks",
    "mailing",
    "hooks",
    "baseline",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the round for every change: the same faults, fewer rows")
    parser.add_argument("--only", nargs="+", choices=ROUNDS, default=ROUNDS, metavar="ROUND", help=", ".join(ROUNDS))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    table = Table()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        os.chmod(folder, 0o755)  # PostgreSQL runs as somebody else
        with Processes(Path(folder) / "log") as processes:
            try:
                _run(Path(folder), processes, table, SHORT if options.short else FULL, options.only)
            except NotInstalled as problem:
                sys.exit(str(problem))
    table.end()
    print(f"\n{'All as expected.' if table.all_ok else 'Not as expected.'}")
    return 0 if table.all_ok else 1


def _run(folder: Path, processes: Processes, table: Table, sizes: Sizes, names: tuple[str, ...]) -> None:
    from faults.site import Site  # what sets Django up comes before what needs it

    site = Site(folder, processes)
    try:
        from importlib import import_module

        from faults import leases

        leases.watch()
        machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
        print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}\n")
        table.begin()
        for name in names:
            begun = time.monotonic()
            try:
                import_module(f"faults.rounds.{name}").run(site, table, sizes)
            except Exception as problem:  # the other rounds have something to say all the same
                traceback.print_exc()
                site.dismiss_all()
                table.add(name, "the round ends", f"{type(problem).__name__}: {problem}", False)
            print(f"  ({name}: {time.monotonic() - begun:.0f} s)", flush=True)
    finally:
        site.postgres.stop_at_once()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(f"Stopped by signal {number}.")


if __name__ == "__main__":
    sys.exit(main())
