# SPDX-License-Identifier: GPL-3.0-or-later
"""Announced test events, and when each source was last proven."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, select, update

from event_listener.clock import cautious_ns
from event_listener.proofs import Proof
from event_listener.store import schema
from event_listener.store.backend import Backend

VERSION = "proofs"  # the counter that every announcement raises
KEEP_NS = 24 * 3600 * 1_000_000_000  # how long an announcement can be asked for


class Settled(msgspec.Struct, frozen=True):
    """What came of an announcement."""

    marker: str
    received_ns: int
    event_id: str
    matched: str


class Proofs:
    """The table of announcements. A source's last proof stays, everything else for a day."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def announce(self, proofs: Sequence[Proof], now_ns: int) -> None:
        """Wait for test events from now on. Raises StoreUnavailableError."""
        rows = [{**msgspec.structs.asdict(proof), "message_keys": json.dumps(proof.message_keys)} for proof in proofs]
        with self._backend.write() as connection:
            _forget(connection, min(now_ns, cautious_ns()) - KEEP_NS)
            self._backend.upsert(connection, schema.proof, rows, add=())
            self._backend.upsert(connection, schema.counter, [{"name": VERSION, "value": 1}], add=("value",))

    def batch(self, batch: str) -> list[Proof]:
        """What was announced together, by source."""
        table = schema.proof
        with self._backend.read() as connection:
            found = connection.execute(select(table).where(table.c.batch == batch).order_by(table.c.source))
            return [_proof_of(row) for row in found]

    def waiting(self, now_ns: int) -> list[Proof]:
        """Announcements whose event may still come, oldest first."""
        table = schema.proof
        statement = select(table).where(table.c.received_ns.is_(None), table.c.expires_ns >= now_ns)
        with self._backend.read() as connection:
            return [_proof_of(row) for row in connection.execute(statement.order_by(table.c.asked_ns, table.c.marker))]

    def version(self) -> int:
        """Rises with every announcement."""
        table = schema.counter.c
        with self._backend.read() as connection:
            return int(connection.execute(select(table.value).where(table.name == VERSION)).scalar() or 0)

    def last_proven(self) -> dict[str, int]:
        """When the last proof of each source arrived, ns; sources that were never proven are missing."""
        table = schema.proof.c
        statement = select(table.source, func.max(table.received_ns).label("at"))
        with self._backend.read() as connection:
            found = connection.execute(statement.where(table.received_ns.is_not(None)).group_by(table.source))
            return {row.source: int(row.at) for row in found}

    def last_asked(self) -> dict[str, int]:
        """When each source was last to be proven, ns."""
        table = schema.proof.c
        with self._backend.read() as connection:
            found = connection.execute(
                select(table.source, func.max(table.asked_ns).label("at")).group_by(table.source)
            )
            return {row.source: int(row.at) for row in found}


def settle(connection: Connection, settled: Sequence[Settled]) -> None:
    """Note what arrived, in the transaction that stores it. The first arrival counts."""
    table = schema.proof
    for one in settled:
        values = {name: getattr(one, name) for name in ("received_ns", "event_id", "matched")}
        connection.execute(
            update(table).where(table.c.marker == one.marker, table.c.received_ns.is_(None)).values(**values)
        )


def _forget(connection: Connection, before_ns: int) -> None:
    """Remove old announcements, but never a source's last proof."""
    table, newer = schema.proof, schema.proof.alias()
    last = select(func.max(newer.c.received_ns)).where(newer.c.source == table.c.source).scalar_subquery()
    connection.execute(
        delete(table).where(table.c.asked_ns < before_ns, table.c.received_ns.is_(None) | (table.c.received_ns < last))
    )


def _proof_of(row: Row[Any]) -> Proof:
    fields = {name: row._mapping[name] for name in Proof.__struct_fields__}
    return msgspec.convert({**fields, "message_keys": json.loads(fields["message_keys"])}, Proof)
