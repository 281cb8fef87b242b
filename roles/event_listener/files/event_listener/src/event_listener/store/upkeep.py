# SPDX-License-Identifier: GPL-3.0-or-later
"""For the upkeep of a fleet: when the listener was away, how far each source is complete, what was last found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, select

from event_listener.store import rows, schema
from event_listener.store.backend import Backend

KEEP_NS = 90 * 24 * 3600 * 1_000_000_000


class Outage(msgspec.Struct, frozen=True):
    """A time in which a listener took no events; ``place`` is its host's, "" where there is one."""

    place: str
    began_ns: int
    ended_ns: int


class Care(msgspec.Struct, frozen=True):
    """What was last done for a source. 0: never.

    ``complete_ns``: everything that happened before is in the log. ``repaired_ns``: its subscription was restored.
    ``checked_ns`` and ``verdict``: when a run last looked at its BMC, and what it said.
    """

    source: str
    complete_ns: int = 0
    repaired_ns: int = 0
    checked_ns: int = 0
    verdict: str = ""


class Upkeep:
    """Outages, care and coverage in the store."""

    def __init__(self, backend: Backend, place: str) -> None:
        self._backend = backend
        self._place = place

    def note_outages(self, outages: Iterable[tuple[int, int]], alive_ns: int) -> None:
        """Remember times (began, ended) in which this host took no events, and that now it does."""
        table = schema.outage
        with self._backend.write("upkeep") as connection:
            for began, ended in outages:
                seq = rows.take(connection, table, 1)
                connection.execute(table.insert().values(seq=seq, place=self._place, began_ns=began, ended_ns=ended))
            connection.execute(delete(table).where(table.c.ended_ns < alive_ns - KEEP_NS))
            beat = {"place": self._place, "alive_ns": alive_ns}
            self._backend.upsert(connection, schema.presence, [beat], add=())

    def last_alive(self) -> int | None:
        """When this host last took events; None if it never did."""
        table = schema.presence.c
        with self._backend.read() as connection:
            found = connection.execute(select(table.alive_ns).where(table.place == self._place)).scalar()
        return None if found is None else int(found)

    def outages(self) -> list[Outage]:
        """Those of the last 90 days, of all hosts, oldest first."""
        table = schema.outage.c
        with self._backend.read() as connection:
            found = connection.execute(select(table.place, table.began_ns, table.ended_ns).order_by(table.began_ns))
            return [Outage(*row) for row in found]

    def care(self) -> dict[str, Care]:
        """By source."""
        with self._backend.read() as connection:
            return {row.source: Care(*row) for row in connection.execute(select(schema.upkeep))}

    def take_care(self, changes: Sequence[dict[str, Any]]) -> None:
        """Change fields of sources: each entry has ``source`` and those fields of `Care` that are new."""
        known = self.care()
        cared = [
            msgspec.structs.asdict(
                msgspec.structs.replace(known.get(change["source"], Care(change["source"])), **change)
            )
            for change in changes
        ]
        with self._backend.write("upkeep") as connection:
            self._backend.upsert(connection, schema.upkeep, cared, add=())

    def report_coverage(self, document: dict[str, Any], now_ns: int) -> None:
        """Replace what was last found."""
        row = {"name": "fleet", "at_ns": now_ns, "body": json.dumps(document)}
        with self._backend.write("upkeep") as connection:
            self._backend.upsert(connection, schema.coverage, [row], add=())

    def coverage(self) -> tuple[dict[str, Any], int] | None:
        """What was last found, and when; None if nobody ever looked."""
        with self._backend.read() as connection:
            row = connection.execute(select(schema.coverage)).one_or_none()
        return None if row is None else (json.loads(row.body), row.at_ns)
