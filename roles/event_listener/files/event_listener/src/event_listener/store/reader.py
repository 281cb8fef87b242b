# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the event log once: what is made of a batch and the cursor are one transaction, so each event counts once.

Also where relays share an event log: the cursor moves only from where it was read, so of two that did the same work
one's counts. Events that mean nothing to the reader are passed over by the database; then the cursor is kept in memory
and written now and then, since who reads them again finds nothing again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from event_listener.event import Event
from event_listener.store import marks, rows, schema
from event_listener.store.backend import Backend

WINDOW = 10_000  # events that are looked through at once
BATCH = 500  # events that are taken at once
_WRITE_SECONDS = 5.0


class Batch(msgspec.Struct, frozen=True):
    """The events of ``(after, through]`` that were asked for; ``more``: there are events after them."""

    events: list[Event]
    through: int
    more: bool


class _TakenError(Exception):
    """Another relay moved the cursor meanwhile."""


class Reader:
    """One reader of the event log; for one thread. ``wanted`` chooses its events."""

    def __init__(self, backend: Backend, name: str, wanted: ColumnElement[bool]) -> None:
        self._backend, self._name, self._wanted = backend, f"reader:{name}", wanted
        self._written: int | None = None  # where the cursor in the event log stands
        self._position = 0
        self._passed = 0.0

    def begin(self) -> None:
        """Begin at the head, the first time: what was before is over. Raises StoreUnavailableError."""
        table = schema.cursor
        with self._backend.write() as connection:
            if _position(connection, self._name) is None:
                head, now = rows.last(connection, schema.event), time.time_ns()
                connection.execute(table.insert().values(name=self._name, position=head, updated_ns=now))

    def read(self) -> Batch:
        """The next events. Raises StoreUnavailableError."""
        if self._written is None:
            self.begin()
        table = schema.event
        with self._backend.read() as connection:
            if self._written is None:
                self._position = self._written = _position(connection, self._name) or 0
            head = rows.last(connection, table)
            upper = min(head, self._position + WINDOW)
            within = [table.c.seq > self._position, table.c.seq <= upper, self._wanted]
            within += marks.unread(connection, table.c.seq)
            statement = select(table).where(*within).order_by(table.c.seq).limit(BATCH)
            found = [rows.event_of(row) for row in connection.execute(statement)]
        through = found[-1].seq if len(found) == BATCH else upper
        return Batch(found, through, through < head)

    def take(self, batch: Batch, apply: Callable[[Connection], None]) -> bool:
        """Store what `apply` makes of a batch and move the cursor: both, or neither because another relay did."""
        try:
            with self._backend.write() as connection:
                self._move(connection, batch.through)
                apply(connection)
        except _TakenError:
            self._written = None
            return False
        self._written = self._position = batch.through
        return True

    def skip(self, batch: Batch) -> None:
        """Nothing is made of a batch."""
        self._position = max(self._position, batch.through)
        if self._position == self._written or time.monotonic() - self._passed < _WRITE_SECONDS:
            return
        self._passed = time.monotonic()
        try:
            with self._backend.write(self._name) as connection:
                self._move(connection, self._position)
        except _TakenError:
            self._written = None
            return
        self._written = self._position

    def _move(self, connection: Connection, through: int) -> None:
        table = schema.cursor
        mine = table.c.name == self._name, table.c.position == self._written
        changes = {"position": through, "updated_ns": time.time_ns()}
        # First of all, and compared: where two do it at once, the database has the second wait, and find it moved.
        if connection.execute(table.update().where(*mine).values(**changes)).rowcount != 1:
            raise _TakenError


def _position(connection: Connection, name: str) -> int | None:
    table = schema.cursor.c
    found = connection.execute(select(table.position).where(table.name == name)).scalar()
    return None if found is None else int(found)


def due(backend: Backend, name: str, now: int, seconds: float) -> bool:
    """Claim what is done once per ``seconds`` by whoever comes first; the first time it isn't due yet."""
    table, name = schema.cursor, f"due:{name}"
    with backend.read() as connection:
        last = _position(connection, name)
    if last is not None and 0 <= now - last < seconds * 1e9:
        return False
    with backend.write(name) as connection:
        if last is None:
            backend.upsert(connection, table, [{"name": name, "position": now, "updated_ns": now}], add=())
            return False
        mine = table.c.name == name, table.c.position == last
        return connection.execute(table.update().where(*mine).values(position=now, updated_ns=now)).rowcount == 1
