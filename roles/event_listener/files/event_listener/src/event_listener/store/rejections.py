# SPDX-License-Identifier: GPL-3.0-or-later
"""What sinks refused for good, and what they skipped: a note each, as many of a sink as ``disk.rejected`` allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, select

from event_listener.store import rows, schema
from event_listener.store.backend import Backend
from event_listener.store.checkpoints import Unit
from event_listener.store.given_up import Loss, tell

_SKIPPED = " up to this one "  # in the reason of what stands for several
_GONE, _THROUGH = "rejections:gone:", "rejections:through:"  # counters, by sink: notes given up, and their last unit
_TABLE = schema.rejected


class Rejected(msgspec.Struct, frozen=True):
    """A unit that a sink will never take."""

    sink: str
    unit: Unit
    unit_seq: int
    reason: str
    rejected_ns: int

    @property
    def is_skip(self) -> bool:
        """Whether it stands for all that had waited too long, up to this unit."""
        return _SKIPPED in self.reason


_COLUMNS: list[Any] = [_TABLE.c[name] for name in Rejected.__struct_fields__]


class Rejections:
    """The notes; ``key`` gives a sink's name in the tables (``Cursors.key``)."""

    def __init__(self, backend: Backend, key: Callable[[str], str]) -> None:
        self._backend, self._key = backend, key

    def add(self, sink: str, unit: Unit, unit_seq: int, reason: str) -> None:
        """Keep in mind what a sink refused for good. Once per unit."""
        sink = self._key(sink)
        with self._backend.write("rejected") as connection:
            known = select(_TABLE.c.seq).where(_TABLE.c.sink == sink, _TABLE.c.unit_seq == unit_seq)
            if connection.execute(known).first() is None:
                entry = Rejected(sink, unit, unit_seq, reason, time.time_ns())
                seq = rows.take(connection, _TABLE, 1)
                connection.execute(_TABLE.insert().values(seq=seq, **msgspec.structs.asdict(entry)))

    def find(self, sink: str, unit_seq: int) -> Rejected | None:
        """What a sink noted of a unit: that it refused it, or skipped it with others up to a later one."""
        skipped = (_TABLE.c.unit_seq > unit_seq) & _TABLE.c.reason.contains(_SKIPPED, autoescape=True)
        its = _TABLE.c.sink == self._key(sink), (_TABLE.c.unit_seq == unit_seq) | skipped
        with self._backend.read() as connection:
            found = connection.execute(select(*_COLUMNS).where(*its).order_by(_TABLE.c.unit_seq).limit(1))
            row = found.one_or_none()
        return Rejected(**row._mapping) if row is not None else None

    def forgotten(self, sink: str) -> int:
        """The last unit of which notes were given up; of what came before, a missing note means nothing."""
        with self._backend.read() as connection:
            return _counters(connection, _THROUGH).get(self._key(sink), 0)

    def list(self, sink: str, limit: int = 100) -> list[Rejected]:
        """The last units that a sink refused, newest first."""
        statement = select(*_COLUMNS).where(_TABLE.c.sink == self._key(sink)).order_by(_TABLE.c.seq.desc()).limit(limit)
        with self._backend.read() as connection:
            return [Rejected(**row._mapping) for row in connection.execute(statement)]

    def counts(self) -> dict[str, int]:
        """How many units each sink refused, those included whose notes were given up."""
        with self._backend.read() as connection:
            kept, gone = _kept(connection), _counters(connection, _GONE)
        return {sink: kept.get(sink, 0) + gone.get(sink, 0) for sink in kept.keys() | gone.keys()}

    def give_up(self, bound: int, room: int) -> int:
        """Of each sink with as many notes as ``bound``, remove the oldest until ``room`` is free; tell it.

        Returns how many. Removed and told, or neither. Raises StoreUnavailableError.
        """
        with self._backend.read() as connection:
            full = [sink for sink, count in _kept(connection).items() if count >= bound]
        return sum(self._give_up(sink, bound, room) for sink in full)

    def _give_up(self, sink: str, bound: int, room: int) -> int:
        with self._backend.write() as connection:
            excess = _kept(connection).get(sink, 0) - bound + room  # another host may have done it meanwhile
            columns = _TABLE.c.seq, _TABLE.c.unit_seq, _TABLE.c.rejected_ns
            oldest = select(*columns).where(_TABLE.c.sink == sink).order_by(_TABLE.c.seq).limit(max(0, excess))
            gone = connection.execute(oldest).all()
            if gone:
                connection.execute(delete(_TABLE).where(_TABLE.c.sink == sink, _TABLE.c.seq <= gone[-1].seq))
                through = max(*(row.unit_seq for row in gone), _counters(connection, _THROUGH).get(sink, 0))
                self._backend.upsert(connection, schema.counter, [{"name": _THROUGH + sink, "value": through}], add=())
                self._backend.upsert(
                    connection, schema.counter, [{"name": _GONE + sink, "value": len(gone)}], add=("value",)
                )
                tell(self._backend, connection, _loss(sink, gone, bound))
        return len(gone)


def _kept(connection: Connection) -> dict[str, int]:
    found = connection.execute(select(_TABLE.c.sink, func.count().label("kept")).group_by(_TABLE.c.sink))
    return {row.sink: int(row.kept) for row in found}


def _counters(connection: Connection, prefix: str) -> dict[str, int]:
    name = schema.counter.c.name
    found = connection.execute(select(schema.counter).where(name.startswith(prefix, autoescape=True)))
    return {row.name.removeprefix(prefix): int(row.value) for row in found}


def _loss(sink: str, gone: Sequence[Any], bound: int) -> Loss:
    moments = [row.rejected_ns for row in gone]
    return Loss(
        what="rejected",
        count=len(gone),
        first_ns=min(moments),
        last_ns=max(moments),
        reason=f"those of sink {sink} reached their bound of {bound} (disk.rejected)",
        unique=f"{sink}:{gone[0].seq}-{gone[-1].seq}",
    )
