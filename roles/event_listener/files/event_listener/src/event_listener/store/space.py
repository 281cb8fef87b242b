# SPDX-License-Identifier: GPL-3.0-or-later
"""How many bytes the events take, and what was removed since they were too many (disk.events, ADR 22).

Neither database gives the space of what was removed back to the disk; it uses it for what comes next. So what is
counted is what lives: it gets less with each event that goes, and a purge for space ends.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, FromClause, Table, column, delete, func, select, table, text

from event_listener.store import rows, schema, text_index
from event_listener.store.backend import Backend
from event_listener.store.given_up import Loss, tell

ROOM = 10  # at the bound, one part of so many is made free
_SAMPLE = 2000  # rows that are measured of a table, more or less
_TUPLE = 28  # bytes of PostgreSQL's that each row has beside its columns
_NOTED = "giving_up:"  # counters: what was removed and isn't told yet


class Noted(msgspec.Struct, frozen=True):
    """Events that were removed since ``began``, received between ``first`` and ``last`` (all ns), and not told yet."""

    began: int
    count: int
    first: int
    last: int


class Use(msgspec.Struct, frozen=True):
    """Bytes of the events with their payloads, words and indexes, and how many events; what isn't told yet."""

    size: int
    events: int
    noted: Noted | None = None

    def excess(self, bound: int) -> int:
        """How many events make a tenth of the bound free; 0 below it."""
        if not 0 < bound <= self.size:
            return 0
        return max(1, math.ceil(self.events * (self.size - bound + bound // ROOM) / self.size))


class Space:
    """What the events take."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def look(self, quarantined: int = 0) -> Use:
        """Measure; ``quarantined`` bytes of SQLite's file are quarantine's. Raises StoreUnavailableError."""
        with self._backend.read() as connection:
            counts = {one.name: _count(connection, one) for one in (schema.event, schema.payload)}
            if connection.dialect.name == "sqlite":
                size = _pages(connection) - quarantined
            else:
                size = _sampled(connection, counts)
            return Use(max(0, size), counts[schema.event.name], noted(connection))

    def tell(self, bound: int, each: float) -> int:
        """Tell what is noted, as an event and a counter: once; returns how many. ``each`` is an event's size."""
        with self._backend.write() as connection:
            found = noted(connection)
            if found is None:
                return 0
            loss = Loss(
                what="events",
                count=found.count,
                size=round(found.count * each),
                first_ns=found.first,
                last_ns=found.last,
                reason=f"the events reached their bound of {bound} bytes (disk.events)",
                unique=str(found.began),
            )
            tell(self._backend, connection, loss)
            name = schema.counter.c.name
            connection.execute(delete(schema.counter).where(name.startswith(_NOTED, autoescape=True)))
        return found.count


def note(backend: Backend, connection: Connection, began: int, moments: Sequence[int]) -> None:
    """Events that were received at these ``moments`` are removed in this write transaction."""
    before = noted(connection)
    told = (before.first, before.last) if before is not None else ()
    after = Noted(
        began=before.began if before is not None else began,
        count=len(moments) + (before.count if before is not None else 0),
        first=min(*moments, *told) if told else min(moments),
        last=max(*moments, *told) if told else max(moments),
    )
    found = [{"name": _NOTED + key, "value": value} for key, value in msgspec.structs.asdict(after).items()]
    backend.upsert(connection, schema.counter, found, add=())


def noted(connection: Connection) -> Noted | None:
    """What was removed and isn't told yet."""
    counter = schema.counter.c
    found = connection.execute(select(schema.counter).where(counter.name.startswith(_NOTED, autoescape=True)))
    values = {row.name.removeprefix(_NOTED): int(row.value) for row in found}
    return Noted(**values) if values else None


def _count(connection: Connection, of: Table) -> int:
    return rows.last(connection, of) - rows.how_many_removed(connection, of)


def _pages(connection: Connection) -> int:
    """Bytes of the pages that hold something."""
    asked = (text(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size"))
    pages, free, size = (int(connection.execute(one).scalar_one()) for one in asked)
    return (pages - free) * size


def _sampled(connection: Connection, counts: dict[str, int]) -> int:
    """Estimated from some rows of each table; indexes grow and are emptied as their table is."""
    words = table(text_index.NAME, column("seq"), column("words"))
    measured: list[tuple[FromClause, int]] = [
        (schema.payload, counts["payload"]),
        (schema.event, counts["event"]),
        (words, counts["event"]),
    ]
    return sum(_of_table(connection, one, count) for one, count in measured)


def _of_table(connection: Connection, of: FromClause, count: int) -> int:
    name = str(getattr(of, "name", ""))
    heap, whole = connection.execute(select(func.pg_table_size(name), func.pg_total_relation_size(name))).one()
    share = 100.0 if count <= _SAMPLE else 100.0 * _SAMPLE / count
    some = of.tablesample(func.system(share))
    width = functools.reduce(operator.add, (func.coalesce(func.pg_column_size(one), 0) for one in some.c))
    average = connection.execute(select(func.avg(width)).select_from(some)).scalar()
    live = (float(average or 0) + _TUPLE) * count
    return round(min(float(whole), live * whole / heap)) if heap else 0
