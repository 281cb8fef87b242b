# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexing what isn't searched for by a plain column: the words of events, and the times of their blocks.

It follows the log with a cursor of its own, a second behind: the transaction that stores events stays as short as it
was, what an older version wrote is indexed as well, and so is all of an upgraded log, from its beginning. Questions
look through what isn't indexed yet.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, select

from event_listener.store import periods, schema, text_index
from event_listener.store.backend import Backend

CURSOR = "searchable"
BATCH = 1000
_COLUMNS = [schema.event.c[name] for name in (*text_index.COLUMNS, "received_ns")]


def through(connection: Connection) -> int:
    """The last event that is indexed."""
    table = schema.cursor.c
    return int(connection.execute(select(table.position).where(table.name == CURSOR)).scalar() or 0)


class Search:
    """For one thread of one process at a time: who holds the lease of tidying."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def step(self, limit: int = BATCH) -> int:
        """Index the next events; returns how many. Raises StoreUnavailableError."""
        with self._backend.read() as connection:
            after = through(connection)
            statement = select(*_COLUMNS).where(schema.event.c.seq > after).order_by(schema.event.c.seq).limit(limit)
            found = [dict(row) for row in connection.execute(statement).mappings()]
        if not found:
            return 0
        indexed = text_index.rows(found)
        with self._backend.write(CURSOR) as connection:
            if through(connection) == after:
                text_index.add(connection, indexed)
                periods.add(self._backend, connection, found)
                moved = {"name": CURSOR, "position": found[-1]["seq"], "updated_ns": time.time_ns()}
                self._backend.upsert(connection, schema.cursor, [moved], add=())
        return len(found)
