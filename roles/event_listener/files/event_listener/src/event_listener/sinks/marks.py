# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file sink stands: its cursor and its files, in one small SQLite file beside the state.

Not in the event log: the files are this host's, the log may be shared; and a sink never sees the store.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    name TEXT PRIMARY KEY,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    count INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL);
"""
_SAVE = "INSERT OR REPLACE INTO file (name, device, inode, size, count) VALUES (?, ?, ?, ?, ?)"


class FileMark(msgspec.Struct, frozen=True):
    """A file as of a mark: how long it was, and how many units it had counted."""

    name: str
    device: int
    inode: int
    size: int
    count: int

    def is_of(self, status: os.stat_result) -> bool:
        """Whether it is the same file, not another one under its name."""
        return (status.st_dev, status.st_ino) == (self.device, self.inode)

    def grown(self, size: int, count: int) -> FileMark:
        """After ``size`` more bytes with ``count`` more units."""
        return FileMark(self.name, self.device, self.inode, self.size + size, self.count + count)


class Marks:
    """The durable marks of one sink. SQLite's errors come out as OSError, as those of the files do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def load(self) -> tuple[int | None, dict[str, FileMark]]:
        """The cursor (None: never marked) and the files."""
        try:
            connection = self._connected()
            row = connection.execute("SELECT position FROM cursor").fetchone()
            files = connection.execute("SELECT name, device, inode, size, count FROM file").fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return (row[0] if row else None), {item[0]: FileMark(*item) for item in files}

    def save(self, files: Iterable[FileMark], position: int) -> None:
        """Replace the marks of some files and the cursor, in one synced transaction."""
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_SAVE, [msgspec.structs.astuple(mark) for mark in files])
            connection.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (position,))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
        return self._connection

    def _failed(self, error: sqlite3.Error) -> OSError:
        self.close()
        return OSError(f"the marks in {self._path} can't be used ({error})")

    def close(self) -> None:
        """Release the file; a transaction that wasn't committed is undone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
