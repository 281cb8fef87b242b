# SPDX-License-Identifier: GPL-3.0-or-later
"""A new event log from rows of a corrupt one: same ids, same numbers, and none of them given a second time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Table

from event_listener.store import Store, schema
from event_listener.store.backend import SQLiteBackend
from event_listener.store.search import CURSOR as SEARCHABLE


def is_numbered(table: Table) -> bool:
    """Whether rows have a number of ours, ``seq``."""
    return "seq" in table.c


_OF_THE_MOMENT = (schema.lane, schema.lease, schema.heartbeat)
# Without what the next relay says anew; payloads come before the events that refer to them.
TABLES = [table for table in schema.metadata.sorted_tables if table not in _OF_THE_MOMENT]


class Rebuild:
    """The new file, while it is filled. Raises sqlite3.Error. A context manager: leaving it commits or undoes all."""

    def __init__(self, path: Path) -> None:
        Store(SQLiteBackend(path)).close()  # the tables of this version
        # Foreign keys are off in a plain connection: payloads that are lost get a stand-in at the end.
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("BEGIN IMMEDIATE")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
        self._connection.close()

    def add(self, table: Table, columns: Sequence[str], found: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
        """Insert rows; returns how many, and how many a damaged value made impossible."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        statement = f'INSERT OR REPLACE INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - our schema
        kept = refused = 0
        for row in found:
            try:
                self._connection.execute(statement, row)
                kept += 1
            except (sqlite3.IntegrityError, sqlite3.InterfaceError):
                refused += 1
        return kept, refused

    def finish(self, gap: int, journal_id: str) -> None:
        """Make the numbers go on after what was ever given, and the cursors fit.

        ``gap`` is added where the number given last couldn't be read; 0 where all could. ``journal_id``: this host's.
        """
        run = self._connection.execute
        run(
            "INSERT OR IGNORE INTO payload (seq, journal_id, journal_seq, received_ns, source, address, peer, "
            "credential, content_type, origin, body) "
            # An event's id is <journal>-<number>-<index>, and a journal's id has no dash that ends in a number.
            "SELECT payload_id, 'lost-' || payload_id, 0, min(received_ns), min(source), min(address), '', '', '', "
            "min(origin), x'' FROM event WHERE payload_id NOT IN (SELECT seq FROM payload) GROUP BY payload_id"
        )
        run("DELETE FROM cursor WHERE name = ?", (SEARCHABLE,))  # nothing of the new file is indexed
        ahead = int(run("SELECT coalesce(max(position), 0) FROM cursor WHERE name LIKE 'sink:%'").fetchone()[0])
        for table in filter(is_numbered, TABLES):
            greatest = int(run(f'SELECT coalesce(max(seq), 0) FROM "{table.name}"').fetchone()[0])  # noqa: S608 - ours
            least = max(greatest, ahead) if table in (schema.payload, schema.event) else greatest
            run(
                "INSERT INTO counter (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
                (table.name, least + gap),
            )
        run("DELETE FROM counter WHERE name LIKE 'removed:%'")
        for table in (schema.payload, schema.event):
            count = int(run(f'SELECT count(*) FROM "{table.name}"').fetchone()[0])  # noqa: S608 - ours
            run(
                "INSERT INTO counter (name, value) SELECT 'removed:' || name, value - ? FROM counter WHERE name = ?",
                (count, table.name),
            )
        if journal_id:
            run(
                "INSERT INTO cursor (name, position, updated_ns) SELECT 'journal:' || ?1, coalesce(max(n), 0), 0 FROM "
                "(SELECT max(journal_seq) AS n FROM payload WHERE journal_id = ?1 UNION ALL "
                "SELECT max(journal_seq) FROM quarantine WHERE journal_id = ?1) WHERE true "
                "ON CONFLICT (name) DO UPDATE SET position = max(position, excluded.position)",
                (journal_id,),
            )
