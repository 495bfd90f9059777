"""Processes that a round starts, freezes and kills; none outlives the run, not even a killed one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from config import guardian

ROOT = Path(__file__).resolve().parent.parent
PAUSE = 0.05


class TooLate(Exception):
    """Something did not happen in its time; the message says what."""


def wait_until(true: Callable[[], object], seconds: float, what: str) -> None:
    """Return as soon as true() is; TooLate after that many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TooLate(f"{what}: not within {seconds:.0f} s")
        time.sleep(PAUSE)


class Process:
    """One process in a group of its own, with its output in a file."""

    def __init__(self, popen: "subprocess.Popen[bytes]", log: Path, forget: Callable[[int], None]) -> None:
        self._popen = popen
        self._forget = forget
        self._is_over = False
        self.log = log
        self.pid = popen.pid

    @property
    def ended(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._popen.poll()

    def signal(self, number: int) -> None:
        """To the whole group, as a machine that stops or dies would."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def ask(self, number: int) -> None:
        """To its leader alone, who passes on what its children need to know."""
        if self.ended is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        if not self._is_over:  # its number may be somebody else's by now
            self.signal(signal.SIGKILL)
            self.wait()

    def wait(self, seconds: float | None = None) -> None:
        self._popen.wait(seconds)
        self._is_over = True
        self._forget(self.pid)

    def stop(self, seconds: float = 5) -> None:
        """Ask it to end, and end it if it does not."""
        self._popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        self.kill()

    def children(self) -> list[int]:
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        try:
            return [int(pid) for pid in listed.read_text().split()]
        except OSError:
            return []


class Processes:
    """What was started inside a with-block. A guardian ends what is left, should this process be killed itself."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[int, Process] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True)
        reading, writing = os.pipe()
        self._to_guardian = os.fdopen(writing, "w")
        self._guardian = subprocess.Popen([sys.executable, guardian.__file__], stdin=reading, process_group=0)
        os.close(reading)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(list(self._running.values())):
            process.stop()
        with suppress(BrokenPipeError):
            self._to_guardian.close()
        self._guardian.wait()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        process = self._running[popen.pid] = Process(popen, log, self._forget)
        self._tell_guardian(f"+{popen.pid}")
        return process

    def _forget(self, pid: int) -> None:
        if self._running.pop(pid, None):
            self._tell_guardian(f"-{pid}")

    def _tell_guardian(self, line: str) -> None:
        with suppress(BrokenPipeError):
            print(line, file=self._to_guardian, flush=True)
