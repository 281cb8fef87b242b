# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a cloud's rules and ports: a notification that one is gone says its id and nothing else.

Kept by what notifications said of them, in the transaction that moves the reader's cursor, and primed by what the cloud
says of those that are older than we are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from event_listener.event import Event
from event_listener.store import schema
from event_listener.store.backend import Backend
from event_listener.store.log import Arrival, insert_new
from event_listener.store.reader import Batch, Reader

_TABLE = schema.cloud_object
_IDS = 5000  # per statement


class Known(msgspec.Struct, frozen=True):
    """An object (kind ``rule`` or ``port``) as it was last seen; without a body it is gone."""

    kind: str
    id: str
    body: dict[str, Any] | None
    seen_ns: int


class Cloud:
    """The objects of one source, and its events of ``types``, each taken once. For one thread."""

    def __init__(self, backend: Backend, source: str, types: Iterable[str]) -> None:
        self._backend, self._source = backend, source
        event = schema.event.c
        wanted = (event.source == source) & event.type.in_(list(types))
        self._reader = Reader(backend, f"cloud:{source}", wanted)

    def read(self) -> Batch:
        """The next events. Raises StoreUnavailableError."""
        return self._reader.read()

    def skip(self, batch: Batch) -> None:
        """A batch without events is passed. Raises StoreUnavailableError."""
        self._reader.skip(batch)

    def get(self, kind: str, ident: str) -> Known | None:
        """What is known of an object."""
        row = _TABLE.c
        mine = row.source == self._source, row.kind == kind, row.id == ident
        with self._backend.read() as connection:
            found = connection.execute(select(row.body, row.seen_ns).where(*mine)).one_or_none()
        return None if found is None else Known(kind, ident, json.loads(found.body), int(found.seen_ns))

    def prime(self, objects: Sequence[Known]) -> int:
        """Add those that aren't known; returns how many."""
        with self._backend.write() as connection:
            known = self._names(connection)
            lacking = [one for one in objects if (one.kind, one.id) not in known]
            self._keep(connection, lacking)
        return len(lacking)

    def take(self, event: Event, objects: Sequence[Known], arrivals: Sequence[Arrival]) -> bool:
        """Store what an event changes and what is told of it; False where somebody else did. All, or nothing."""

        def apply(connection: Connection) -> None:
            self._keep(connection, objects)
            if arrivals:
                insert_new(connection, arrivals)

        return self._reader.take(Batch([event], event.seq, True), apply)

    def _names(self, connection: Connection) -> set[tuple[str, str]]:
        row = _TABLE.c
        found = connection.execute(select(row.kind, row.id).where(row.source == self._source))
        return {(one.kind, one.id) for one in found}

    def _keep(self, connection: Connection, objects: Sequence[Known]) -> None:
        row = _TABLE.c
        for one in objects:
            if one.body is None:
                mine = row.source == self._source, row.kind == one.kind, row.id == one.id
                connection.execute(delete(_TABLE).where(*mine))
        kept = [
            {
                "source": self._source,
                "kind": one.kind,
                "id": one.id,
                "body": json.dumps(one.body),
                "seen_ns": one.seen_ns,
            }
            for one in objects
            if one.body is not None
        ]
        for start in range(0, len(kept), _IDS):
            self._backend.upsert(connection, _TABLE, kept[start : start + _IDS], add=())
