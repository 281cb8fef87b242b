# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows to records and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, func, select

from event_listener.event import Category, Event, Level, Origin, Payload, Record, State
from event_listener.store import schema

PLAIN = (
    "resource_type",
    "resource_id",
    "message",
    "message_id",
    "severity",
    "resolution",
    "event_id",
    "context",
    "time",
    "start_id",
    "state_of",
    "old_state",
    "new_state",
)

# Looked up instead of called: this is done for each event and each sink.
_CATEGORIES = {item.value: item for item in Category}
_LEVELS = {item.value: item for item in Level}
_STATES = {item.value: item for item in State}
_ORIGINS = {item.value: item for item in Origin}


def event_of(row: Row[Any]) -> Event:
    """The event in a row of all columns of ``event``."""
    fields = dict(row._mapping)
    fields["category"] = _CATEGORIES[fields["category"]]
    fields["level"] = _LEVELS[fields["level"]]
    fields["state"] = _STATES[fields["state"]]
    fields["origin"] = _ORIGINS[fields["origin"]]
    arguments = fields["message_args"]
    fields["message_args"] = () if arguments == "[]" else tuple(_json(arguments))
    fields["record"] = _json(fields["record"])
    fields["filled"] = tuple(fields["filled"].split(",")) if fields["filled"] else ()
    return Event(**fields)


def _json(text: str) -> Any:
    """JSON of ours; by the faster decoder, which refuses what only an older version stored (lone surrogates)."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


def record_columns(record: Record) -> dict[str, Any]:
    """The columns that a record fills."""
    return {
        "category": record.category.value,
        "type": record.type,
        "level": record.level.value,
        "state": record.state.value,
        "origin": record.origin.value,
        "message_args": json.dumps(record.message_args),
        "filled": ",".join(record.filled) or None,
        "record": json.dumps(record.record, allow_nan=False),
        **{name: getattr(record, name) for name in PLAIN},
    }


def payload_of(row: Row[Any]) -> Payload:
    """The payload in a row of all columns of ``payload``."""
    fields = dict(row._mapping)
    return Payload(**{**fields, "origin": Origin(fields["origin"]), "body": bytes(fields["body"])})


def take(connection: Connection, table: Table, count: int) -> int:
    """Reserve ``count`` sequence numbers of a table and return the first. Call it in a write transaction."""
    row = schema.counter.c
    found = connection.execute(select(row.value).where(row.name == table.name)).scalar()
    if found is None:
        connection.execute(schema.counter.insert().values(name=table.name, value=count))
        return 1
    connection.execute(schema.counter.update().where(row.name == table.name).values(value=found + count))
    return int(found) + 1


def numbered(connection: Connection, table: Table, found: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Give the rows whose ``seq`` is 0 one, in their order. Call it in a write transaction."""
    fresh = [row for row in found if row["seq"] == 0]
    if fresh:
        for seq, row in enumerate(fresh, take(connection, table, len(fresh))):
            row["seq"] = seq
    return found


def last(connection: Connection, table: Table) -> int:
    """The greatest sequence number given in a table; purging doesn't lower it."""
    row = schema.counter.c
    return int(connection.execute(select(row.value).where(row.name == table.name)).scalar() or 0)


def removed(connection: Connection, table: Table, count: int) -> None:
    """Note that so many rows are about to be removed, or were never made. Call it in that write transaction."""
    row, name = schema.counter.c, f"removed:{table.name}"
    known = how_many_removed(connection, table)
    connection.execute(schema.counter.delete().where(row.name == name))
    connection.execute(schema.counter.insert().values(name=name, value=known + count))


def how_many_removed(connection: Connection, table: Table) -> int:
    """How many of the numbers that were given have no row; until one is removed, only those at the start."""
    row = schema.counter.c
    known = connection.execute(select(row.value).where(row.name == f"removed:{table.name}")).scalar()
    if known is not None:
        return int(known)
    first = connection.execute(select(func.min(table.c.seq))).scalar()
    return last(connection, table) if first is None else int(first) - 1
