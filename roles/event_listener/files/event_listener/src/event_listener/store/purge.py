# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing events for good, a batch at a time: those that are marked as deleted, and those that are old enough.

Each batch is a transaction of its own, so it can be broken off anywhere and goes on where it was. A payload goes with
its last event. Nothing goes that a required sink lacks (:class:`Waiting`), or that isn't indexed yet: what is removed
is taken out of the indexes, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, delete, exists, or_, select

from event_listener.store import marks, rows, schema, search, space, text_index
from event_listener.store.backend import Backend
from event_listener.store.checkpoints import Unit
from event_listener.store.own import ADDRESS
from event_listener.store.reader import due
from event_listener.store.text_index import plain

_EVENT, _PAYLOAD, _MARK = schema.event.c, schema.payload.c, schema.event_mark.c
_WINDOW = 20_000  # payloads that are looked through at once for those without events


class Waiting(msgspec.Struct, frozen=True):
    """A sink that must get everything: up to ``through`` it has. What was received before ``until_ns`` isn't kept."""

    unit: Unit
    through: int
    until_ns: int = 0

    def has(self, dialect: str) -> ColumnElement[bool]:
        """Whether an event needn't be kept for it."""
        number = plain(dialect, _EVENT.payload_id if self.unit == "payload" else _EVENT.seq)
        return or_(number <= self.through, plain(dialect, _EVENT.received_ns) < self.until_ns)


class Removed(msgspec.Struct, frozen=True):
    """How many events a batch removed; where the next one begins, None where nothing is left to be looked at."""

    count: int
    resume: int | None


class Purge:
    """For one thread; several relays may purge at once. ``resume`` is of the batch before, 0 for the first."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def is_due(self, now: int, seconds: float) -> bool:
        """Whether it is time to remove what is old, and nobody else does; not at once after the first start."""
        return due(self._backend, "event.purge", now, seconds)

    def deleted(self, resume: int, waiting: Sequence[Waiting], limit: int) -> Removed:
        """Remove some of what is marked as deleted."""
        return self._marked([_MARK.kind == marks.DELETED], resume, waiting, limit)

    def archived(self, before_ns: int, resume: int, waiting: Sequence[Waiting], limit: int) -> Removed:
        """Remove some of what was archived before then."""
        return self._marked([_MARK.kind == marks.ARCHIVED, _MARK.at_ns < before_ns], resume, waiting, limit)

    def old(self, before_ns: int, resume: int, waiting: Sequence[Waiting], limit: int) -> Removed:
        """Remove some of what was received before then and isn't archived."""
        return self._some(_unmarked(resume, _EVENT.received_ns < before_ns), waiting, limit)

    def oldest(self, began: int, resume: int, waiting: Sequence[Waiting], limit: int) -> Removed:
        """Remove some of the oldest that aren't archived, to make room; what was removed is noted with it (space.py).

        Events of our own stay: one of them tells of this. ``began`` is when the purge for space did.
        """

        def also(connection: Connection, moments: Sequence[int]) -> None:
            space.note(self._backend, connection, began, moments)

        return self._some(_unmarked(resume, _EVENT.address != ADDRESS), waiting, limit, also)

    def bare(self, before_ns: int, resume: int, waiting: Sequence[Waiting], limit: int) -> Removed:
        """Remove some old payloads that told of no event; none of them is counted."""
        of_sink = [or_(_PAYLOAD.seq <= one.through, _PAYLOAD.received_ns < one.until_ns) for one in waiting]
        within = _PAYLOAD.seq > resume, _PAYLOAD.seq <= resume + _WINDOW
        bare = (_PAYLOAD.received_ns < before_ns, ~exists().where(_EVENT.payload_id == _PAYLOAD.seq), *of_sink)
        with self._backend.read() as connection:
            found = list(connection.execute(select(_PAYLOAD.seq).where(*within, *bare).limit(limit)).scalars())
            following = select(_PAYLOAD.seq).where(_PAYLOAD.seq > resume + _WINDOW).order_by(_PAYLOAD.seq).limit(1)
            more = connection.execute(following).scalar()
        if found:
            with self._backend.write() as connection:
                # Another relay may have removed some of them meanwhile; they must not be counted twice.
                left = list(connection.execute(select(_PAYLOAD.seq).where(_PAYLOAD.seq.in_(found))).scalars())
                rows.removed(connection, schema.payload, len(left))
                connection.execute(delete(schema.payload).where(_PAYLOAD.seq.in_(left)))
        if len(found) == limit:
            return Removed(0, resume)
        return Removed(0, None if more is None else int(more) - 1)

    def _marked(self, which: list[ColumnElement[bool]], resume: int, waiting: Sequence[Waiting], limit: int) -> Removed:
        chosen = select(_EVENT.seq, _MARK.event_seq.label("place")).where(
            _EVENT.seq == _MARK.event_seq, _MARK.event_seq > resume, *which
        )
        return self._some(chosen.order_by(_MARK.event_seq), waiting, limit)

    def _some(
        self,
        chosen: Select[Any],
        waiting: Sequence[Waiting],
        limit: int,
        also: Callable[[Connection, Sequence[int]], None] | None = None,
    ) -> Removed:
        """``also`` is called in the same transaction, with the places of what goes."""
        with self._backend.read() as connection:
            dialect = connection.dialect.name
            indexed = plain(dialect, _EVENT.seq) <= search.through(connection)
            kept = [indexed, *(one.has(dialect) for one in waiting)]
            found = connection.execute(chosen.where(*kept).limit(limit)).all()
        if not found:
            return Removed(0, None)
        with self._backend.write() as connection:
            # Somebody may have archived some of them meanwhile.
            again = chosen.where(_EVENT.seq.in_([row.seq for row in found]))
            gone = connection.execute(again).all()
            _remove(connection, [row.seq for row in gone])
            if gone and also is not None:
                also(connection, [row.place for row in gone])
        return Removed(len(gone), found[-1].place if len(found) == limit else None)


def _unmarked(resume: int, which: ColumnElement[bool]) -> Select[Any]:
    """What is neither archived nor deleted, by its time of receipt, which is its place."""
    chosen = select(_EVENT.seq, _EVENT.received_ns.label("place"))
    return chosen.where(_EVENT.received_ns >= resume, which, marks.is_unmarked(_EVENT.seq)).order_by(_EVENT.received_ns)


def _remove(connection: Connection, seqs: Sequence[int]) -> None:
    columns = [_EVENT[name] for name in text_index.COLUMNS]
    statement = select(*columns, _EVENT.payload_id).where(_EVENT.seq.in_(seqs))
    found = [dict(row) for row in connection.execute(statement).mappings()]
    text_index.remove(connection, text_index.rows(found))
    rows.removed(connection, schema.event, len(seqs))
    connection.execute(delete(schema.event).where(_EVENT.seq.in_(seqs)))
    connection.execute(delete(schema.event_mark).where(_MARK.event_seq.in_(seqs)))
    payloads = sorted({row["payload_id"] for row in found})
    left = exists().where(_EVENT.payload_id == _PAYLOAD.seq)
    bare = list(connection.execute(select(_PAYLOAD.seq).where(_PAYLOAD.seq.in_(payloads), ~left)).scalars())
    rows.removed(connection, schema.payload, len(bare))
    connection.execute(delete(schema.payload).where(_PAYLOAD.seq.in_(bare)))
