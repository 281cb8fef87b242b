# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrived authenticated and wasn't understood: kept whole, listed, tried again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, select

from event_listener.policy import EVERYTHING, ROOT, Owner, Scope
from event_listener.store import schema
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import Backend
from event_listener.store.forwarded import lacking
from event_listener.store.given_up import Loss, tell
from event_listener.store.log import Arrival, insert_good
from event_listener.store.ownership import of_source


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An entry without its body."""

    seq: int
    journal_id: str
    journal_seq: int
    received_ns: int
    source: str
    address: str
    peer: str
    credential: str
    content_type: str
    reason: str
    size: int


class Quarantine:
    """The entries that wait for a look."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def list(self, after: int = 0, limit: int = 100, scope: Scope = EVERYTHING) -> list[Held]:
        """Entries of a scope's sources with a greater ``seq``, oldest first."""
        table = schema.quarantine.c
        columns: list[Any] = [table[name] for name in Held.__struct_fields__ if name != "size"]
        statement = select(*columns, func.length(table.body).label("size"))
        statement = statement.where(table.seq > after, of_source(scope, table.source)).order_by(table.seq)
        with self._backend.read() as connection:
            return [Held(**row._mapping) for row in connection.execute(statement.limit(limit))]

    def body(self, seq: int, scope: Scope = EVERYTHING) -> bytes | None:
        """What was sent, unaltered."""
        table = schema.quarantine.c
        statement = select(table.body).where(table.seq == seq, of_source(scope, table.source))
        with self._backend.read() as connection:
            found = connection.execute(statement).scalar()
        return None if found is None else bytes(found)

    def bytes_after(self, seq: int) -> tuple[int, int]:
        """Bytes of the bodies of entries with a greater ``seq``, and the last one's ``seq`` (``seq`` for none)."""
        table = schema.quarantine.c
        statement = select(func.sum(func.length(table.body)), func.max(table.seq)).where(table.seq > seq)
        with self._backend.read() as connection:
            size, last = connection.execute(statement).one()
        return int(size or 0), int(last or seq)

    def give_up(self, excess: int, bound: int, limit: int = 2000) -> tuple[int, int]:
        """Remove the oldest entries until ``excess`` bytes are gone, ``limit`` at most, and tell of it in an event.

        Returns how many, and their bytes. Both are stored, or neither. Raises StoreUnavailableError.
        """
        table = schema.quarantine.c
        statement = select(table.seq, table.received_ns, func.length(table.body).label("size")).order_by(table.seq)
        with self._backend.write() as connection:
            gone, size = [], 0
            for row in connection.execute(statement.limit(limit)):
                if size >= excess:
                    break
                gone.append(row)
                size += row.size
            if gone:
                connection.execute(delete(schema.quarantine).where(table.seq <= gone[-1].seq))
                tell(self._backend, connection, _loss(gone, size, bound))
        return len(gone), size

    def retry(
        self, seqs: Sequence[int], normalise: Callable[[Arrival], Arrival], actor: Actor | None = None
    ) -> dict[int, bool]:
        """Normalise entries again; what has records now moves to the event log under the id it always had.

        Returns which ones did. Each entry is a transaction of its own.
        """
        return {seq: self._release(seq, normalise, actor) for seq in seqs}

    def _release(self, seq: int, normalise: Callable[[Arrival], Arrival], actor: Actor | None) -> bool:
        table = schema.quarantine
        with self._backend.write() as connection:
            row = connection.execute(select(table).where(table.c.seq == seq)).one_or_none()
            if row is None:
                return False
            fields = {name: row._mapping[name] for name in Arrival.__struct_fields__ if name in row._mapping}
            owner = _owner(connection, row.source)
            arrival = normalise(Arrival(**{**fields, "body": bytes(row.body), "owner": owner}))
            if not arrival.records:
                return False
            insert_good(connection, lacking(connection, [arrival]))
            connection.execute(delete(table).where(table.c.seq == seq))
            if actor is not None:
                details = {"source": row.source, "events": len(arrival.records)}
                record(connection, told(actor, "QUARANTINE.RETRY", ("Quarantine", str(seq)), owner, details=details))
        return True


def _owner(connection: Connection, source: str) -> Owner:
    """Whose the source is now."""
    table = schema.source.c
    found = connection.execute(select(table.domain, table.account).where(table.name == source)).one_or_none()
    return Owner(found.domain or ROOT, found.account) if found is not None else Owner()


def _loss(gone: Sequence[Any], size: int, bound: int) -> Loss:
    moments = [row.received_ns for row in gone]
    return Loss(
        what="quarantine",
        count=len(gone),
        size=size,
        first_ns=min(moments),
        last_ns=max(moments),
        reason=f"quarantine reached its bound of {bound} bytes (disk.quarantine)",
        unique=f"{gone[0].seq}-{gone[-1].seq}",
    )
