"""Where the sandbox remembers: one SQLite file that a killed process leaves readable."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Row = tuple[str, str, dict[str, Any]]  # kind, id, body


class FolderUnusable(Exception):
    """The folder cannot serve as the sandbox's memory; the message says why and what to do."""


class Store:
    """Rows of JSON by kind and id. Whatever a method wrote is on disk when it returns.

    One process at a time: the file is locked for as long as the store is open.
    """

    def __init__(self, file: Path) -> None:
        # SQLite gives its side files the mode of the main one, so that is made first.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=1)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS rows (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID"
            )
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as exc:
            self._db.close()
            raise FolderUnusable(
                f"{file} is in use by another sandbox ({exc}). Stop that one, or name another folder."
            ) from exc
        except sqlite3.DatabaseError as exc:
            self._db.close()
            raise FolderUnusable(
                f"{file} is not a readable sandbox file ({exc}). Move it away to start with an empty sandbox."
            ) from exc

    def rows(self) -> Iterator[Row]:
        for kind, key, body in self._db.execute("SELECT kind, id, body FROM rows ORDER BY kind, id"):
            yield kind, key, json.loads(body)

    def write(self, *, put: Iterable[Row] = (), drop: Iterable[tuple[str, str]] = ()) -> None:
        """All of it or none of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("DELETE FROM rows WHERE kind = ? AND id = ?", drop)
            self._db.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)",
                ((kind, key, json.dumps(body, separators=(",", ":"))) for kind, key, body in put),
            )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def clear(self) -> None:
        self._db.execute("DELETE FROM rows")

    def close(self) -> None:
        self._db.close()
