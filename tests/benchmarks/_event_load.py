# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of a benchmark: one as it comes in, and millions that are in the log already.

The first event goes the usual way. The others are rows like its own, put beside it in transactions of ``BATCH`` with
all that the listener keeps of them (the indexes, the words, the times of the blocks, the counters and cursors), by
COPY where the database has it: what a listener takes an hour for is there in minutes.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Sequence
from typing import Any

from event_listener.event import Level, Record
from event_listener.policy import Owner
from event_listener.store import Arrival, Store, periods, rows, schema, search, text_index
from event_listener.store.backend import Backend
from event_listener.store.checkpoints import INDEXED, set_position
from sqlalchemy import Connection, column, select, table, text

JOURNAL, CURSOR = "benchmark", "journal:benchmark"
BATCH = 50_000
SOURCES = 2000
_WORDS = ("fan", "power", "supply", "cable", "removed", "failed", "restored", "above", "below", "drive", "sensor")
_LEVELS = list(Level)
_ADDRESSES = [f"10.0.{source // 250}.{source % 250}" for source in range(SOURCES)]
_OWNERS = [Owner(f"/dc{source % 4}/row{source % 10}/", f"team{source % 7}") for source in range(SOURCES)]
_GIN = "event_words_words"
CHANCE = random.Random(1)


@dataclasses.dataclass(slots=True)
class Drawn:
    """What differs between events: few types, sources and words are common, many are rare."""

    source: int
    type: str
    level: Level
    resource_id: str
    message: str


def draw() -> Drawn:
    """The next one, by chance."""
    chance = CHANCE.random
    return Drawn(
        source=int(SOURCES * chance() ** 2),
        type=f"Registry{int(10 * chance())}.Message{int(20 * chance() ** 3)}",
        level=CHANCE.choices(_LEVELS, [90, 8, 2])[0],
        resource_id=f"/redfish/v1/Chassis/1/Part/{int(5000 * chance())}",
        message=f"{' '.join(CHANCE.choices(_WORDS, k=5))} unit{int(100_000 * chance())}",
    )


def arrival(number: int, received_ns: int) -> Arrival:
    """One POST with one event, as it comes from the journal."""
    one = draw()
    record = Record(
        type=one.type,
        level=one.level,
        resource_id=one.resource_id,
        message=one.message,
        record={"MessageId": "x", "n": number},
    )
    return Arrival(
        journal_id=JOURNAL,
        journal_seq=number,
        received_ns=received_ns,
        source=f"bmc{one.source}",
        address=_ADDRESSES[one.source],
        peer="",
        credential="c",
        content_type="application/json",
        body=b'{"Events": [{"MessageId": "x"}]}' * 10,
        owner=_OWNERS[one.source],
        records=(record,),
    )


def load(
    store: Store, backend: Backend, events: int, old: int, old_ns: int, seconds: float, *, batch: int = BATCH
) -> int:
    """Fill an empty log with ``events``, the first ``old`` of them received at ``old_ns``; returns how many there are.

    After ``seconds`` no further batch is begun. Tells how far it is.
    """
    began = time.monotonic()
    store.log.write([arrival(1, old_ns)], CURSOR, 1)
    store.search.step()
    with backend.write() as connection:
        pattern = _Pattern(*(dict(connection.execute(select(one)).mappings().one()) for one in _TABLES))
        _before(connection)
    number = 1
    while number < events and time.monotonic() - began < seconds:
        count = min(batch, events - number)
        moment = old_ns if number < old else time.time_ns()
        with backend.write() as connection:
            _put(backend, connection, [pattern.of(number + one, moment) for one in range(1, count + 1)])
        number += count
        each = (time.monotonic() - began) / number
        rest = f"{number * each:.0f} s gone, about {(events - number) * each:.0f} s to go"
        print(f"{backend.name}: {number:,} of {events:,} events, {1 / each:,.0f}/s, {rest}", flush=True)
    _after(backend)
    if number < events:
        print(f"{backend.name}: only {number:,} of {events:,} events were loaded in {seconds:.0f} s", flush=True)
    return number


_TABLES = (schema.payload, schema.event)


@dataclasses.dataclass
class _Pattern:
    """The rows of the first event, which those of all others are like."""

    payload: dict[str, Any]
    event: dict[str, Any]

    def of(self, number: int, moment: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The rows of another; their columns are in the same order."""
        one = draw()
        its = {"seq": number, "received_ns": moment, "source": f"bmc{one.source}", "address": _ADDRESSES[one.source]}
        owner = _OWNERS[one.source]
        return {**self.payload, **its, "journal_seq": number}, {
            **self.event,
            **its,
            "id": f"{JOURNAL}-{number}-0",
            "type": one.type,
            "level": one.level.value,
            "resource_id": one.resource_id,
            "message": one.message,
            "payload_id": number,
            "record": f'{{"MessageId": "x", "n": {number}}}',
            "domain": owner.domain,
            "account": owner.account,
        }


def _put(backend: Backend, connection: Connection, made: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """A batch, and what the indexer and the relay's tidying make of it."""
    events = [event for _payload, event in made]
    _insert(connection, schema.payload.name, [payload for payload, _event in made])
    _insert(connection, schema.event.name, events)
    # Letters and digits between spaces are what FTS5 takes, and a tsvector as text, too.
    key = "rowid" if backend.name == "sqlite" else "seq"
    indexed = [{key: row["seq"], "words": row["words"]} for row in text_index.rows(events)]
    _insert(connection, text_index.NAME, indexed)
    periods.add(backend, connection, events)
    for one in _TABLES:
        rows.take(connection, one, len(made))
    for name in (CURSOR, search.CURSOR):
        set_position(backend, connection, name, events[-1]["seq"])
    set_position(backend, connection, INDEXED, events[-1]["seq"], keep=True)


def _insert(connection: Connection, name: str, found: Sequence[dict[str, Any]]) -> None:
    """The driver's own bulk insert: SQLAlchemy would spend more time on the parameters than SQLite on the rows."""
    names = list(found[0])
    if connection.dialect.name == "sqlite":
        statement = table(name, *map(column, names)).insert().compile(dialect=connection.dialect)
        connection.exec_driver_sql(str(statement), [tuple(row.values()) for row in found])
    else:
        with _driver(connection).cursor().copy(f"COPY {name} ({', '.join(names)}) FROM STDIN") as copy:
            for row in found:
                copy.write_row(tuple(row.values()))


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _before(connection: Connection) -> None:
    """PostgreSQL's index of words is made at the end, since row by row it would take longer than all the rest.

    SQLite gets 1 GB to hold its indexes in, as long as this connection is open.
    """
    sqlite = connection.dialect.name == "sqlite"
    connection.execute(text("PRAGMA cache_size = -1000000" if sqlite else f"DROP INDEX {_GIN}"))


def _after(backend: Backend) -> None:
    """What a database that grew slowly has done by itself meanwhile."""
    began = time.monotonic()
    if backend.name == "postgresql":
        with backend.write() as connection:
            connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
            connection.execute(text(f"CREATE INDEX {_GIN} ON {text_index.NAME} USING gin (words)"))
    engine = backend.engine  # type: ignore[attr-defined]  # each has one; the protocol needn't say so
    statement = "VACUUM ANALYZE" if backend.name == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    print(f"{backend.name}: ready after {time.monotonic() - began:.0f} s more", flush=True)
