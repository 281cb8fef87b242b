# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the log the events of a period are.

Sequence numbers nearly follow the time of receipt, but not quite: hosts share a log, imports bring what is old. So for
each block of ``BLOCK`` numbers the first and the last time of receipt are kept: a question for a period reads what
lies between the first and the last block that has some of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from event_listener.store import schema
from event_listener.store.backend import Backend

BLOCK = 1024
_TABLE = schema.period


def add(backend: Backend, connection: Connection, events: Iterable[Mapping[str, Any]]) -> None:
    """Note events, given with ``seq`` and ``received_ns``. Call it in the write transaction that inserts them."""
    found: dict[int, tuple[int, int]] = {}
    for event in events:
        block, moment = event["seq"] // BLOCK, event["received_ns"]
        low, high = found.get(block, (moment, moment))
        found[block] = min(low, moment), max(high, moment)
    for row in connection.execute(select(_TABLE).where(_TABLE.c.block.in_(found))):
        low, high = found[row.block]
        found[row.block] = min(low, row.low_ns), max(high, row.high_ns)
    rows = [{"block": block, "low_ns": low, "high_ns": high} for block, (low, high) in found.items()]
    backend.upsert(connection, _TABLE, rows, add=())


def bounds(connection: Connection, since_ns: int | None, until_ns: int | None) -> tuple[int, int]:
    """The numbers from the first on and before the second have all events of a period; equal where there are none."""
    chosen = []
    if since_ns is not None:
        chosen.append(_TABLE.c.high_ns >= since_ns)
    if until_ns is not None:
        chosen.append(_TABLE.c.low_ns < until_ns)
    row = connection.execute(select(func.min(_TABLE.c.block), func.max(_TABLE.c.block)).where(*chosen)).one()
    return (0, 0) if row[0] is None else (row[0] * BLOCK, (row[1] + 1) * BLOCK)


def forget(connection: Connection, before: int) -> None:
    """Forget the blocks that end before a number: nothing is left of them."""
    connection.execute(_TABLE.delete().where(_TABLE.c.block < before // BLOCK))
