"""Starts a few processes, watches them, and leaves none behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

from config import guardian

BASE_DIR = Path(__file__).resolve().parent.parent
HURRY = 1.0  # seconds between asking in a hurry and killing
LAST_LINES = 15
BEAT = 0.05


class Failed(Exception):
    """Nothing more can be started, or something ended; the message is what a person should read."""


class AskedToStop(Exception):
    """Somebody pressed Ctrl-C, or sent SIGTERM, or closed the terminal."""


class Children:
    """Processes that live inside a with-block: each in a group of its own, its output in a log of its own.

    A stop is asked for once, by SIGTERM to each group's leader, so that work in hand can be finished: a signal to the
    whole group would end a pool's processes under their parent. The second Ctrl-C hurries, and patience is bounded.
    """

    def __init__(self, log_folder: Path, lock: IO[str]) -> None:
        self._logs = log_folder
        self._lock = lock
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._asked_to_stop = self._stopping = self._hurry = False

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked)
        reading, writing = os.pipe()
        self._to_guardian = os.fdopen(writing, "w")
        # It holds the lock too: no second launcher begins while a killed one's processes still end.
        self._guardian = subprocess.Popen(  # noqa: S603  our own script
            [sys.executable, guardian.__file__],
            stdin=reading,
            process_group=0,
            pass_fds=[self._lock.fileno()],
        )
        os.close(reading)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_all()
        with suppress(BrokenPipeError):
            self._to_guardian.close()
        self._guardian.wait()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start command, its output in <name>.log; what the last run wrote is kept as <name>.log.1."""
        log = self.log_of(name)
        if log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  our own commands
                command,
                cwd=BASE_DIR,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self._running[name] = process
        self._tell_guardian(f"+{process.pid}")

    def run(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start command and wait for its end; Failed if it did not end well."""
        self.start(name, command, env)
        process = self._running[name]
        while process.poll() is None:
            self._breathe(besides=name)
        self._forget(name)
        if process.returncode:
            raise Failed(self._obituary(name, process))

    def wait_for(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            self._breathe()
            if time.monotonic() > deadline:
                raise Failed(f"{name} did not answer within {seconds:.0f} seconds. {self._last_words(name)}")

    def watch(self) -> None:
        """Until somebody asks for the end (AskedToStop) or a process ends by itself (Failed)."""
        while True:
            self._breathe()

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_stop = True
        self._hurry = self._stopping and number == signal.SIGINT

    def _breathe(self, besides: str = "") -> None:
        time.sleep(BEAT)
        if self._asked_to_stop:
            raise AskedToStop
        for name, process in self._running.items():
            if name != besides and process.poll() is not None:
                raise Failed(self._obituary(name, process))

    def _obituary(self, name: str, process: "subprocess.Popen[bytes]") -> str:
        how = f"exit status {process.returncode}"
        if process.returncode < 0:
            how = signal.Signals(-process.returncode).name
        return f"{name} ended ({how}). {self._last_words(name)}"

    def _last_words(self, name: str) -> str:
        log = self.log_of(name)
        lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return f"The last lines of {log}:\n" + "\n".join(f"  {line}" for line in lines)

    def _stop_all(self) -> None:
        self._stopping = True
        processes = list(self._running.values())
        for process in processes:
            process.terminate()
        self._wait(processes, guardian.PATIENCE)
        for process in processes:
            process.send_signal(signal.SIGQUIT)
        self._hurry = False
        self._wait(processes, HURRY)
        for name, process in list(self._running.items()):
            guardian.kill_group(process.pid)
            process.wait()
            self._forget(name)

    def _wait(self, processes: "list[subprocess.Popen[bytes]]", seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._hurry:
            if all(process.poll() is not None for process in processes):
                return
            time.sleep(BEAT)

    def _forget(self, name: str) -> None:
        self._tell_guardian(f"-{self._running.pop(name).pid}")

    def _tell_guardian(self, line: str) -> None:
        with suppress(BrokenPipeError):  # somebody ended it; the launcher can still end its own
            print(line, file=self._to_guardian, flush=True)
