# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each reader stands, who may run a lane, and how the lanes are."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, select

from event_listener.policy import Owner
from event_listener.store import schema
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import APPEND, Backend
from event_listener.store.checkpoints import Unit, set_position

PAUSED_HOLDER = "paused by an operator"
_COUNT = "sink:"
_NEVER_NS = (1 << 63) - 1


class FencedError(Exception):
    """Another process holds the lane now: what this one did with it doesn't count."""


class Lease(msgspec.Struct, frozen=True):
    """The right to run a lane until ``expires_ns``. ``fence`` grows with each new holder."""

    name: str
    holder: str
    fence: int
    expires_ns: int


class LaneStatus(msgspec.Struct, frozen=True):
    """How a lane is: ``state`` is ok or retrying, since when, and why."""

    name: str
    unit: Unit
    state: str
    reason: str
    since_ns: int


class Cursors:
    """Cursors, leases and the lanes' health."""

    def __init__(self, backend: Backend, place: str = "") -> None:
        self._backend = backend
        self._place = place
        self._here: set[str] = set()

    def keep_here(self, names: Iterable[str]) -> None:
        """Say which lanes are this host's own (files): where hosts share a database, each has such a lane."""
        self._here = set(names)

    def key(self, name: str) -> str:
        """A lane's or a lane's cursor's name in the tables."""
        return self._local(name) if name.rpartition(":")[2] in self._here else name

    def _local(self, name: str) -> str:
        return f"{name}@{self._place}" if self._place else name

    def get(self, name: str) -> int | None:
        """Where a cursor stands; None for one that doesn't exist."""
        table = schema.cursor
        with self._backend.read() as connection:
            found = connection.execute(select(table.c.position).where(table.c.name == self.key(name))).scalar()
        return None if found is None else int(found)

    def all(self) -> dict[str, int]:
        """All cursors."""
        with self._backend.read() as connection:
            found = connection.execute(select(schema.cursor.c.name, schema.cursor.c.position))
            return {row.name: row.position for row in found}

    def advance(
        self, name: str, value: int, lease: Lease | None = None, counts: Mapping[str, int] | None = None
    ) -> None:
        """Move a cursor, and add to counters. With a lease: only while it holds, in one transaction.

        Raises FencedError.
        """
        key = self.key(name)
        with self._backend.write(key if lease is None else _lock(lease.name)) as connection:
            if lease is not None:
                check_lease(connection, lease)
            set_position(self._backend, connection, key, value, keep=True)
            if counts:
                named = [{"name": _COUNT + what, "value": count} for what, count in counts.items()]
                self._backend.upsert(connection, schema.counter, named, add=("value",))

    def begin(self, name: str, value: int) -> int:
        """Where a cursor stands; one that doesn't exist is made, at ``value``. Two relays that begin agree."""
        key = self.key(name)
        with self._backend.write(key) as connection:
            found = connection.execute(select(schema.cursor.c.position).where(schema.cursor.c.name == key)).scalar()
            if found is not None:
                return int(found)
            set_position(self._backend, connection, key, value, keep=True)
        return value

    def counts(self) -> dict[tuple[str, str], int]:
        """What the lanes counted: by sink and what."""
        table = schema.counter
        with self._backend.read() as connection:
            found = connection.execute(select(table).where(table.c.name.startswith(_COUNT, autoescape=True)))
            return {tuple(row.name.removeprefix(_COUNT).split(":", 1)): int(row.value) for row in found}

    def rewind(self, name: str, lane: str, value: int, actor: Actor | None = None) -> None:
        """Move a lane's cursor from outside; whoever runs the lane is fenced, and goes on from there."""
        with self._steered(lane) as connection:
            self._seize(connection, lane, None)
            set_position(self._backend, connection, name, value, keep=True)
            _tell(connection, actor, "SINK.REPLAY", lane, {"after": value})

    def pause(self, lane: str, actor: Actor | None = None) -> None:
        """Take the lease away from whoever has it, until :meth:`resume`."""
        with self._steered(lane) as connection:
            self._seize(connection, lane, PAUSED_HOLDER)
            _tell(connection, actor, "SINK.PAUSE", lane)

    def resume(self, lane: str, actor: Actor | None = None) -> bool:
        """Let a paused lane go on; returns whether it was paused."""
        table = schema.lease
        held = table.c.name == lane, table.c.holder == PAUSED_HOLDER, table.c.expires_ns > 0
        with self._steered(lane) as connection:
            was_paused = connection.execute(table.update().where(*held).values(expires_ns=0)).rowcount > 0
            if was_paused:
                _tell(connection, actor, "SINK.RESUME", lane)
        return was_paused

    def _steered(self, lane: str) -> contextlib.AbstractContextManager[Connection]:
        """A transaction of what an operator does with a lane, which an event tells of."""
        return self._backend.write(APPEND, _lock(lane))

    def holder(self, lane: str) -> str:
        """Who holds a lease now; empty for nobody."""
        table = schema.lease
        with self._backend.read() as connection:
            now = self._backend.now_ns(connection)
            query = select(table.c.holder).where(table.c.name == lane, table.c.expires_ns > now)
            return str(connection.execute(query).scalar() or "")

    def holds(self, lease: Lease) -> bool:
        """Whether a lease is what it was: nobody took it, paused the lane or moved its cursor from outside."""
        table = schema.lease
        with self._backend.read() as connection:
            row = connection.execute(select(table).where(table.c.name == lease.name)).one_or_none()
        return row is not None and (row.holder, row.fence) == (lease.holder, lease.fence)

    def _seize(self, connection: Connection, lane: str, holder: str | None) -> None:
        """A new fence for a lease, and a new holder if one is given."""
        table = schema.lease
        row = connection.execute(select(table).where(table.c.name == lane)).one_or_none()
        lease = Lease(
            lane,
            holder or (row.holder if row is not None else ""),
            row.fence + 1 if row is not None else 1,
            _NEVER_NS if holder else (row.expires_ns if row is not None else 0),
        )
        self._backend.upsert(connection, table, [msgspec.structs.asdict(lease)], add=())

    def acquire(self, name: str, holder: str, ttl: float) -> Lease | None:
        """Take or renew a lease for ``ttl`` seconds; None while another holder's is good."""
        table = schema.lease
        with self._backend.write(_lock(name)) as connection:
            now = self._backend.now_ns(connection)
            row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
            if row is not None and row.holder != holder and _is_good(row.holder, row.expires_ns - now, ttl):
                return None
            fence = (row.fence if row.holder == holder else row.fence + 1) if row is not None else 1
            lease = Lease(name, holder, fence, now + int(ttl * 1e9))
            self._backend.upsert(connection, table, [msgspec.structs.asdict(lease)], add=())
        return lease

    def release(self, lease: Lease) -> None:
        """Let another holder take over at once."""
        table = schema.lease
        with self._backend.write(_lock(lease.name)) as connection:
            connection.execute(
                table.update().where(table.c.name == lease.name, table.c.fence == lease.fence).values(expires_ns=0)
            )

    def report(self, name: str, unit: Unit, state: str, reason: str) -> bool:
        """Note how a lane is; returns whether that is news."""
        table, name = schema.lane, self.key(name)
        with self._backend.write(_lock(name)) as connection:
            row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
            if row is not None and (row.state, row.reason) == (state, reason):
                return False
            since = row.since_ns if row is not None and row.state == state else time.time_ns()
            status = LaneStatus(name, unit, state, reason, since)
            self._backend.upsert(connection, table, [msgspec.structs.asdict(status)], add=())
        return row is None or row.state != state

    def lanes(self) -> list[LaneStatus]:
        """How all lanes are, by name."""
        table = schema.lane
        with self._backend.read() as connection:
            found = connection.execute(select(table).order_by(table.c.name))
            return [LaneStatus(**row._mapping) for row in found]

    def forget_lanes(self, keep: set[str]) -> None:
        """Drop the state of lanes that no sink has any more; their cursors stay, for when it comes back.

        Where hosts share the database: only of this host's own lanes, and of those that no relay holds now.
        """
        table = schema.lane.c
        with self._backend.write() as connection:
            gone: ColumnElement[bool] = table.name.not_in({self.key(name) for name in keep})
            if self._place:
                now = self._backend.now_ns(connection)
                held = select(schema.lease.c.name).where(schema.lease.c.expires_ns > now)
                shared = table.name.not_like("%@%") & table.name.not_in(held)
                gone = gone & (table.name.like(f"%@{self._place}") | shared)
            connection.execute(delete(schema.lane).where(gone))

    def beat(self, name: str) -> None:
        """Say that a process of this host is alive."""
        row = {"name": self._local(name), "beat_ns": time.time_ns()}
        with self._backend.write(f"heartbeat:{self._local(name)}") as connection:
            self._backend.upsert(connection, schema.heartbeat, [row], add=())

    def beats(self) -> dict[str, int]:
        """When each process of this host last said so, ns."""
        with self._backend.read() as connection:
            found = connection.execute(select(schema.heartbeat.c.name, schema.heartbeat.c.beat_ns)).all()
        mine = self._local("")
        return {row.name.removesuffix(mine): row.beat_ns for row in found if row.name.endswith(mine)}


def _is_good(holder: str, left_ns: int, ttl: float) -> bool:
    """Whether another's lease keeps us out. More time than a lease ever has: the clock was set back since it was given.

    Who holds it and lives has renewed it by then or is fenced, so at most one batch repeats.
    """
    return left_ns > 0 and (holder == PAUSED_HOLDER or left_ns <= ttl * 1e9)


def _tell(connection: Connection, actor: Actor | None, what: str, lane: str, details: Any = None) -> None:
    if actor is not None:
        record(connection, told(actor, what, ("Sink", lane), Owner(), details=details))


def _lock(lane: str) -> str:
    """The writer's lock of what concerns one lane: relays that run others don't wait for it."""
    return f"lane:{lane}"


def check_lease(connection: Connection, lease: Lease) -> None:
    """In the transaction of what is done under a lease. Raises FencedError where it is lost."""
    table = schema.lease
    row = connection.execute(select(table).where(table.c.name == lease.name)).one_or_none()
    if row is None or row.holder != lease.holder or row.fence != lease.fence:
        raise FencedError(f"lane {lease.name} is held by {row.holder if row else 'nobody'} now, not by {lease.holder}")
