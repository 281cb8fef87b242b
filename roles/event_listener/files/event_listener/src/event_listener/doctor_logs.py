# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at the journal, the event log, their cursors and the marks of the file sinks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from event_listener import salvage
from event_listener.event import rfc3339
from event_listener.indexer import journal_cursor
from event_listener.journal import JournalBrokenError, JournalReader, JournalUnavailableError
from event_listener.settings import Settings
from event_listener.store import Store, StoreUnavailableError, open_store, sqlite_path
from event_listener.store.migrations import NewerSchemaError

# What, how it is, a sentence, and how to mend it where that can be done.
Raw = tuple[str, Literal["good", "note", "wrong"], str, Callable[[], str] | None]
_AHEAD_NS = 60 * 10**9  # clocks of hosts that share a log differ by a little


def findings(settings: Settings) -> Iterator[Raw]:
    """Yield what was found; a caller that mends does so before it asks for the next. Raises OSError."""
    state_dir = Path(settings.state_dir)
    path = sqlite_path(state_dir)
    if not settings.event_log.url:
        # The log first: how far the journal was indexed stands there.
        yield from _event_log(state_dir, path)
        if salvage.problems(path):
            return  # not mended: what follows would stumble over it
    yield from _journal(settings, state_dir)
    if salvage.problems(state_dir / "journal" / "journal.db"):
        return
    yield from _marks(state_dir)
    if not settings.event_log.url and not path.exists():
        yield "event log", "note", "there is none yet", None
        return
    try:
        with open_store(state_dir, settings.event_log) as store:
            yield from _cursors(state_dir, store)
            yield from _clock(store)
    except (StoreUnavailableError, NewerSchemaError) as error:
        yield "event log", "wrong", str(error), None


def _event_log(state_dir: Path, path: Path) -> Iterator[Raw]:
    found = salvage.problems(path)
    if not found:
        yield "event log", "good", str(path), None
        return

    def mend() -> str:
        done = salvage.event_log(state_dir, path, _journal_id(state_dir))
        kept = ", ".join(f"{count} of {table}" for table, count in done.kept.items() if count)
        return f"a new one holds {kept or 'nothing'}; up to {done.lost} rows are lost; the old one is in {done.aside}"

    yield "event log", "wrong", f"{path} is corrupt ({'; '.join(found)})", mend


def _journal_id(state_dir: Path) -> str:
    """This host's journal's; "" where that can't be read."""
    path = state_dir / "journal" / "journal.db"
    if not path.exists() or salvage.problems(path):
        return ""
    with JournalReader(state_dir) as reader:
        return reader.journal_id


def _journal(settings: Settings, state_dir: Path) -> Iterator[Raw]:
    path = state_dir / "journal" / "journal.db"
    found = salvage.problems(path)
    if not found:
        yield "journal", "good" if path.exists() else "note", str(path) if path.exists() else "there is none yet", None
        return

    def mend() -> str:
        with open_store_without_journal(settings) as store:
            prefix = journal_cursor("")
            known = {
                name.removeprefix(prefix): at for name, at in store.cursors.all().items() if name.startswith(prefix)
            }
        done = salvage.journal(state_dir, known)
        kept = done.kept["journal"]
        return f"a new one holds {kept} payloads; up to {done.lost} are lost; the old one is in {done.aside}"

    yield "journal", "wrong", f"{path} is corrupt ({'; '.join(found)})", mend


def open_store_without_journal(settings: Settings) -> Store:
    """The event log, also where this host's journal can't tell who it is. Raises StoreUnavailableError."""
    from event_listener.store import shared_database  # noqa: PLC0415 - beside its only use
    from event_listener.store.backend import SQLiteBackend  # noqa: PLC0415 - same

    if settings.event_log.url:
        return Store(shared_database(settings.event_log))
    return Store(SQLiteBackend(sqlite_path(settings.state_dir)))


def _marks(state_dir: Path) -> Iterator[Raw]:
    for path in sorted((state_dir / "sinks").glob("*.db")):
        found = salvage.problems(path)

        def mend(path: Path = path) -> str:
            where = salvage.set_aside(path, state_dir)
            return (
                f"set aside in {where.parent}; the sink goes on at its cursor in the event log, and may repeat a second"
            )

        if found:
            yield f"marks of {path.stem}", "wrong", f"{path} is corrupt ({'; '.join(found)})", mend
        else:
            yield f"marks of {path.stem}", "good", "", None


def _cursors(state_dir: Path, store: Store) -> Iterator[Raw]:
    try:
        with JournalReader(state_dir) as reader:
            name, head = journal_cursor(reader.journal_id), reader.head()
            identity = reader.journal_id
    except (JournalUnavailableError, JournalBrokenError) as error:
        yield "journal", "wrong", str(error), None
        return
    indexed = store.cursors.get(name) or 0
    if indexed > head:

        def mend() -> str:
            try:
                again = salvage.renumber(state_dir, indexed, lambda seq: store.log.has(identity, seq))
            except sqlite3.Error as error:
                raise OSError(str(error)) from error
            return f"its numbers go on after {indexed}; {again} payloads that weren't indexed got new ones"

        text = (
            f"the journal ends at {head}, but {indexed} was indexed: it is older than the event log, and what arrives "
        )
        yield "cursor of the journal", "wrong", text + "would be skipped", mend
    else:
        yield "cursor of the journal", "good", f"{head - indexed} payloads wait to be indexed", None
    ahead = {name: at for name, at in store.cursors.all().items() if name.startswith("sink:")}
    last = max(store.log.head(), store.log.payload_head())
    beyond = {name: at for name, at in ahead.items() if at > last}
    if beyond:
        worst = max(beyond.values())

        def raise_numbers() -> str:
            store.log.skip_to(worst)
            return f"the log goes on after {worst}"

        names = ", ".join(sorted(beyond))
        text = f"{names}: ahead of the event log, which ends at {last}; what arrives would be skipped"
        yield "cursors of the sinks", "wrong", text, raise_numbers
    else:
        yield "cursors of the sinks", "good", "", None


def _clock(store: Store) -> Iterator[Raw]:
    newest = store.log.newest_ns()
    now = time.time_ns()
    if newest > now + _AHEAD_NS:
        text = f"it is {rfc3339(now)}, and the log has an event received {rfc3339(newest)}: set the clock"
        yield "clock", "wrong", text, None
    else:
        yield "clock", "good", "", None
