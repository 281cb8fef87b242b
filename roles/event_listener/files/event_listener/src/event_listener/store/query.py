# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the event log. Pages follow ``seq`` (keyset): page 10,000 costs what page 1 costs."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, func, select

from event_listener.event import Event, Origin, Payload
from event_listener.gaps import Seen, seen
from event_listener.policy import EVERYTHING, Owner, Reach, Scope
from event_listener.store import rows, schema
from event_listener.store.backend import Backend
from event_listener.store.ownership import within

MAX_LIMIT = 1000
SEEN_LIMIT = 20_000
_SAID = (Origin.LIVE.value, Origin.TEST.value)
SETS = (
    "source",
    "category",
    "type",
    "level",
    "origin",
    "id",
    "resource_type",
    "resource_id",
    "start_id",
    "domain",
    "account",
    "site",
)


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: all conditions hold; of a set, any value. ``after`` and ``before`` are exclusive ``seq`` limits.

    ``below`` is a domain with its subtree. ``scope`` is what the asker may see; it is never the asker's to say.
    """

    after: int = 0
    before: int | None = None
    limit: int = 100
    order: Literal["asc", "desc"] = "desc"
    source: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    resource_type: tuple[str, ...] = ()
    resource_id: tuple[str, ...] = ()
    start_id: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    below: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    scope: Scope = EVERYTHING

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        table = schema.event.c
        found: list[ColumnElement[bool]] = [within(self.scope, table.domain, table.account)]
        if self.below:
            found.append(within(Scope(Reach.SUBTREE, self.below), table.domain, table.account))
        if self.after:
            found.append(table.seq > self.after)
        if self.before is not None:
            found.append(table.seq < self.before)
        if self.since_ns is not None:
            found.append(table.received_ns >= self.since_ns)
        if self.until_ns is not None:
            found.append(table.received_ns < self.until_ns)
        for name in SETS:
            values: tuple[str, ...] = getattr(self, name)
            if values:
                found.append(table[name] == values[0] if len(values) == 1 else table[name].in_(values))
        return found

    def holds(self, event: Event) -> bool:
        """Whether an event is one of those asked for: the same as `conditions`, without the database."""
        if event.seq <= self.after or (self.before is not None and event.seq >= self.before):
            return False
        if self.since_ns is not None and event.received_ns < self.since_ns:
            return False
        if self.until_ns is not None and event.received_ns >= self.until_ns:
            return False
        owner = Owner(event.domain, event.account)
        if not self.scope.holds(owner) or (self.below and not Scope(Reach.SUBTREE, self.below).holds(owner)):
            return False
        return all(not (values := getattr(self, name)) or getattr(event, name) in values for name in SETS)


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
        table = schema.event
        order = table.c.seq.asc() if query.order == "asc" else table.c.seq.desc()
        limit = min(max(query.limit, 1), MAX_LIMIT)
        statement = select(table).where(*query.conditions()).order_by(order).limit(limit + 1)
        with self._backend.read() as connection:
            head = rows.last(connection, table)
            found = connection.execute(statement).fetchall()
        events = [rows.event_of(row) for row in found[:limit]]
        return Page(events, head, events[-1].seq if len(found) > limit else None)

    def get(self, event_id: str, scope: Scope = EVERYTHING) -> Event | None:
        """The event with a public id, where the scope has it."""
        table = schema.event
        conditions = Query(id=(event_id,), scope=scope).conditions()
        with self._backend.read() as connection:
            row = connection.execute(select(table).where(*conditions)).one_or_none()
        return rows.event_of(row) if row is not None else None

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

    def payloads_of(self, address: str, through: int) -> int:
        """How many POSTs an address had made up to one of them: its place in the DMTF listener's count."""
        table = schema.payload.c
        statement = select(func.count()).where(table.address == address, table.seq <= through)
        with self._backend.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def counts(self) -> dict[str, int]:
        """Rows per table, cheaply: from the first and last ``seq``, which have no gaps but purged ones at the start."""
        found: dict[str, Any] = {}
        with self._backend.read() as connection:
            for table in (schema.event, schema.payload):
                first = connection.execute(select(func.min(table.c.seq))).scalar()
                found[table.name] = rows.last(connection, table) - first + 1 if first is not None else 0
            found["quarantine"] = connection.execute(select(func.count()).select_from(schema.quarantine)).scalar_one()
        return found
