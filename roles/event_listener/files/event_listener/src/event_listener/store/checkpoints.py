# SPDX-License-Identifier: GPL-3.0-or-later
"""When each cursor passed where: a bounded history, so that it can be said when a sink confirmed an event.

Not a row per event and sink: a cursor that moves leaves at most one checkpoint a second, so a time is right to the
batch and to that second. ``KEPT`` of them are kept per cursor: half a day of a storm, months of a quiet fleet.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, delete, select

from event_listener.store import schema
from event_listener.store.backend import Backend

KEPT = 40_000
APART_NS = 1_000_000_000
INDEXED = "indexed"  # how far the event log has grown
_SLACK = 1000  # old ones are removed in such steps
_TABLE = schema.checkpoint

Step = tuple[int, int]  # position, time
Unit = Literal["payload", "event"]  # what a cursor counts


class Pass(msgspec.Struct, frozen=True):
    """A cursor went past an event: after ``after_ns``, and at ``at_ns`` at the latest."""

    after_ns: int
    at_ns: int


class History(msgspec.Struct, frozen=True):
    """When a cursor passed an event; more than once after a replay. ``began``: only after the event did it begin.

    ``before_ns``: it did so before this, and when isn't known any more.
    """

    passes: list[Pass] = []
    began: bool = False
    before_ns: int | None = None


def position(connection: Connection, name: str) -> int:
    """Where a cursor stands; 0 for one that never moved."""
    table = schema.cursor
    return int(connection.execute(select(table.c.position).where(table.c.name == name)).scalar() or 0)


def set_position(
    backend: Backend, connection: Connection, name: str, value: int, *, keep: bool = False, now_ns: int | None = None
) -> None:
    """Move a cursor; with ``keep`` its history is kept. Call it in a write transaction."""
    now_ns = now_ns or time.time_ns()
    if keep:
        _keep(connection, name, value, now_ns)
    backend.upsert(connection, schema.cursor, [{"name": name, "position": value, "updated_ns": now_ns}], add=())


def grown(backend: Backend, connection: Connection, head: int, by: int) -> None:
    """Note that the event log has grown to ``head``, ``by`` events. Call it in that transaction."""
    cursor = schema.cursor.c
    if connection.execute(select(cursor.name).where(cursor.name == INDEXED)).first() is None:
        set_position(backend, connection, INDEXED, head - by, keep=True)
    set_position(backend, connection, INDEXED, head, keep=True)


def _keep(connection: Connection, name: str, value: int, now_ns: int) -> None:
    """What the cursor says is kept only when the move would forget it."""
    cursor, own = schema.cursor.c, _TABLE.c.name == name
    before = connection.execute(select(cursor.position, cursor.updated_ns).where(cursor.name == name)).one_or_none()
    newest = select(_TABLE.c.number, _TABLE.c.at_ns).where(own).order_by(_TABLE.c.number.desc()).limit(1)
    last = connection.execute(newest).one_or_none()
    number, last_ns = (last.number, last.at_ns) if last is not None else (0, 0)
    steps: list[Step] = []
    if before is None:
        steps = [(value, now_ns)]  # where it begins
    elif value < before.position:
        steps = [(before.position, before.updated_ns), (value, now_ns)]  # rewound
    elif value > before.position and abs(now_ns - last_ns) >= APART_NS:
        steps = [(before.position, before.updated_ns)]
    for position, at_ns in steps:
        number += 1
        connection.execute(_TABLE.insert().values(name=name, number=number, position=position, at_ns=at_ns))
        if number % _SLACK == 0:
            connection.execute(delete(_TABLE).where(own, _TABLE.c.number <= number - KEPT))


class Checkpoints:
    """Reading access to the history of cursors."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def history(self, name: str, seq: int) -> History | None:
        """When the cursor passed ``seq``; None for a cursor that doesn't exist."""
        kept = select(_TABLE.c.number, _TABLE.c.position, _TABLE.c.at_ns).where(_TABLE.c.name == name)
        cursor = schema.cursor.c
        with self._backend.read() as connection:
            found = connection.execute(kept.order_by(_TABLE.c.number)).all()
            now = connection.execute(
                select(cursor.position, cursor.updated_ns).where(cursor.name == name)
            ).one_or_none()
        if now is None:
            return None
        steps = [(row.position, row.at_ns) for row in found] + [(now.position, now.updated_ns)]
        passes, (first, first_ns) = list(_passes(steps, seq)), steps[0]
        if passes or first < seq:
            return History(passes)
        whole = bool(found) and found[0].number == 1
        return History(began=True) if whole else History(before_ns=first_ns)


def _passes(steps: Sequence[Step], seq: int) -> Iterator[Pass]:
    """Each step from before ``seq`` to it or beyond."""
    for (before, before_ns), (after, after_ns) in itertools.pairwise(steps):
        if before < seq <= after:
            yield Pass(before_ns, after_ns)
