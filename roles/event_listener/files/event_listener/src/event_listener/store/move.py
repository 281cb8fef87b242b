# SPDX-License-Identifier: GPL-3.0-or-later
"""Move the event log from SQLite into an empty PostgreSQL: same ids, same sequence numbers, same cursors.

In two steps. The first copies payloads and events, page by page, while the relay goes on writing the old log; broken
off, it goes on where it was. The second is one transaction with the rest: the relay must not run meanwhile. Ingest may
always: it writes its journal.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table, func, select

from event_listener.event import State
from event_listener.store import schema
from event_listener.store.backend import Backend
from event_listener.store.checkpoints import set_position
from event_listener.store.log import EventLog, insert_new
from event_listener.store.own_jobs import job_event
from event_listener.store.search import CURSOR as SEARCHABLE

PAGE = 500
_BIG = (schema.payload, schema.event)  # events refer to payloads
_OF_THE_MOMENT = (schema.lane, schema.lease, schema.heartbeat)
_STARTED, _DONE = 0, 1


class MoveRefusedError(Exception):
    """Nothing was changed; the text says why."""


def marker(journal_id: str) -> str:
    """The name of the cursor that says how far a host's move is."""
    return f"moved:{journal_id}"


class Move:
    """From one backend to another; both have this version's tables. ``local`` names the lanes of file sinks."""

    def __init__(self, source: Backend, target: Backend, journal_id: str, local: Iterable[str]) -> None:
        self._source, self._target = source, target
        self._journal_id = journal_id
        self._job = f"migrate-log:{journal_id}"
        self._local = set(local)

    def begin(self) -> None:
        """Claim the target. Raises MoveRefusedError when it holds something else, or was moved into already."""
        name, table = marker(self._journal_id), schema.cursor.c
        with self._target.write() as new:
            state = new.execute(select(table.position).where(table.name == name)).scalar()
            if state == _DONE:
                raise MoveRefusedError("the event log was moved already; start the relay")
            if state is not None:
                return
            if any(new.execute(select(held)).first() for held in (schema.counter, schema.cursor, schema.source)):
                raise MoveRefusedError(
                    "the database isn't empty: move before any relay or registration uses it, or give another database"
                )
            set_position(self._target, new, name, _STARTED)
        text = "The event log is being moved to another database."
        EventLog(self._source).add([job_event(self._job, State.STARTED, text)])

    def copy(self) -> int:
        """Copy what the old log holds now; returns how many rows. May be called again for what came since."""
        total = 0
        for table in _BIG:
            while True:
                with self._source.read() as old, self._target.write() as new:
                    count = _page(old, new, table)
                total += count
                if count < PAGE:
                    break
        return total

    def finish(self) -> int:
        """Copy the rest and everything small, and mark the move as done: all or nothing. Returns how many rows."""
        total = 0
        # The old log's write lock: a registration now must not be lost.
        with self._source.write() as old, self._target.write() as new:
            for table in schema.metadata.sorted_tables:
                if table in _BIG:
                    while count := _page(old, new, table):
                        total += count
                elif table not in _OF_THE_MOMENT:
                    total += self._all(old, new, table)
            set_position(self._target, new, marker(self._journal_id), _DONE)
            text = "The event log was moved to this database."
            insert_new(new, [job_event(self._job, State.COMPLETED, text)])
        return total

    def _all(self, old: Connection, new: Connection, table: Table) -> int:
        total = 0
        for part in old.execute(select(table)).mappings().partitions(PAGE):
            rows = [dict(row) for row in part]
            if table is schema.cursor:
                rows = [row for row in rows if row["name"] != SEARCHABLE]  # the new database indexes for itself
                for row in rows:
                    row["name"] = self._renamed(row["name"])
            elif table is schema.rejected:
                for row in rows:
                    row["sink"] = self._renamed(row["sink"])
            if rows:
                new.execute(table.insert(), rows)
            total += len(rows)
        return total

    def _renamed(self, name: str) -> str:
        """The lanes of files are one host's where hosts share the log."""
        return f"{name}@{self._journal_id}" if name.removeprefix("sink:") in self._local else name


def _page(old: Connection, new: Connection, table: Table) -> int:
    """Copy the next rows in order; events only of payloads that are there."""
    after = new.execute(select(func.coalesce(func.max(table.c.seq), 0))).scalar_one()
    statement = select(table).where(table.c.seq > after)
    if table is schema.event:
        there = new.execute(select(func.coalesce(func.max(schema.payload.c.seq), 0))).scalar_one()
        statement = statement.where(table.c.payload_id <= there)
    rows = [dict(row) for row in old.execute(statement.order_by(table.c.seq).limit(PAGE)).mappings()]
    if rows:
        new.execute(table.insert(), rows)
    return len(rows)
