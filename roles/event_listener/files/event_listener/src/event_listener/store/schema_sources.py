# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources, their proofs and their health."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from event_listener.store.schema_base import Seq, metadata, number, text

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    text("address", nullable=True),
    text("uuid", nullable=True),
    text("serial", nullable=True),
    text("model", nullable=True),
    text("firmware", nullable=True),
    text("manufacturer", nullable=True),
    text("service", nullable=True),
    text("labels"),  # a JSON object of strings
    text("domain", nullable=True),
    text("state"),
    Column("response_status", Integer, nullable=True),
    Column("heartbeat_minutes", Integer, nullable=True),
    Column("path_secrets", Text, nullable=False, server_default="[]"),  # a JSON array, digests only
    text("account", nullable=True),
    text("credential", nullable=True),
    number("credential_given_ns", nullable=True),
    number("created_ns"),
    number("updated_ns"),
)

proof = Table(
    "proof",
    metadata,
    Column("marker", Text, primary_key=True),
    text("batch"),
    text("source"),
    text("message_keys"),  # a JSON array
    number("asked_ns"),
    number("expires_ns"),
    number("received_ns", nullable=True),
    text("event_id", nullable=True),
    text("matched", nullable=True),
    Index("proof_batch", "batch"),
    Index("proof_source", "source", "received_ns"),
)

outage = Table(
    "outage",
    metadata,
    Column("seq", Seq, primary_key=True),
    text("place"),
    number("began_ns"),
    number("ended_ns"),
    sqlite_autoincrement=True,
)

presence = Table("presence", metadata, Column("place", Text, primary_key=True), number("alive_ns"))

upkeep = Table(
    "upkeep",
    metadata,
    Column("source", Text, primary_key=True),
    number("complete_ns"),
    number("repaired_ns"),
    number("checked_ns"),
    text("verdict"),
)

coverage = Table("coverage", metadata, Column("name", Text, primary_key=True), number("at_ns"), text("body"))

activity = Table(
    "activity",
    metadata,
    Column("source", Text, primary_key=True),
    text("address"),
    number("last_seen_ns"),
    number("payloads"),
    number("events"),
    number("quarantined"),
    Index("activity_last_seen", "last_seen_ns"),
)

credential_use = Table(
    "credential_use",
    metadata,
    Column("source", Text, primary_key=True),
    Column("credential", Text, primary_key=True),
    number("last_used_ns"),
)

source_health = Table(
    "source_health",
    metadata,
    Column("source", Text, primary_key=True),
    Column("silent", Integer, nullable=False),  # 1: it is
    number("since_ns"),
    number("longest_ms"),  # that it may be silent
    number("changes"),
)
