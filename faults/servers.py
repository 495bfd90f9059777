"""PostgreSQL and Redis of our own, on spare ports and in a temporary folder, so that they can be killed."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import redis

from faults.processes import Process, Processes, wait_until

STARTS_WITHIN = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class NotInstalled(Exception):
    """A server the rounds need is not on this machine; the message names the package."""


class Postgres:
    """A cluster in a folder. PostgreSQL refuses to run as root, so there it runs as the user postgres."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._processes = processes
        self._process: Process | None = None
        self._bin = _postgres_binaries()
        self._data = folder / "data"
        self.port = free_port()
        folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        initdb = self._command("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
        subprocess.run([*initdb, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=STARTS_WITHIN)
        self.start()

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        # What a killed server has written stays with the system: only a power cut would need fsync.
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        command = self._command("postgres", "-p", str(self.port))
        command += [f"--{name}={value}" for name, value in options.items()]
        self._process = self._processes.start("postgres", command)
        wait_until(lambda: answers(self.port), STARTS_WITHIN, "PostgreSQL starts")

    def stop_at_once(self) -> None:
        """As `pg_ctl stop --mode=immediate`: no goodbye to anybody, and recovery at the next start."""
        assert self._process is not None
        self._process.signal(signal.SIGQUIT)
        self._process.wait(STARTS_WITHIN)

    def _command(self, program: str, *arguments: str) -> list[str]:
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        prefix = as_postgres if os.geteuid() == 0 else []
        return [*prefix, str(self._bin / program), "-D", str(self._data), *arguments]


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    initdb = found[-1] if found else Path(shutil.which("initdb") or "")
    if not initdb.name:
        raise NotInstalled("PostgreSQL's initdb is not here. Install the package postgresql.")
    return initdb.parent


class Redis:
    """A server without persistence: whoever kills it takes all there was in it."""

    def __init__(self, processes: Processes) -> None:
        if not shutil.which("redis-server"):
            raise NotInstalled("redis-server is not here. Install the package redis-server.")
        self._processes = processes
        self._process: Process | None = None
        self.port = free_port()
        self.start()

    def url(self, number: int = 0) -> str:
        """One of its sixteen databases: bells rung in one are not heard in another."""
        return f"redis://127.0.0.1:{self.port}/{number}"

    @property
    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url(), socket_timeout=5)

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = self._processes.start("redis", ["redis-server", *options])
        wait_until(lambda: answers(self.port), STARTS_WITHIN, "Redis starts")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
