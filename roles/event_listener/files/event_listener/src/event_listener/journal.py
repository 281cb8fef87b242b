# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what was acknowledged, on disk. The only thing the ingest process writes.

One SQLite file per host, one table without a secondary index. WAL with synchronous=FULL, so a commit returns after
the write-ahead log is synced, and SQLite shows a transaction to readers only after that sync: a reader never sees
what a power cut could still take back. Two processes write (journal_writer.py for ingest, the relay when it deletes);
they take turns under a fair file lock, since SQLite's own waiting is polling and starves the unlucky.

No SQLAlchemy and no Flask here. docs/adr/0003-journal.md has the reasons and the price.
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from event_listener.filesystems import make_directory, refuse_network_filesystem, refuse_read_only, sync_again
from event_listener.turnstile import Turnstile

_T = TypeVar("_T")

STATUS_OK = "ok"
STATUS_MALFORMED = "malformed"

# Rows deleted per transaction: few enough that a waiting acknowledgement doesn't notice.
DELETE_BATCH = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused, also not after everything was deleted
    received_ns INTEGER NOT NULL,
    source TEXT,
    peer TEXT NOT NULL,
    credential TEXT NOT NULL,
    content_type TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'malformed')),
    reason TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_INSERT = (
    "INSERT INTO journal (received_ns, source, peer, credential, content_type, status, reason, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_NEXT_ROW = ", (?, ?, ?, ?, ?, ?, ?, ?)"
_READ = (
    "SELECT seq, received_ns, source, peer, credential, content_type, status, reason, body "
    "FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"
)
_PROBE = "INSERT INTO meta VALUES ('probe', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_DELETE = "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE seq <= ? ORDER BY seq LIMIT ?)"


class Entry(msgspec.Struct, frozen=True):
    """One POST, as it arrived."""

    received_ns: int
    """Nanoseconds since the epoch when the body was complete."""
    source: str | None
    """The id in the path `/events/<id>`; None for `POST /`."""
    peer: str
    """Address of the BMC: IPv4-mapped addresses unmapped, zone cut, a trusted proxy looked through."""
    credential: str
    """Name (never the secret) of the credential that was shown."""
    content_type: str
    status: str
    """`ok` (a JSON object within the limits) or `malformed` (kept for quarantine)."""
    reason: str
    """Why it is malformed; empty otherwise."""
    body: bytes
    """The body's bytes, unaltered."""


class JournalUnavailableError(Exception):
    """The journal can't be written or read now (disk full, read-only, gone). Nothing of the batch was stored."""


class JournalBrokenError(Exception):
    """fsync failed: what the kernel still holds of the file is unknown. The process must end, not retry."""


class _File:
    """The SQLite file, opened lazily and again after an error or after somebody replaced it."""

    def __init__(self, state_dir: str | Path) -> None:
        self.directory = Path(state_dir) / "journal"
        self.path = self.directory / "journal.db"
        self.turnstile = Turnstile(self.directory)
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self.journal_id = ""

    def connection(self) -> sqlite3.Connection:
        """Open where needed. Raises sqlite3.Error or OSError; call it holding the turnstile unless `is_current`."""
        if self._connection is not None and self.is_current():
            return self._connection
        self.close()
        self._connection = self._open()
        self._inode = self._current_inode()
        return self._connection

    def is_current(self) -> bool:
        """Whether the open file is still the one at its path; rows written to a deleted one would be lost."""
        return self._connection is not None and self._current_inode() == self._inode

    def _current_inode(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _open(self) -> sqlite3.Connection:
        # Each size of a batch is a statement of its own to the cache.
        connection = sqlite3.connect(self.path, timeout=5, isolation_level=None, cached_statements=256)
        try:
            os.chmod(self.path, 0o640)
            # Each connection sets these: they aren't stored in the file, but for WAL.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            # The relay checkpoints as it deletes; this is for when it is down. 8,192 pages are 32 MiB.
            connection.execute("PRAGMA wal_autocheckpoint=8192")
            connection.execute("PRAGMA journal_size_limit=67108864")
            refuse_read_only(self.path)
            connection.executescript(_SCHEMA)
            self.journal_id = self._identify(connection)
            self._sync_recovered()
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _identify(connection: sqlite3.Connection) -> str:
        select = "SELECT value FROM meta WHERE key = 'journal_id'"
        row = connection.execute(select).fetchone()
        if row is None:
            connection.execute("INSERT INTO meta VALUES ('journal_id', ?)", (secrets.token_hex(6),))
            row = connection.execute(select).fetchone()
        return str(row[0])

    def _sync_recovered(self) -> None:
        # After a crash SQLite recovers every whole frame of the write-ahead log, also those that were written but not
        # yet synced, or whose sync failed. Sync them before anyone reads them: the caller holds the turnstile.
        try:
            sync_again(Path(f"{self.path}-wal"))
        except OSError as error:
            if error.errno == errno.EIO:
                raise _broken(self.path, f"OSError: {error.strerror}") from error
            raise

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def release(self) -> None:
        """Close the file and those of the turnstile."""
        self.close()
        self.turnstile.close()


def prepare_journal(state_dir: str | Path) -> None:
    """Make the journal's directory. Raises OSError; NetworkFilesystemError where fsync can't be trusted."""
    directory = Path(state_dir) / "journal"
    make_directory(directory)
    refuse_network_filesystem(directory)


class Journal:
    """The writing side. One per process; not for two threads at once.

    Makes its directory now or never: when the disk at `state_dir` goes away later, its mount point must not become a
    new journal. Ingest's workers, which come and go, don't (`create=False`). Raises OSError.
    """

    def __init__(self, state_dir: str | Path, *, create: bool = True) -> None:
        if create:
            prepare_journal(state_dir)
        self._file = _File(state_dir)

    def append(self, entries: Sequence[Entry], note: tuple[str, str] | None = None) -> list[int]:
        """Store `entries` in one synced transaction and return their sequence numbers; in `meta` a `note` with them.

        Raises JournalUnavailableError when nothing was stored, JournalBrokenError when fsync failed.
        """
        if note is None:
            return self._in_turn(lambda connection: self._insert(connection, entries))
        return self._in_turn(lambda connection: self._insert_noted(connection, entries, note))

    def used_bytes(self) -> int:
        """Bytes of the pages that hold something: those of deleted entries are used again. Raises as append does."""
        return self._in_turn(_used_bytes)

    def check(self) -> None:
        """Prove that a transaction can be written and synced now (a mark in `meta`). Raises as append does."""
        self._in_turn(lambda connection: connection.execute(_PROBE, (str(time.time_ns()),)))

    def _in_turn(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            with self._file.turnstile:
                return action(self._file.connection())
        except (sqlite3.Error, OSError) as error:
            self._file.close()
            raise _translated(error, self._file.path) from error

    @staticmethod
    def _insert(connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[int]:
        if not entries:
            return []
        # One statement is one transaction, and gives up the interpreter's lock once for all of its rows and the sync.
        values = [value for entry in entries for value in msgspec.structs.astuple(entry)]
        last = connection.execute(_INSERT + _NEXT_ROW * (len(entries) - 1), values).lastrowid or 0
        # AUTOINCREMENT within one transaction: consecutive.
        return list(range(last - len(entries) + 1, last + 1))

    @classmethod
    def _insert_noted(
        cls, connection: sqlite3.Connection, entries: Sequence[Entry], note: tuple[str, str]
    ) -> list[int]:
        with connection:  # commits, or takes both back
            connection.execute("BEGIN IMMEDIATE")
            numbers = cls._insert(connection, entries)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", note)
        return numbers

    def close(self) -> None:
        """Release the files."""
        self._file.release()


class JournalReader:
    """The reading side, for the relay: read after a cursor, delete what is safely in the event log. Raises OSError."""

    def __init__(self, state_dir: str | Path) -> None:
        prepare_journal(state_dir)
        self._file = _File(state_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def journal_id(self) -> str:
        """Twelve hex digits, made when the file was; with the sequence number it names an entry for ever."""
        self._connected()
        return self._file.journal_id

    def read_after(self, seq: int, limit: int = 500) -> list[tuple[int, Entry]]:
        """Return up to `limit` entries with a greater sequence number than `seq`, in order; all of them durable.

        Raises JournalUnavailableError.
        """
        try:
            rows = self._connected().execute(_READ, (seq, limit)).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return [(row[0], Entry(*row[1:])) for row in rows]

    def head(self) -> int:
        """Return the greatest sequence number ever given; 0 for a new journal. Deleting doesn't lower it."""
        try:
            row = self._connected().execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return int(row[0]) if row else 0

    def used_bytes(self) -> int:
        """Bytes of the pages that hold something. Raises JournalUnavailableError."""
        try:
            return _used_bytes(self._connected())
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def notes(self, prefix: str) -> dict[str, str]:
        """What was noted with entries, by key. Raises JournalUnavailableError."""
        try:
            rows = self._connected().execute("SELECT key, value FROM meta WHERE key GLOB ?", (f"{prefix}*",)).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return dict(rows)

    def forget_note(self, key: str) -> None:
        """Delete a note. Raises JournalUnavailableError."""
        try:
            connection = self._connected()
            with self._file.turnstile:
                connection.execute("DELETE FROM meta WHERE key = ?", (key,))
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def delete_through(self, seq: int) -> int:
        """Delete entries up to and including `seq`, in small transactions; returns how many.

        Not synced: a deletion that a power cut takes back is only done again. Raises JournalUnavailableError.
        """
        deleted = 0
        try:
            connection = self._connected()
            connection.execute("PRAGMA synchronous=NORMAL")
            while True:
                with self._file.turnstile:
                    count = connection.execute(_DELETE, (seq, DELETE_BATCH)).rowcount
                deleted += count
                if count < DELETE_BATCH:
                    break
            if deleted:
                # Here and not in the acknowledging path; PASSIVE waits for nobody and blocks nobody.
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error
        return deleted

    def _connected(self) -> sqlite3.Connection:
        try:
            if self._file.is_current():
                return self._file.connection()
            with self._file.turnstile:
                return self._file.connection()
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Exception:
        self._file.close()
        return _translated(error, self._file.path)

    def close(self) -> None:
        """Release the files."""
        self._file.release()


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _translated(error: Exception, path: Path) -> Exception:
    """One sentence for an SQLite or operating system error, and whether the process may go on."""
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if name in ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"):
        return _broken(path, name)
    return JournalUnavailableError(f"the journal {path} can't be used ({name}: {error}); nothing was acknowledged")


def _broken(path: Path, name: str) -> JournalBrokenError:
    return JournalBrokenError(
        f"fsync of the journal {path} failed ({name}); ending, since its state in memory can't be trusted. "
        "Check the disk (dmesg); the service manager starts the listener again."
    )
