"""A Celery broker that is a folder: kombu's file-system transport, made sound.

The stock one lets a reader meet a message, or its table of bindings, before it is wholly written, and dies of it.
Here every file appears whole or not at all, so that any number of processes may send and receive at once.
"""

import fcntl
import logging
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

Binding = tuple[str, str, str]  # routing key, pattern, queue


class Channel(filesystem.Channel):
    """Stock names and folders (`data_folder_in` and `data_folder_out` must be the same); sound reads and writes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder = Path(self.data_folder_out)
        for folder in (self.folder, self.control_folder):
            folder.mkdir(parents=True, exist_ok=True)

    # The stubs of kombu's two classes above this one contradict each other, here and below.
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        # Wall clock, padded: messages left by an earlier boot stay first in line, which a monotonic clock forgets.
        name = f"{time.time_ns():020}_{uuid.uuid4()}.{queue}.msg"
        _write(self.folder / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        for name in self._waiting(queue):
            path = self.folder / name
            try:
                payload = _read_object(path)
                path.unlink()  # of all who read it, one can remove it, and to that one it belongs
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as problem:
                _set_aside(path, problem)
                continue
            return payload
        raise Empty

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _waiting(self, queue: str) -> list[str]:
        return sorted(name for name in os.listdir(self.folder) if name.partition(".")[2] == f"{queue}.msg")

    def get_table(self, exchange: str) -> list[Binding]:  # type: ignore[override]
        path = self._exchange_file(exchange)  # type: ignore[attr-defined]  # newer than the stubs
        try:
            return [exchange_queue_t(*binding) for binding in loads(path.read_text())]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as problem:
            # Every process binds its queues when it starts to send or to listen: that writes the table anew.
            logger.warning("unreadable broker file %s: %s", path, type(problem).__name__)
            return []

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> None:
        binding = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._table(exchange) as bindings:
            if binding not in bindings:
                bindings.insert(0, binding)

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any) -> None:
        self._purge(queue)
        binding = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._table(exchange) as bindings, suppress(ValueError):
            bindings.remove(binding)

    @contextmanager
    def _table(self, exchange: str) -> Iterator[list[Binding]]:
        """The exchange's bindings to change in place, one process at a time; written back when they changed."""
        with (self.control_folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            bindings = self.get_table(exchange)
            before = list(bindings)
            yield bindings
            if bindings != before:
                _write(self._exchange_file(exchange), dumps(bindings))  # type: ignore[attr-defined]


class Transport(filesystem.Transport):
    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Stock keeps the bindings it made for the whole process: a folder emptied or changed since would lose messages.
        self.state = virtual.BrokerState()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text)
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise ChannelError(f"Cannot write the broker file {path}") from problem


def _read_object(path: Path) -> dict[str, Any]:
    payload = loads(path.read_text())
    if not isinstance(payload, dict):
        raise ValueError("not a message")
    return payload


def _set_aside(path: Path, problem: Exception) -> None:
    """Take an unreadable message out of the way and keep it; a power cut can leave one, and it must stop nobody."""
    aside = path.with_name(f"{path.name}.unreadable")
    with suppress(OSError):  # another process was quicker
        path.rename(aside)
        logger.warning("set aside unreadable broker file %s: %s", aside, type(problem).__name__)
