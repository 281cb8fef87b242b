# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the journal and the event log while both are written, and the way back.

The journal is copied first: what was acknowledged before is in its copy or, indexed meanwhile, in the event log's,
which is made later. Restoring replaces the event log and never a journal, so ingest may go on: what the backup's
journal had and its event log hadn't is appended to the journal that is there, as if it had just been received. No
number is given twice, so nothing that follows is taken for what was published before. Text logs, projections, stay.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from event_listener import __version__, postgresql_tools
from event_listener.event import Level, rfc3339
from event_listener.filesystems import sync_directory
from event_listener.indexer import journal_cursor
from event_listener.journal import Entry, Journal, JournalReader
from event_listener.salvage import problems, set_aside
from event_listener.settings import Settings
from event_listener.store import Store, StoreUnavailableError, open_store, own_arrival, sqlite_path
from event_listener.store.backend import SQLiteBackend
from event_listener.store.migrations import NewerSchemaError

Part = Literal["journal", "event-log"]
PARTS: tuple[Part, ...] = ("journal", "event-log")  # in this order: see above

MANIFEST = "backup.json"
JOURNAL, SQLITE, POSTGRESQL = "journal.db", "events.db", "events.dump"
# Where the numbers given since the backup are lost with the old log: more than a fleet sends until somebody restores.
_GAP = 1_000_000
_BATCH = 500
_CHUNK = 1 << 20


class BackupError(Exception):
    """Nothing was changed; the text says why and what to do."""


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; written last, so a folder without it is no backup. ``files``: SHA-256 by name."""

    made_ns: int
    program: str
    journal_id: str
    files: dict[str, str]


class Restored(msgspec.Struct, frozen=True):
    """When the log's last event was received, how many payloads are in the journal again, where the old log is.

    ``newest_ns`` is 0 for an empty log, ``aside`` "" where nothing was set aside.
    """

    newest_ns: int
    again: int
    aside: str


def make(settings: Settings, folder: Path, parts: Sequence[Part] = PARTS) -> Manifest:
    """Back up into an empty folder, or one that is made. Raises BackupError, StoreUnavailableError, OSError."""
    state_dir = Path(settings.state_dir)
    if not (state_dir / "journal" / "journal.db").exists():
        raise BackupError(f"there is no listener here: {state_dir} has no journal; see --config")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BackupError(f"{folder} isn't empty; give a folder of its own to each backup")
    with JournalReader(state_dir) as reader:
        journal_id = reader.journal_id
    names = [_copied(settings, folder, part) for part in PARTS if part in parts]
    for name in names:
        _sync(folder / name)
    files = {name: _digest(folder / name) for name in names}
    manifest = Manifest(time.time_ns(), __version__, journal_id, files)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    _sync(folder / MANIFEST)
    sync_directory(folder)
    return manifest


def _copied(settings: Settings, folder: Path, part: Part) -> str:
    state_dir = Path(settings.state_dir)
    if part == "journal":
        _copy(state_dir / "journal" / "journal.db", folder / JOURNAL)
        return JOURNAL
    if settings.event_log.url:
        postgresql_tools.dump(settings.event_log, folder / POSTGRESQL)
        return POSTGRESQL
    open_store(state_dir).close()  # before its first start there is none
    _copy(sqlite_path(state_dir), folder / SQLITE)
    return SQLITE


def _copy(source: Path, target: Path) -> None:
    """As of one moment, in one file, while others write; they wait for nothing. Raises OSError."""
    try:
        with contextlib.closing(_reading(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise OSError(f"{source} can't be copied to {target}: {error}") from error


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(settings: Settings, folder: Path) -> Manifest:
    """The manifest of a backup whose files are whole, and of the kind that is configured. Raises BackupError."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        for name, digest in manifest.files.items():
            if _digest(folder / name) != digest:
                raise BackupError(f"{folder / name} isn't what was backed up (SHA-256); use another backup")
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{folder} isn't a whole backup: {error}") from error
    _refuse_other_kind(settings, folder, manifest.files)
    return manifest


def restore(settings: Settings, folder: Path) -> Restored:
    """Put a backup back. Neither relay nor management may run on any host that has this event log.

    Raises BackupError, StoreUnavailableError, NewerSchemaError, JournalUnavailableError, OSError.
    """
    manifest = read(settings, folder)
    state_dir = Path(settings.state_dir)
    if found := problems(state_dir / "journal" / "journal.db"):
        raise BackupError(
            f"the journal in {state_dir} is corrupt ({found[0]}); mend it first: event-listener doctor --repair"
        )
    aside = ""
    replaced = manifest.files.keys() & {SQLITE, POSTGRESQL}
    given = _given(settings) if replaced else None
    if SQLITE in manifest.files:
        aside = _put_back(folder / SQLITE, sqlite_path(state_dir), state_dir)
    elif POSTGRESQL in manifest.files:
        postgresql_tools.restore(settings.event_log, folder / POSTGRESQL)
    with open_store(state_dir, settings.event_log) as store:
        newest_ns = store.log.newest_ns()
        if replaced:
            _go_on(store, manifest, given)
        again = _append_missing(state_dir, folder / JOURNAL, manifest, store) if JOURNAL in manifest.files else 0
        return Restored(newest_ns, again, aside)


def _given(settings: Settings) -> int | None:
    """The greatest number that the log to be replaced has given; None where it can't tell any more."""
    path = sqlite_path(settings.state_dir)
    if not settings.event_log.url and (not path.exists() or problems(path)):
        return None
    try:
        with open_store(settings.state_dir, settings.event_log) as store:
            return max(store.log.head(), store.log.payload_head())
    except (StoreUnavailableError, NewerSchemaError):
        return None


def _refuse_other_kind(settings: Settings, folder: Path, files: Mapping[str, str]) -> None:
    if SQLITE in files and settings.event_log.url:
        raise BackupError(
            f"{folder} has an event log in SQLite, and the configuration names a database: restore it with "
            "event_log.url empty, then move it with event-listener migrate-log"
        )
    if POSTGRESQL in files and not settings.event_log.url:
        raise BackupError(f"{folder} has an event log of PostgreSQL; name a database in event_log.url")


def _put_back(copy: Path, path: Path, state_dir: Path) -> str:
    """Try the copy under another name, then let it take the place of what is there. Returns where that is now."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    trial = path.with_name("restoring.db")
    for leftover in path.parent.glob(f"{trial.name}*"):
        leftover.unlink()
    try:
        shutil.copyfile(copy, trial)
        if found := problems(trial):
            raise BackupError(f"{copy} is corrupt ({found[0]}); use another backup")
        Store(SQLiteBackend(trial)).close()  # brings its tables to this version's state, or refuses
        _sync(trial)
        aside = str(set_aside(path, state_dir).parent) if path.exists() else ""
        trial.rename(path)
        sync_directory(path.parent)
    finally:
        for leftover in path.parent.glob(f"{trial.name}*"):
            leftover.unlink()
    return aside


def _go_on(store: Store, manifest: Manifest, given: int | None) -> None:
    """Numbers go on after what was given since the backup, and an event of our own tells of it."""
    last = max(store.log.head(), store.log.payload_head())
    store.log.skip_to(last + _GAP if given is None else max(last, given))
    now_ns = time.time_ns()
    made = rfc3339(manifest.made_ns)
    message = f"The event log was restored from the backup of {made}; what came after it is not in this log."
    arrival = own_arrival(
        "LogRestored", message, unique=f"restored {now_ns}", now_ns=now_ns, level=Level.WARN, arguments=[made]
    )
    store.log.add([arrival])


def _append_missing(state_dir: Path, copy: Path, manifest: Manifest, store: Store) -> int:
    """Append what the copied journal has, the event log hasn't, and the journal here hasn't either."""
    journal = Journal(state_dir)
    count = 0
    try:
        journal.check()  # makes the file
        indexed = store.cursors.get(journal_cursor(manifest.journal_id)) or 0
        with contextlib.closing(_reading(copy)) as old:
            kept = _numbers(state_dir, manifest.journal_id)
            for entries in _entries_after(old, indexed):
                missing = [entry for seq, entry in entries if seq not in kept]
                count += len(journal.append(missing))
    except sqlite3.Error as error:
        raise OSError(f"{copy} can't be read: {error}") from error
    finally:
        journal.close()
    return count


def _numbers(state_dir: Path, journal_id: str) -> set[int]:
    """The numbers that the journal here has, where it is the one that was backed up."""
    with JournalReader(state_dir) as reader:
        if reader.journal_id != journal_id:
            return set()
        found: set[int] = set()
        after = 0
        while entries := reader.read_after(after, _BATCH):
            found.update(seq for seq, _entry in entries)
            after = entries[-1][0]
        return found


def _entries_after(connection: sqlite3.Connection, seq: int) -> Iterator[list[tuple[int, Entry]]]:
    names = ", ".join(Entry.__struct_fields__)
    query = f"SELECT seq, {names} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - names of ours
    while rows := connection.execute(query, (seq, _BATCH)).fetchall():
        yield [(row[0], Entry(*row[1:])) for row in rows]
        seq = rows[-1][0]
