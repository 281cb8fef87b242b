# SPDX-License-Identifier: GPL-3.0-or-later
"""From the journal to the event log: read after the cursor, identify, normalise, write, then delete what is committed.

The cursor is committed with the rows, so a crash anywhere in between repeats at worst a batch that adds nothing.
"""

from __future__ import annotations

import logging
from pathlib import Path

from event_listener.journal import STATUS_OK, Entry, JournalReader
from event_listener.normalise.redfish import normalise
from event_listener.registry import Directory, Source
from event_listener.registry_snapshot import SourceEntry, write_snapshot
from event_listener.store import Arrival, Store

logger = logging.getLogger(__name__)

_BODY_BYTES = 32 << 20  # a batch of large bodies is cut here, so that memory stays bounded


def journal_cursor(journal_id: str) -> str:
    """The name of the indexer's cursor of one journal."""
    return f"journal:{journal_id}"


class Indexer:
    """Not for two threads or processes at once. Raises JournalUnavailableError, StoreUnavailableError, OSError."""

    def __init__(self, state_dir: str | Path, store: Store, batch: int) -> None:
        self._state_dir = state_dir
        self._reader = JournalReader(state_dir)
        self._store = store
        self._batch = batch
        self._directory = Directory()
        self._registry_version = -1
        self._deleted = 0

    def _refresh(self) -> None:
        """Take a changed registry, and give ingest its snapshot of it."""
        version = self._store.sources.version()
        if version == self._registry_version:
            return
        sources = self._store.sources.list()
        self._directory = Directory(sources)
        write_snapshot(self._state_dir, map(_entry_of, sources))
        self._registry_version = version

    def step(self) -> int:
        """Index one batch; returns how many payloads it had."""
        self._refresh()
        journal_id = self._reader.journal_id
        cursor = journal_cursor(journal_id)
        done = self._store.cursors.get(cursor) or 0
        entries = self._read(done)
        if entries:
            arrivals = [self._arrival(journal_id, seq, entry) for seq, entry in entries]
            done = entries[-1][0]
            written = self._store.log.write(arrivals, cursor, done)
            if written.quarantined:
                logger.warning(
                    "%d payloads can't be understood; `event-listener quarantine list` shows them",
                    written.quarantined,
                )
        if done > self._deleted:
            self._reader.delete_through(done)
            self._deleted = done
        return len(entries)

    def _read(self, after: int) -> list[tuple[int, Entry]]:
        entries = self._reader.read_after(after, self._batch)
        size = 0
        for index, (_seq, entry) in enumerate(entries):
            size += len(entry.body)
            if size > _BODY_BYTES:
                return entries[: index + 1]
        return entries

    def _arrival(self, journal_id: str, seq: int, entry: Entry) -> Arrival:
        identity = self._directory.identify(entry.source, entry.peer)
        found = normalise(entry.body) if entry.status == STATUS_OK else None
        return Arrival(
            journal_id=journal_id,
            journal_seq=seq,
            received_ns=entry.received_ns,
            source=identity.source,
            address=identity.address,
            peer=entry.peer,
            credential=entry.credential,
            content_type=entry.content_type,
            body=entry.body,
            records=found.records if found else (),
            problem=found.problem if found else entry.reason or "malformed",
        )

    def close(self) -> None:
        """Release the journal."""
        self._reader.close()


def _entry_of(source: Source) -> SourceEntry:
    return SourceEntry(
        name=source.name, address=source.address, state=source.state, response_status=source.response_status
    )
