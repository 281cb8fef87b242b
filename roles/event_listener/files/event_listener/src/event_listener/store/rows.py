# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows to records and back."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, Table, select

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


def event_of(row: Row[Any]) -> Event:
    """The event in a row of all columns of ``event``."""
    fields = row._mapping
    return Event(
        seq=fields["seq"],
        id=fields["id"],
        source=fields["source"],
        address=fields["address"],
        received_ns=fields["received_ns"],
        payload_id=fields["payload_id"],
        domain=fields["domain"],
        account=fields["account"],
        site=fields["site"],
        category=Category(fields["category"]),
        type=fields["type"],
        level=Level(fields["level"]),
        state=State(fields["state"]),
        origin=Origin(fields["origin"]),
        message_args=tuple(json.loads(fields["message_args"])),
        record=json.loads(fields["record"]),
        filled=tuple(fields["filled"].split(",")) if fields["filled"] else (),
        repeat_of=fields["repeat_of"],
        **{name: fields[name] for name in PLAIN},
    )


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


def last(connection: Connection, table: Table) -> int:
    """The greatest sequence number given in a table; purging doesn't lower it."""
    row = schema.counter.c
    return int(connection.execute(select(row.value).where(row.name == table.name)).scalar() or 0)
