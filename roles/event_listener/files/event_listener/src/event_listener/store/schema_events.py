# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrived, and what was made of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from event_listener.store.schema_base import Seq, metadata, number, only, text

payload = Table(
    "payload",
    metadata,
    Column("seq", Seq, primary_key=True),
    text("journal_id"),
    number("journal_seq"),
    number("received_ns"),
    text("source"),
    text("address"),
    text("peer"),
    text("credential"),
    text("content_type"),
    text("origin"),
    Column("body", LargeBinary, nullable=False),
    Unique("journal_id", "journal_seq", name="payload_journal"),
    Index("payload_address", "address", "seq"),
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    Column("seq", Seq, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    text("source"),
    text("address"),
    text("origin"),
    text("category"),
    text("type"),
    text("level"),
    text("state"),
    text("resource_type", nullable=True),
    text("resource_id", nullable=True),
    text("message", nullable=True),
    text("message_id", nullable=True),
    text("message_args"),  # a JSON array of strings
    text("severity", nullable=True),
    text("resolution", nullable=True),
    text("filled", nullable=True),  # fields that a message registry told, joined by commas
    text("repeat_of", nullable=True),
    text("event_id", nullable=True),
    text("context", nullable=True),
    text("time", nullable=True),
    number("received_ns"),
    text("start_id", nullable=True),
    text("state_of", nullable=True),
    text("old_state", nullable=True),
    text("new_state", nullable=True),
    Column("payload_id", Seq, ForeignKey("payload.seq"), nullable=False),
    text("record"),  # JSON
    Column("domain", Text, nullable=False, server_default="/"),
    text("account", nullable=True),
    text("site", nullable=True),
    Index("event_owner", "domain", "account", "seq"),
    Index("event_domain", "domain", "seq"),
    Index("event_source", "source", "seq"),
    Index("event_type", "type", "seq"),
    Index("event_category", "category", "seq"),
    Index("event_level", "level", "seq"),
    Index("event_origin", "origin", "seq"),
    Index("event_received", "received_ns"),
    Index("event_resource", "resource_id", "seq", **only("resource_id IS NOT NULL")),
    Index("event_start", "start_id", "seq", **only("start_id IS NOT NULL")),
    Index("event_state", "state", "seq", **only("state <> 'Completed'")),
    Index("event_payload", "payload_id"),
    sqlite_autoincrement=True,
)

event_mark = Table(
    "event_mark",
    metadata,
    Column("event_seq", Seq, primary_key=True, autoincrement=False),
    Column("kind", Integer, nullable=False),  # marks.ARCHIVED, marks.DELETED
    number("at_ns"),
    Index("event_mark_kind", "kind", "event_seq"),
)

period = Table(
    "period",
    metadata,
    Column("block", Seq, primary_key=True, autoincrement=False),  # of events: seq // periods.BLOCK
    number("low_ns"),
    number("high_ns"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("seq", Seq, primary_key=True),
    text("journal_id"),
    number("journal_seq"),
    number("received_ns"),
    text("source"),
    text("address"),
    text("peer"),
    text("credential"),
    text("content_type"),
    text("reason"),
    Column("body", LargeBinary, nullable=False),
    Unique("journal_id", "journal_seq", name="quarantine_journal"),
    sqlite_autoincrement=True,
)

resource_state = Table(
    "resource_state",
    metadata,
    Column("source", Text, primary_key=True),
    Column("resource_id", Text, primary_key=True),
    Column("aspect", Text, primary_key=True),
    text("resource_type", nullable=True),
    text("state"),
    text("previous", nullable=True),
    number("since_ns"),
    number("seen_ns"),
    text("event_id"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    number("position"),
    number("at_ns"),
)

message_registry = Table(
    "message_registry",
    metadata,
    Column("digest", Text, primary_key=True),
    text("registry"),
    text("version"),
    text("language"),
    text("owner"),
    text("origin"),  # the source it was read from, or "import"
    number("messages"),
    number("size"),  # bytes of the condensed JSON, before compression
    number("created_ns"),
    Column("body", LargeBinary, nullable=False),
    Index("message_registry_name", "registry", "version"),
)

make = Table(
    "make",
    metadata,
    Column("name", Text, primary_key=True),  # manufacturer, model, firmware, service
    text("registries"),  # a JSON array of digests: its own ones
    number("read_ns"),
)
