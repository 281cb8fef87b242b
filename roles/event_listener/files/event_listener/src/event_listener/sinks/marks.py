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

from event_listener.filesystems import make_directory

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    name TEXT PRIMARY KEY,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    count INTEGER NOT NULL,
    began_ns INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL);
"""
_ADD_BEGAN = "ALTER TABLE file ADD COLUMN began_ns INTEGER NOT NULL DEFAULT 0"  # marks from before rotation
_SAVE = "INSERT OR REPLACE INTO file (name, device, inode, size, count, began_ns) VALUES (?, ?, ?, ?, ?, ?)"
_LOAD = "SELECT name, device, inode, size, count, began_ns FROM file"


class FileMark(msgspec.Struct, frozen=True):
    """A file as of a mark: how long it was, how many units it had counted, and when it was begun (0: unknown)."""

    name: str
    device: int
    inode: int
    size: int
    count: int
    began_ns: int = 0

    def is_of(self, status: os.stat_result) -> bool:
        """Whether it is the same file, not another one under its name.

        By the inode alone: a disk may have another device number after the next start of the machine.
        """
        return status.st_ino == self.inode

    def grown(self, size: int, count: int) -> FileMark:
        """After ``size`` more bytes with ``count`` more units."""
        return msgspec.structs.replace(self, size=self.size + size, count=self.count + count)

    def begun(self, began_ns: int) -> FileMark:
        """The same, begun then."""
        return msgspec.structs.replace(self, began_ns=began_ns)


class Marks:
    """The durable marks of one sink. SQLite's errors come out as OSError, as those of the files do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def load(self) -> tuple[int | None, list[FileMark]]:
        """The cursor (None: never marked) and the files."""
        try:
            connection = self._connected()
            row = connection.execute("SELECT position FROM cursor").fetchone()
            files = connection.execute(_LOAD).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return (row[0] if row else None), [FileMark(*item) for item in files]

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
            make_directory(self._path.parent)
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
            columns = {row[1] for row in self._connection.execute("PRAGMA table_info(file)")}
            if "began_ns" not in columns:
                self._connection.execute(_ADD_BEGAN)
        return self._connection

    def _failed(self, error: sqlite3.Error) -> OSError:
        self.close()
        return OSError(f"the marks in {self._path} can't be used ({error})")

    def close(self) -> None:
        """Release the file; a transaction that wasn't committed is undone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
