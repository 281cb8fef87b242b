# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrupt SQLite files: set aside whole, and what can still be read copied into a new one. Numbers are never reused.

The set-aside file is only read. SQLite has checksums in its write-ahead log, not in the file: bytes that changed within
a row are not noticed, rows whose pages can't be followed are given up and counted.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Table

from event_listener.event import Level
from event_listener.filesystems import make_directory, sync_directory
from event_listener.journal import Entry, Journal
from event_listener.store import Store, schema
from event_listener.store.backend import SQLiteBackend
from event_listener.store.own import own_arrival
from event_listener.store.rebuild import TABLES, Rebuild, is_numbered

_CHUNK = 1024
# Where the greatest number given can't be read: more than a host acknowledges before somebody notices.
_GAP = 10_000_000


class Salvaged(msgspec.Struct, frozen=True):
    """``kept`` rows by table; up to ``lost`` rows that couldn't be read; where the old file is."""

    kept: dict[str, int]
    lost: int
    aside: Path


def problems(path: Path, limit: int = 3) -> list[str]:
    """What SQLite's integrity check finds in a file; empty is good. Raises OSError."""
    if not path.exists():
        return []
    try:
        with _reading(path) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({limit})")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


@contextlib.contextmanager
def _reading(path: Path, *, damaged: bool = False) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    try:
        if damaged:
            connection.execute("PRAGMA writable_schema=ON")  # reads a file that was cut off, too
        yield connection
    finally:
        connection.close()


def set_aside(path: Path, state_dir: Path) -> Path:
    """Move a file with its write-ahead log out of the way; returns where it is now. Raises OSError."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    folder = state_dir / "set-aside" / f"{stamp}-{path.stem}"
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{stamp}-{path.stem}-{number}")
    make_directory(folder)
    for suffix in ("-shm", "-wal", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(folder / (path.name + suffix))
    (folder / f"{path.name}-shm").unlink(missing_ok=True)  # an index of the log, made again when it is read
    sync_directory(path.parent)
    sync_directory(folder)
    return folder / path.name


class _Rows:
    """Reads a table by its integer key, around what is broken; ``lost`` counts the keys that couldn't be looked at."""

    def __init__(self, connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> None:
        self._connection = connection
        names = ", ".join(f'"{name}"' for name in columns)
        # Names are ours: of the journal, and of the event log's schema.
        self._query = f'SELECT {names} FROM "{table}" WHERE "{columns[0]}" BETWEEN ? AND ? ORDER BY 1'  # noqa: S608
        self.lost = 0

    def read(self, first: int, last: int) -> Iterator[tuple[Any, ...]]:
        """Yield rows in order."""
        for begin in range(first, last + 1, _CHUNK):
            waiting = [(begin, min(begin + _CHUNK - 1, last))]
            while waiting:
                low, high = waiting.pop()
                try:
                    found = self._connection.execute(self._query, (low, high)).fetchall()
                except sqlite3.DatabaseError:
                    if low == high:
                        self.lost += 1
                    else:
                        middle = (low + high) // 2
                        waiting += [(middle + 1, high), (low, middle)]
                    continue
                yield from found


def _scalar(connection: sqlite3.Connection, query: str, *values: Any) -> Any:
    """The first column of the first row; None where there is none, or it can't be read."""
    try:
        row = connection.execute(query, values).fetchone()
    except sqlite3.DatabaseError:
        return None
    return row[0] if row else None


def _bounds(connection: sqlite3.Connection, table: str, given: int | None) -> tuple[int, int]:
    """The least and the greatest key that may be there."""
    quoted = f'FROM "{table}"'
    last = max(given or 0, _scalar(connection, f"SELECT max(seq) {quoted}") or 0)
    return int(_scalar(connection, f"SELECT min(seq) {quoted}") or 1), int(last)


def journal(state_dir: Path, cursors: Mapping[str, int]) -> Salvaged:
    """Begin a new journal with what the corrupt one still shows after its cursor. Nobody may use it meanwhile.

    ``cursors``: how far each journal is in the event log, by its id. Raises OSError, JournalUnavailableError.
    """
    old = set_aside(state_dir / "journal" / "journal.db", state_dir)
    with _reading(old, damaged=True) as connection:
        identity = _scalar(connection, "SELECT value FROM meta WHERE key = 'journal_id'")
        if not isinstance(identity, str) and len(cursors) == 1:
            identity = next(iter(cursors))
        done = cursors.get(identity or "", 0)
        given = _scalar(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'journal'")
        low, high = _bounds(connection, "journal", given)
        rows = _Rows(connection, "journal", ["seq", *Entry.__struct_fields__])
        first = max(low, done + 1)
        entries = [(row[0], Entry(*row[1:])) for row in rows.read(first, high) if _is_entry(row)]
    number = max(high, done) + (0 if given is not None else _GAP)
    _begin(state_dir, identity if isinstance(identity, str) else "", entries, number)
    # Numbers are without gaps, so what isn't there is lost, also where SQLite says nothing.
    return Salvaged({"journal": len(entries)}, max(0, high + 1 - first - len(entries)), old.parent)


def _begin(state_dir: Path, identity: str, entries: Sequence[tuple[int, Entry]], number: int) -> None:
    """A new journal with these entries, whose next number is after ``number``; with a new id where that is ""."""
    journal = Journal(state_dir)
    journal.check()  # makes the file
    journal.close()
    with contextlib.closing(sqlite3.connect(state_dir / "journal" / "journal.db", isolation_level=None)) as new:
        new.execute("BEGIN IMMEDIATE")
        marks = ", ".join("?" * (1 + len(Entry.__struct_fields__)))
        values = [(seq, *msgspec.structs.astuple(entry)) for seq, entry in entries]
        new.executemany(f"INSERT INTO journal VALUES ({marks})", values)  # noqa: S608 - marks alone
        if identity:
            new.execute("UPDATE meta SET value = ? WHERE key = 'journal_id'", (identity,))
        _raise_number(new, number)
        new.execute("COMMIT")


def _raise_number(connection: sqlite3.Connection, number: int) -> None:
    connection.execute(
        "INSERT INTO sqlite_sequence SELECT 'journal', 0 WHERE NOT EXISTS "
        "(SELECT 1 FROM sqlite_sequence WHERE name = 'journal')"
    )
    connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'journal'", (number,))


def renumber(state_dir: Path, indexed: int, known: Callable[[int], bool]) -> int:
    """Let a journal that is behind its cursor (a power cut on a disk that lies, an old backup) go on after it.

    Entries up to ``indexed`` that the event log doesn't know get new numbers, the others are removed. Nobody may use
    it meanwhile. Returns how many got one. Raises sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(state_dir / "journal" / "journal.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _raise_number(connection, indexed)
        behind = [row[0] for row in connection.execute("SELECT seq FROM journal WHERE seq <= ?", (indexed,))]
        names = ", ".join(Entry.__struct_fields__)
        again = [seq for seq in behind if not known(seq)]
        for seq in again:
            insert = f"INSERT INTO journal ({names}) SELECT {names} FROM journal WHERE seq = ?"  # noqa: S608 - of ours
            connection.execute(insert, (seq,))
        connection.execute("DELETE FROM journal WHERE seq <= ?", (indexed,))
        connection.execute("COMMIT")
    return len(again)


def _is_entry(row: Sequence[Any]) -> bool:
    _seq, received, source, *texts, body = row
    return (
        isinstance(received, int)
        and (source is None or isinstance(source, str))
        and all(isinstance(text, str) for text in texts)
        and texts[3] in ("ok", "malformed")
        and isinstance(body, bytes)
    )


def event_log(state_dir: Path, path: Path, journal_id: str) -> Salvaged:
    """Begin a new event log with what the corrupt one still shows. Nobody may use it meanwhile.

    Tells so in an event of our own. Raises OSError, StoreUnavailableError.
    """
    old = set_aside(path, state_dir)
    kept: dict[str, int] = {}
    lost = gap = 0
    with _reading(old, damaged=True) as connection, Rebuild(path) as new:
        for table in TABLES:
            columns = _columns(connection, table)
            if not is_numbered(table):
                kept[table.name], refused = new.add(table, columns, _all(connection, table.name, columns))
                lost += refused
                continue
            given = _scalar(connection, "SELECT value FROM counter WHERE name = ?", table.name)
            gap = gap if given is not None or table is not schema.payload else _GAP
            low, high = _bounds(connection, table.name, given)
            rows = _Rows(connection, table.name, columns)
            kept[table.name], refused = new.add(table, columns, rows.read(low, high))
            lost += rows.lost + refused
        new.finish(gap, journal_id)
    _tell(path, lost, old)
    return Salvaged(kept, lost, old.parent)


def _tell(path: Path, lost: int, old: Path) -> None:
    now = time.time_ns()
    message = f"The event log was corrupt; up to {lost} rows of it are lost. The old file is in {old.parent}."
    arrival = own_arrival(
        "LogSalvaged", message, unique=str(old), now_ns=now, level=Level.ERROR, arguments=[str(lost), str(old.parent)]
    )
    with Store(SQLiteBackend(path)) as store:
        store.log.add([arrival])


def _columns(connection: sqlite3.Connection, table: Table) -> list[str]:
    """The columns that both the old file and this version have, the key first; all where the file doesn't say."""
    try:
        there = {row[1] for row in connection.execute(f'PRAGMA table_info("{table.name}")')}
    except sqlite3.DatabaseError:
        there = set()
    return [column.name for column in table.c if not there or column.name in there]


def _all(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a small table, as far as they can be read."""
    names = ", ".join(f'"{name}"' for name in columns)
    with contextlib.suppress(sqlite3.DatabaseError):  # what came before the damage is kept
        yield from connection.execute(f'SELECT {names} FROM "{table}"')  # noqa: S608 - names of ours
