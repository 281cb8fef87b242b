# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of events as each database indexes them: FTS5 in SQLite, tsvector and GIN in PostgreSQL (ADR 16).

The two tables aren't in schema.py: what they are differs, and only this file and their migration know them. A row is
written soon after its event (store/search.py) and removed with it; it can be made again from the event at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    TableClause,
    bindparam,
    cast,
    column,
    literal_column,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression

from event_listener.words import Word, words

NAME = "event_words"
_SQLITE, _POSTGRESQL = "sqlite", "postgresql"
_INSERT = {
    _SQLITE: f"INSERT INTO {NAME} (rowid, words) VALUES (:seq, :words)",  # noqa: S608 - constants
    _POSTGRESQL: f"INSERT INTO {NAME} (seq, words) "  # noqa: S608 - constants
    "VALUES (:seq, array_to_tsvector(string_to_array(:words, ' '))) ON CONFLICT DO NOTHING",
}
# FTS5 holds no texts here: to forget a row it has to be told what it was.
_REMOVE = {
    _SQLITE: f"INSERT INTO {NAME} ({NAME}, rowid, words) VALUES ('delete', :seq, :words)",  # noqa: S608 - constants
    _POSTGRESQL: f"DELETE FROM {NAME} WHERE seq = :seq",  # noqa: S608 - constants
}
_CLEAR = {
    _SQLITE: f"INSERT INTO {NAME} ({NAME}) VALUES ('delete-all')",  # noqa: S608 - constants
    _POSTGRESQL: f"DELETE FROM {NAME}",  # noqa: S608 - constants
}
COLUMNS = ("seq", "source", "type", "resource_type", "resource_id", "message", "message_args")


class Joined(NamedTuple):
    """A further table of a question, its column that is in the order of ``seq``, and how the two belong together.

    ``bounded``: the columns that a range of numbers is said of.
    """

    table: TableClause
    seq: ColumnElement[int]
    bounded: list[ColumnElement[int]]
    conditions: list[ColumnElement[bool]]


def rows(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the index holds of events, given as rows with :data:`COLUMNS`; nothing of one without a word."""
    found = []
    for event in events:
        arguments = event["message_args"]
        its = words(
            event["source"],
            event["type"],
            event["resource_type"],
            event["resource_id"],
            event["message"],
            () if arguments == "[]" else json.loads(arguments),
        )
        if its:
            found.append({"seq": event["seq"], "words": " ".join(its)})
    return found


def add(connection: Connection, indexed: Sequence[Mapping[str, Any]]) -> None:
    """Index :func:`rows`. Call it in a write transaction."""
    if indexed:
        connection.execute(text(_INSERT[connection.dialect.name]), indexed)


def remove(connection: Connection, indexed: Sequence[Mapping[str, Any]]) -> None:
    """Forget :func:`rows`, made of the events as they are. Call it in the write transaction that removes them."""
    if indexed:
        connection.execute(text(_REMOVE[connection.dialect.name]), indexed)


def clear(connection: Connection) -> None:
    """Forget all events; their numbers may be given anew. Call it in a write transaction."""
    connection.execute(text(_CLEAR[connection.dialect.name]))


def joined(dialect: str, wanted: Sequence[Word], seq: ColumnElement[int]) -> Joined:
    """What narrows events down to those with all of these words.

    SQLite's planner knows nothing of how many match: the unary plus has it walk the index, in its order, and look each
    event up, never the other way round. PostgreSQL's walks both tables side by side where many match; a range that were
    said of one of them alone would have it read all of the other before.
    """
    if dialect == _SQLITE:
        texts = " AND ".join(f'"{word.text}"{"*" if word.prefix else ""}' for word in wanted)
        index = table(NAME, column("rowid", BigInteger))
        match = literal_column(NAME).op("MATCH", is_comparison=True)(bindparam(None, texts, unique=True))
        return Joined(index, index.c.rowid, [index.c.rowid], [match, seq == plain(dialect, index.c.rowid)])
    texts = " & ".join(f"'{word.text}'{':*' if word.prefix else ''}" for word in wanted)
    kept = table(NAME, column("seq", BigInteger), column("words"))
    query = cast(bindparam(None, texts, unique=True), TSQUERY)
    return Joined(kept, seq, [seq, kept.c.seq], [kept.c.words.op("@@", is_comparison=True)(query), kept.c.seq == seq])


def free(dialect: str, number: ColumnElement[int]) -> ColumnElement[int]:
    """A number whose index no database uses."""
    return plain(dialect, number) if dialect == _SQLITE else number + literal_column("0")


def plain(dialect: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column that SQLite doesn't look up in an index; elsewhere as it is."""
    if dialect != _SQLITE:
        return value
    return UnaryExpression(value, operator=operators.custom_op("+"), type_=value.type)
