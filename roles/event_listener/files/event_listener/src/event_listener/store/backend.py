# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between databases: how to connect, to write one at a time, and to insert or update.

Everything else in this folder is the same SQL on all of them. One class per database; the conformance suite
(tests/unit/listener/test_store.py) takes each.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Engine, Table, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from event_listener.filesystems import make_directory, refuse_network_filesystem, refuse_read_only, sync_again

APPEND = "append"  # the lock of all that takes sequence numbers, and of the registry


class StoreUnavailableError(Exception):
    """The event log can't be used now. Nothing of the transaction was stored; trying again later is right."""


class StoreBrokenError(StoreUnavailableError):
    """fsync failed: what the kernel still holds of the file is unknown. Who writes must end, not retry."""


_PATIENCE = 30.0  # seconds; for another process that writes to the same file
_OPEN_AGAIN = ("SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN")
_FSYNC_FAILED = ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")


class Backend(Protocol):
    """A database that can hold the event log."""

    name: str

    def read(self) -> contextlib.AbstractContextManager[Connection]:
        """One consistent view. Raises StoreUnavailableError."""

    def write(self, lock: str = APPEND, *further: str) -> contextlib.AbstractContextManager[Connection]:
        """One transaction, durable when it returns. Raises StoreUnavailableError.

        One writer at a time, where a database can do better: one at a time with the same ``lock``. Who needs several
        takes ``APPEND`` first.
        """

    def upsert(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]], add: Sequence[str]) -> None:
        """Insert rows, or update those whose primary key exists: columns in ``add`` are added to, others replaced."""

    def lock_migrations(self) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from migrating at the same time."""

    def make_durable(self) -> None:
        """Make sure that what was read survives a power cut, also after a crash. Raises StoreUnavailableError."""

    def now_ns(self, connection: Connection) -> int:
        """A clock that all who share the database agree on, ns."""

    def close(self) -> None:
        """Release all connections."""


def insert_or_update(
    statement: Any, connection: Connection, table: Table, rows: Sequence[dict[str, Any]], add: Sequence[str]
) -> None:
    """``Backend.upsert`` with a dialect's ``insert(table)``: SQLite's and PostgreSQL's ON CONFLICT are the same."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    values: dict[str, ColumnElement[Any]] = {
        name: statement.excluded[name] for name in rows[0] if name not in (*keys, *add)
    }
    values |= {name: table.c[name] + statement.excluded[name] for name in add}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), list(rows))


def _use_write_ahead_log(connection: Any) -> None:
    """As the pragma does, and wait where SQLite doesn't: while another process does the same to a new file."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


class SQLiteBackend:
    """One file, write-ahead log, every commit synced."""

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        make_directory(path.parent)
        refuse_network_filesystem(path.parent)
        self.engine: Engine = sqlalchemy.create_engine(
            sqlalchemy.URL.create("sqlite", database=str(path)),
            connect_args={"timeout": _PATIENCE},
            # As many as SQLAlchemy would open at most, but kept: opening one is what costs (_prepare).
            pool_size=15,
            max_overflow=0,
            pool_use_lifo=True,
        )
        event.listen(self.engine, "connect", self._prepare)
        event.listen(self.engine, "begin", self._begin)

    def _prepare(self, connection: Any, _record: Any) -> None:
        # The driver's own transaction control begins too late and commits too early; ours is in _begin.
        connection.isolation_level = None
        try:
            _use_write_ahead_log(connection)
            for pragma in ("synchronous=FULL", "foreign_keys=ON", "journal_size_limit=67108864"):
                connection.execute(f"PRAGMA {pragma}").close()
            refuse_read_only(self.path)
        except BaseException as error:
            connection.close()  # SQLAlchemy leaves that to whenever nobody refers to it any more
            if isinstance(error, OSError):
                raise StoreUnavailableError(f"the event log {self.path} can't be used ({error.strerror})") from error
            raise

    @staticmethod
    def _begin(connection: Connection) -> None:
        # A writer takes its lock at once: upgrading a read transaction later fails where another has written.
        immediate = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    @contextlib.contextmanager
    def _connection(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self.engine.connect().execution_options(write=write) as connection, connection.begin():
                yield connection
        except (DatabaseError, InterfaceError, PoolTimeoutError) as error:
            cause = getattr(error, "orig", None) or error
            name = getattr(cause, "sqlite_errorname", "")
            if name.startswith(_OPEN_AGAIN):
                # The file may be another one now, or its disk have come back.
                self.engine.dispose()
            if name in _FSYNC_FAILED:
                raise self._broken(str(cause)) from error
            raise StoreUnavailableError(f"the event log {self.path} can't be used ({cause})") from error

    def _broken(self, cause: str) -> StoreBrokenError:
        return StoreBrokenError(f"fsync of the event log {self.path} failed ({cause}); check the disk (dmesg)")

    def make_durable(self) -> None:
        """Sync what a killed process committed without its sync having ended, as SQLite recovered it."""
        with self.write():  # nobody else may write to the write-ahead log
            try:
                sync_again(Path(f"{self.path}-wal"))
            except OSError as error:
                if error.errno == errno.EIO:
                    raise self._broken(str(error.strerror)) from error
                raise StoreUnavailableError(f"the event log {self.path} can't be used ({error.strerror})") from error

    def read(self) -> contextlib.AbstractContextManager[Connection]:
        """One consistent view: readers never wait for writers here."""
        return self._connection(write=False)

    def write(self, *_locks: str) -> contextlib.AbstractContextManager[Connection]:
        """SQLite has one writer at a time by nature."""
        return self._connection(write=True)

    def upsert(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]], add: Sequence[str]) -> None:
        """INSERT … ON CONFLICT DO UPDATE."""
        insert_or_update(sqlite.insert(table), connection, table, rows, add)

    @contextlib.contextmanager
    def lock_migrations(self) -> Iterator[None]:
        """A file lock beside the database."""

        descriptor = os.open(self.path.with_suffix(".migrate"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def now_ns(self, connection: Connection) -> int:  # noqa: ARG002 - it is a file of this host
        """This host's clock."""
        return time.time_ns()

    def close(self) -> None:
        """Release the file; the last one to do so folds the write-ahead log in."""
        self.engine.dispose()
