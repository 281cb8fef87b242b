# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of resources: what the events of each source said last, and what was so before.

It moves in the transaction that stores the events, in their order, so a repeated batch can't move it twice. Only what a
source sends itself moves it: an import, a backfill or a test says nothing about now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, delete, func, select, tuple_

from event_listener.event import Observation, Origin, Record
from event_listener.policy import EVERYTHING, Scope
from event_listener.store import schema
from event_listener.store.backend import Backend
from event_listener.store.ownership import of_source

if TYPE_CHECKING:
    from event_listener.store.log import Arrival, Given

LONGEST_ID = 500  # characters: what a PostgreSQL index takes, and far more than a Redfish URI has
_KEYS = 2000  # per statement: three parameters each
_TABLE = schema.resource_state

Key = tuple[str, str, str]


class ResourceState(msgspec.Struct, frozen=True):
    """An aspect (health, power, state) of a resource: as it is, since when, as it was; ns since 1970."""

    source: str
    resource_id: str
    aspect: str
    resource_type: str | None
    state: str
    previous: str | None
    since_ns: int
    seen_ns: int
    event_id: str


class StateQuery(msgspec.Struct, frozen=True):
    """Which states: of a set, any value. ``after`` is the key of the last row of the page before.

    ``scope`` is what the asker may see; it is never the asker's to say.
    """

    source: tuple[str, ...] = ()
    resource_type: tuple[str, ...] = ()
    resource_id: tuple[str, ...] = ()
    aspect: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    after: Key | None = None
    limit: int = 100
    scope: Scope = EVERYTHING


class States:
    """Reading access to the state of resources."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def find(self, query: StateQuery) -> list[ResourceState]:
        """A page, in the order of source, resource and aspect."""
        columns = _TABLE.c
        statement = select(_TABLE).where(of_source(query.scope, columns.source)).limit(query.limit)
        statement = statement.order_by(columns.source, columns.resource_id, columns.aspect)
        for name in ("source", "resource_type", "resource_id", "aspect", "state"):
            if values := getattr(query, name):
                statement = statement.where(columns[name].in_(values))
        if query.after is not None:
            statement = statement.where(tuple_(columns.source, columns.resource_id, columns.aspect) > query.after)
        with self._backend.read() as connection:
            return [ResourceState(**row._mapping) for row in connection.execute(statement)]


def track(backend: Backend, connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Move the states by what the arrivals say, in their order; their records come back with ``old_state``.

    Call it in the write transaction that stores them.
    """
    keys = {
        (arrival.identity(index).source, str(record.resource_id), seen.aspect)
        for arrival in arrivals
        for index, record in enumerate(arrival.records)
        if _tells(arrival, index)
        for seen in record.observed
    }
    if not keys:
        return list(arrivals)
    tracker = _Tracker(_known(connection, sorted(keys)))
    tracked = [tracker.take(arrival) for arrival in arrivals]
    for source, resource_id in tracker.gone:
        connection.execute(delete(_TABLE).where(*_below(source, resource_id)))
    moved = [tracker.known[key] for key in sorted(tracker.moved) if key in tracker.known]
    backend.upsert(connection, _TABLE, [msgspec.structs.asdict(row) for row in moved], add=())
    return tracked


class _Tracker:
    """The states that a batch touches, as of the event that is looked at."""

    def __init__(self, known: dict[Key, ResourceState]) -> None:
        self.known = known
        self.moved: set[Key] = set()
        self.gone: list[tuple[str, str]] = []

    def take(self, arrival: Arrival) -> Arrival:
        records = tuple(
            self._record(arrival, index, record) if _tells(arrival, index) else record
            for index, record in enumerate(arrival.records)
        )
        return msgspec.structs.replace(arrival, records=records)

    def _record(self, arrival: Arrival, index: int, record: Record) -> Record:
        identity = arrival.identity(index)
        source, resource_id = identity.source, str(record.resource_id)
        shown: tuple[Observation, str | None] | None = None
        for seen in record.observed:
            if seen.value is None:
                self._forget(source, resource_id)
                return record
            old = self.known.get((source, resource_id, seen.aspect))
            before = old.state if old is not None else None
            if shown is None or (shown[0].value == shown[1] and seen.value != before):
                shown = seen, before  # what changed says more than what didn't
            self._move(_moved(old, record, seen, identity))
        if shown is None:
            return record
        seen, before = shown
        # What a site forwards has an old state already: the site knows better than who listens since yesterday.
        old_state = before if record.old_state is None else record.old_state
        return msgspec.structs.replace(record, state_of=seen.aspect, new_state=seen.value, old_state=old_state)

    def _move(self, row: ResourceState) -> None:
        key = row.source, row.resource_id, row.aspect
        self.known[key] = row
        self.moved.add(key)

    def _forget(self, source: str, resource_id: str) -> None:
        self.gone.append((source, resource_id))
        for key in [key for key in self.known if key[0] == source and _is_below(key[1], resource_id)]:
            del self.known[key]


def _moved(old: ResourceState | None, record: Record, seen: Observation, identity: Given) -> ResourceState:
    state, same = str(seen.value), old is not None and old.state == seen.value
    return ResourceState(
        source=identity.source,
        resource_id=str(record.resource_id),
        aspect=seen.aspect,
        resource_type=record.resource_type,
        state=state,
        previous=None if old is None else old.previous if same else old.state,
        since_ns=old.since_ns if old is not None and same else identity.received_ns,
        seen_ns=identity.received_ns,
        event_id=old.event_id if old is not None and same else identity.id,
    )


def _tells(arrival: Arrival, index: int) -> bool:
    """Whether a record says something about now. One that is a repeat may come long after another."""
    record = arrival.records[index]
    live = arrival.origin is Origin.LIVE and record.origin is Origin.LIVE and arrival.identity(index).repeat_of is None
    return live and bool(record.observed) and record.resource_id is not None and len(record.resource_id) <= LONGEST_ID


def _known(connection: Connection, keys: Sequence[Key]) -> dict[Key, ResourceState]:
    columns = tuple_(_TABLE.c.source, _TABLE.c.resource_id, _TABLE.c.aspect)
    found: dict[Key, ResourceState] = {}
    for start in range(0, len(keys), _KEYS):
        for row in connection.execute(select(_TABLE).where(columns.in_(keys[start : start + _KEYS]))):
            found[row.source, row.resource_id, row.aspect] = ResourceState(**row._mapping)
    return found


def _below(source: str, resource_id: str) -> tuple[Any, Any]:
    column = _TABLE.c.resource_id
    inside = func.substr(column, 1, len(resource_id) + 1) == resource_id + "/"
    return _TABLE.c.source == source, (column == resource_id) | inside


def _is_below(path: str, resource_id: str) -> bool:
    return path == resource_id or path.startswith(resource_id + "/")
