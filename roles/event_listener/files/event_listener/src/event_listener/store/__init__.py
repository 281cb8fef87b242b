# SPDX-License-Identifier: GPL-3.0-or-later
"""The event log: SQLAlchemy Core, one interface, one conformance suite for every database that holds it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from event_listener.store import migrations
from event_listener.store.backend import Backend, SQLiteBackend, StoreUnavailableError
from event_listener.store.cursors import Cursors, FencedError, LaneStatus, Lease, Rejected, Unit
from event_listener.store.log import Arrival, EventLog, Written
from event_listener.store.quarantine import Held, Quarantine
from event_listener.store.query import MAX_LIMIT, Page, Queries, Query
from event_listener.store.sources import Activity, Sources

__all__ = [
    "MAX_LIMIT",
    "Activity",
    "Arrival",
    "Cursors",
    "EventLog",
    "FencedError",
    "Held",
    "LaneStatus",
    "Lease",
    "Page",
    "Quarantine",
    "Queries",
    "Query",
    "Rejected",
    "Sources",
    "Store",
    "StoreUnavailableError",
    "Unit",
    "Written",
    "open_store",
]


class Store:
    """The event log with all its parts, migrated to this version's schema."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.log = EventLog(backend)
        self.cursors = Cursors(backend)
        self.queries = Queries(backend)
        self.sources = Sources(backend)
        self.quarantine = Quarantine(backend)
        with backend.lock_migrations(), backend.write() as connection:
            migrations.upgrade(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release all connections."""
        self._backend.close()


def open_store(state_dir: str | Path) -> Store:
    """Open the event log of a listener, making or migrating it. Raises StoreUnavailableError, NewerSchemaError."""
    return Store(SQLiteBackend(Path(state_dir) / "log" / "events.db"))
