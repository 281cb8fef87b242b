# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the event log. Pages follow ``seq`` (keyset): page 10,000 costs what page 1 costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from event_listener.event import Event, Origin, Payload
from event_listener.gaps import Seen, seen
from event_listener.policy import EVERYTHING, Reach, Scope
from event_listener.store import marks, rows, schema
from event_listener.store.backend import Backend
from event_listener.store.ownership import within
from event_listener.store.question import MAX_LIMIT, Archived, Query
from event_listener.store.selection import Selection

SEEN_LIMIT = 20_000
_SAID = (Origin.LIVE.value, Origin.TEST.value)


class Page(msgspec.Struct, frozen=True):
    """Some of the events asked for. ``next`` is the next page's ``after`` (ascending) or ``before`` (descending)."""

    events: list[Event]
    head: int
    next: int | None


class Said(msgspec.Struct, frozen=True):
    """What a source said, and the id of the event that said it first."""

    source: str
    record: Any
    event_id: str
    received_ns: int


class Queries:
    """Reading access to events."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def find(self, query: Query) -> Page:
        """One page; ``head`` is of the same moment, so nothing between the last event and ``head`` was missed."""
        limit = min(max(query.limit, 1), MAX_LIMIT)
        with self._backend.read() as connection:
            head = rows.last(connection, schema.event)
            found = Selection(connection, query).number(limit + 1)
            events = _events(connection, found[:limit])
        return Page(events, head, events[-1].seq if len(found) > limit else None)

    def total(self, query: Query) -> int:
        """How many events fit; it reads all of them."""
        with self._backend.read() as connection:
            return Selection(connection, query).count()

    def types(self, query: Query) -> list[tuple[str, int]]:
        """The types of the events that fit, by name, and how many there are of each."""
        with self._backend.read() as connection:
            return Selection(connection, query).types()

    def get(self, event_id: str, scope: Scope = EVERYTHING, archived: Archived = "no") -> Event | None:
        """The event with a public id, where the scope has it."""
        query = Query(id=(event_id,), scope=scope, archived=archived)
        with self._backend.read() as connection:
            found = _events(connection, Selection(connection, query).number(1))
        return found[0] if found else None

    def seen(self, source: str, limit: int = SEEN_LIMIT) -> list[Seen]:
        """What is known of a source, for the search for gaps: its newest events."""
        table = schema.event
        statement = select(table).where(table.c.source == source).order_by(table.c.seq.desc()).limit(limit)
        with self._backend.read() as connection:
            found = map(rows.event_of, connection.execute(statement))
            return [seen(event, event.received_ns) for event in found]

    def said(self, since_ns: int, limit: int, *, after: int = 0, but_of: str = "") -> tuple[int, list[Said]]:
        """What sources said since then, the newest ``limit`` events in order, and the head of the same moment.

        ``after``: only events with a greater ``seq``; ``but_of``: none of this journal.
        """
        table = schema.event.c
        columns = (table.seq, table.id, table.source, table.received_ns, table.repeat_of, table.record)
        with self._backend.read() as connection:
            head = rows.last(connection, schema.event)
            first = connection.execute(select(func.min(table.seq)).where(table.received_ns >= since_ns)).scalar()
            if first is None:
                return head, []
            chosen = [table.seq >= max(int(first), after + 1), table.origin.in_(_SAID)]
            if but_of:
                chosen.append(~table.id.startswith(f"{but_of}-", autoescape=True))
            found = connection.execute(select(*columns).where(*chosen).order_by(table.seq.desc()).limit(limit)).all()
        return head, [
            Said(row.source, json.loads(row.record), row.repeat_of or row.id, row.received_ns)
            for row in reversed(found)
        ]

    def payload(self, payload_id: int) -> Payload | None:
        """A POST as it arrived."""
        table = schema.payload
        with self._backend.read() as connection:
            row = connection.execute(select(table).where(table.c.seq == payload_id)).one_or_none()
        return rows.payload_of(row) if row is not None else None

    def is_whole(self, payload_id: int, scope: Scope) -> bool:
        """Whether all events of a POST are in the scope: a site forwards those of several sources at once."""
        table = schema.event.c
        others = select(table.seq).where(table.payload_id == payload_id, ~within(scope, table.domain, table.account))
        if scope.reach is Reach.EVERYTHING:
            return True
        with self._backend.read() as connection:
            return connection.execute(others.limit(1)).first() is None

    def payloads_of(self, address: str, through: int) -> int:
        """How many POSTs an address had made up to one of them: its place in the DMTF listener's count."""
        table = schema.payload.c
        statement = select(func.count()).where(table.address == address, table.seq <= through)
        with self._backend.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def counts(self) -> dict[str, int]:
        """Rows per table, cheaply: from how many numbers were given, and how many rows removed."""
        found: dict[str, Any] = {}
        with self._backend.read() as connection:
            for table in (schema.event, schema.payload):
                found[table.name] = rows.last(connection, table) - rows.how_many_removed(connection, table)
            found["quarantine"] = connection.execute(select(func.count()).select_from(schema.quarantine)).scalar_one()
        return found


def _events(connection: Connection, seqs: Sequence[int]) -> list[Event]:
    """The events with these numbers, in this order."""
    if not seqs:
        return []
    table = schema.event
    statement = select(table, marks.is_archived(table.c.seq).label("archived")).where(table.c.seq.in_(seqs))
    found = {row.seq: rows.event_of(row) for row in connection.execute(statement)}
    return [found[seq] for seq in seqs]
