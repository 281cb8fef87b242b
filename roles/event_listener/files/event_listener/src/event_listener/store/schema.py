# SPDX-License-Identifier: GPL-3.0-or-later
"""The event log's tables, for queries. The migrations make them; a test compares the two.

``seq`` is given by us from the table ``counter``, under the lock that serialises appends: it rises without gaps in the
order of commits, on every database, and is never used again. AUTOINCREMENT says the same to SQLite.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, text
from sqlalchemy import UniqueConstraint as Unique

from event_listener.store.schema_webhooks import (
    webhook_attempt_table,
    webhook_delivery_table,
    webhook_lane_table,
    webhook_table,
)

metadata = MetaData()

# SQLite autoincrements only what is spelled INTEGER; it holds 64 bits there.
Seq = BigInteger().with_variant(Integer(), "sqlite")


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _only(condition: str) -> dict[str, Any]:
    """An index of the few rows that fulfil a condition."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


payload = Table(
    "payload",
    metadata,
    Column("seq", Seq, primary_key=True),
    _text("journal_id"),
    _number("journal_seq"),
    _number("received_ns"),
    _text("source"),
    _text("address"),
    _text("peer"),
    _text("credential"),
    _text("content_type"),
    _text("origin"),
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
    _text("source"),
    _text("address"),
    _text("origin"),
    _text("category"),
    _text("type"),
    _text("level"),
    _text("state"),
    _text("resource_type", nullable=True),
    _text("resource_id", nullable=True),
    _text("message", nullable=True),
    _text("message_id", nullable=True),
    _text("message_args"),  # a JSON array of strings
    _text("severity", nullable=True),
    _text("resolution", nullable=True),
    _text("filled", nullable=True),  # fields that a message registry told, joined by commas
    _text("repeat_of", nullable=True),
    _text("event_id", nullable=True),
    _text("context", nullable=True),
    _text("time", nullable=True),
    _number("received_ns"),
    _text("start_id", nullable=True),
    _text("state_of", nullable=True),
    _text("old_state", nullable=True),
    _text("new_state", nullable=True),
    Column("payload_id", Seq, ForeignKey("payload.seq"), nullable=False),
    _text("record"),  # JSON
    Column("domain", Text, nullable=False, server_default="/"),
    _text("account", nullable=True),
    _text("site", nullable=True),
    Index("event_owner", "domain", "account", "seq"),
    Index("event_domain", "domain", "seq"),
    Index("event_source", "source", "seq"),
    Index("event_type", "type", "seq"),
    Index("event_category", "category", "seq"),
    Index("event_level", "level", "seq"),
    Index("event_origin", "origin", "seq"),
    Index("event_received", "received_ns"),
    Index("event_resource", "resource_id", "seq", **_only("resource_id IS NOT NULL")),
    Index("event_start", "start_id", "seq", **_only("start_id IS NOT NULL")),
    Index("event_state", "state", "seq", **_only("state <> 'Completed'")),
    Index("event_payload", "payload_id"),
    sqlite_autoincrement=True,
)

event_mark = Table(
    "event_mark",
    metadata,
    Column("event_seq", Seq, primary_key=True, autoincrement=False),
    Column("kind", Integer, nullable=False),  # marks.ARCHIVED, marks.DELETED
    _number("at_ns"),
    Index("event_mark_kind", "kind", "event_seq"),
)

period = Table(
    "period",
    metadata,
    Column("block", Seq, primary_key=True, autoincrement=False),  # of events: seq // periods.BLOCK
    _number("low_ns"),
    _number("high_ns"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("seq", Seq, primary_key=True),
    _text("journal_id"),
    _number("journal_seq"),
    _number("received_ns"),
    _text("source"),
    _text("address"),
    _text("peer"),
    _text("credential"),
    _text("content_type"),
    _text("reason"),
    Column("body", LargeBinary, nullable=False),
    Unique("journal_id", "journal_seq", name="quarantine_journal"),
    sqlite_autoincrement=True,
)

counter = Table("counter", metadata, Column("name", Text, primary_key=True), _number("value"))

cursor = Table("cursor", metadata, Column("name", Text, primary_key=True), _number("position"), _number("updated_ns"))

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    _text("holder"),
    _number("fence"),
    _number("expires_ns"),
)

lane = Table(
    "lane",
    metadata,
    Column("name", Text, primary_key=True),
    _text("unit"),
    _text("state"),
    _text("reason"),
    _number("since_ns"),
)

rejected = Table(
    "rejected",
    metadata,
    Column("seq", Seq, primary_key=True),
    _text("sink"),
    _text("unit"),
    _number("unit_seq"),
    _text("reason"),
    _number("rejected_ns"),
    Unique("sink", "unit_seq", name="rejected_unit"),
    sqlite_autoincrement=True,
)

heartbeat = Table("heartbeat", metadata, Column("name", Text, primary_key=True), _number("beat_ns"))

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    _text("address", nullable=True),
    _text("uuid", nullable=True),
    _text("serial", nullable=True),
    _text("model", nullable=True),
    _text("firmware", nullable=True),
    _text("manufacturer", nullable=True),
    _text("service", nullable=True),
    _text("labels"),  # a JSON object of strings
    _text("domain", nullable=True),
    _text("state"),
    Column("response_status", Integer, nullable=True),
    Column("heartbeat_minutes", Integer, nullable=True),
    Column("path_secrets", Text, nullable=False, server_default="[]"),  # a JSON array, digests only
    _text("account", nullable=True),
    _text("credential", nullable=True),
    _number("credential_given_ns", nullable=True),
    _number("created_ns"),
    _number("updated_ns"),
)

proof = Table(
    "proof",
    metadata,
    Column("marker", Text, primary_key=True),
    _text("batch"),
    _text("source"),
    _text("message_keys"),  # a JSON array
    _number("asked_ns"),
    _number("expires_ns"),
    _number("received_ns", nullable=True),
    _text("event_id", nullable=True),
    _text("matched", nullable=True),
    Index("proof_batch", "batch"),
    Index("proof_source", "source", "received_ns"),
)

outage = Table(
    "outage",
    metadata,
    Column("seq", Seq, primary_key=True),
    _text("place"),
    _number("began_ns"),
    _number("ended_ns"),
    sqlite_autoincrement=True,
)

presence = Table("presence", metadata, Column("place", Text, primary_key=True), _number("alive_ns"))

upkeep = Table(
    "upkeep",
    metadata,
    Column("source", Text, primary_key=True),
    _number("complete_ns"),
    _number("repaired_ns"),
    _number("checked_ns"),
    _text("verdict"),
)

coverage = Table("coverage", metadata, Column("name", Text, primary_key=True), _number("at_ns"), _text("body"))

activity = Table(
    "activity",
    metadata,
    Column("source", Text, primary_key=True),
    _text("address"),
    _number("last_seen_ns"),
    _number("payloads"),
    _number("events"),
    _number("quarantined"),
    Index("activity_last_seen", "last_seen_ns"),
)

domain = Table("domain", metadata, Column("path", Text, primary_key=True), _number("created_ns"))

account = Table(
    "account",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    _number("created_ns"),
)

api_user = Table(
    "api_user",
    metadata,
    Column("name", Text, primary_key=True),
    _text("role"),
    _text("domain"),
    _text("account", nullable=True),
    _text("password", nullable=True),  # argon2id; none: only tokens
    _text("state"),
    _number("failures"),  # wrong passwords since the last right one
    _number("locked_until_ns"),
    _number("created_ns"),
    _number("updated_ns"),
    Index("api_user_domain", "domain"),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", Text, primary_key=True),
    _text("owner"),
    _text("name"),
    _text("kind"),  # token, session
    Column("digest", Text, nullable=False, unique=True),  # SHA-256: the token itself is 256 random bits
    _text("actions", nullable=True),  # a JSON array; null: all that the user may
    _number("created_ns"),
    _number("expires_ns", nullable=True),
    _number("used_ns", nullable=True),
    Index("api_token_owner", "owner"),
)

resource_state = Table(
    "resource_state",
    metadata,
    Column("source", Text, primary_key=True),
    Column("resource_id", Text, primary_key=True),
    Column("aspect", Text, primary_key=True),
    _text("resource_type", nullable=True),
    _text("state"),
    _text("previous", nullable=True),
    _number("since_ns"),
    _number("seen_ns"),
    _text("event_id"),
)

credential_use = Table(
    "credential_use",
    metadata,
    Column("source", Text, primary_key=True),
    Column("credential", Text, primary_key=True),
    _number("last_used_ns"),
)

message_registry = Table(
    "message_registry",
    metadata,
    Column("digest", Text, primary_key=True),
    _text("registry"),
    _text("version"),
    _text("language"),
    _text("owner"),
    _text("origin"),  # the source it was read from, or "import"
    _number("messages"),
    _number("size"),  # bytes of the condensed JSON, before compression
    _number("created_ns"),
    Column("body", LargeBinary, nullable=False),
    Index("message_registry_name", "registry", "version"),
)

make = Table(
    "make",
    metadata,
    Column("name", Text, primary_key=True),  # manufacturer, model, firmware, service
    _text("registries"),  # a JSON array of digests: its own ones
    _number("read_ns"),
)

source_health = Table(
    "source_health",
    metadata,
    Column("source", Text, primary_key=True),
    Column("silent", Integer, nullable=False),  # 1: it is
    _number("since_ns"),
    _number("longest_ms"),  # that it may be silent
    _number("changes"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _number("position"),
    _number("at_ns"),
)

job = Table(
    "job",
    metadata,
    Column("seq", Seq, nullable=False, unique=True),  # of its first event's arrival: pages follow it
    Column("id", Text, primary_key=True),
    _text("key"),  # a digest of site, source, start id and operation
    _number("number"),
    _text("source"),
    _text("site", nullable=True),
    _text("start_id"),
    _text("operation"),
    _text("domain"),
    _text("account", nullable=True),
    _text("state"),
    _text("type"),
    _text("resource_type", nullable=True),
    _text("resource_id", nullable=True),
    _text("message", nullable=True),
    _text("level"),
    _number("percent", nullable=True),
    _number("percent_at_ns"),
    _number("scheduled_ns", nullable=True),
    _number("started_ns", nullable=True),
    _number("ended_ns", nullable=True),
    _number("seen_ns"),
    _number("first_at_ns"),
    _text("first_event"),
    _number("last_at_ns"),
    _text("last_event"),
    _number("ended_at_ns"),
    _number("ended_dated"),
    _number("ended_weak"),
    _text("ended_event"),
    _text("outcome"),
    _number("progressed"),
    _number("steps"),
    _number("hanging_ns", nullable=True),
    Index("job_key", "key", "number"),
    Index("job_state", "state", "seq"),
    Index("job_source", "source", "seq"),
    Index("job_start", "start_id"),
    Index("job_open", "ended_ns", "seen_ns"),
    Index("job_seen", "seen_ns"),
    Index("job_owner", "domain", "account", "seq"),
)

webhook = webhook_table(metadata)
webhook_lane = webhook_lane_table(metadata)
webhook_delivery = webhook_delivery_table(metadata, Seq)
webhook_attempt = webhook_attempt_table(metadata, Seq)

scan = Table(
    "scan",
    metadata,
    Column("id", Text, primary_key=True),
    _text("sink"),
    _text("state"),  # scheduled, launching, running, completed, failed, dry_run
    _text("addresses"),  # a JSON array
    _text("causes"),  # a JSON array, as scans/addresses.py describes them
    _text("reference"),
    _text("error"),
    _text("domain"),
    _text("account", nullable=True),
    Column("attempts", Integer, nullable=False),
    _number("created_ns"),
    _number("asked_ns"),  # when it was launched, or tried to be, the last time
    _number("next_ns"),  # when it is looked at again
    _number("ended_ns"),
    Index("scan_state", "sink", "state", "created_ns"),
)

scan_sink = Table(
    "scan_sink",
    metadata,
    Column("sink", Text, primary_key=True),
    _number("through"),  # the last event whose scans are in the table scan
    _number("pause_ns"),  # until then the scanner wants to be left alone
    _text("why"),
)

cloud_object = Table(
    "cloud_object",
    metadata,
    Column("source", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _text("body"),  # JSON
    _number("seen_ns"),
)

alert = Table(
    "alert",
    metadata,
    Column("seq", Seq, nullable=False, unique=True),  # of its first event's arrival: pages follow it
    Column("id", Text, primary_key=True),
    _text("fingerprint"),
    _text("subject"),
    _text("rule"),
    _text("source"),
    _text("site", nullable=True),
    _text("domain"),
    _text("account", nullable=True),
    _text("level"),
    _text("type"),
    _text("resource_type", nullable=True),
    _text("resource_id", nullable=True),
    _text("message", nullable=True),
    _text("state"),
    _number("important"),
    _number("count"),
    _number("sent"),
    _number("first_ns"),
    _number("last_ns"),
    _text("first_event"),
    _text("last_event"),
    _number("acknowledged_ns", nullable=True),
    _text("acknowledged_by", nullable=True),
    _number("resolved_ns", nullable=True),
    _text("resolved_by", nullable=True),
    _number("archived_ns", nullable=True),
    Index("alert_fingerprint", "fingerprint", "state"),
    Index("alert_subject", "subject", "state"),
    Index("alert_state", "state", "seq"),
    Index("alert_source", "source", "rule", "state"),
    Index("alert_owner", "domain", "account", "seq"),
    Index("alert_resolved", "resolved_ns"),
    Index("alert_archived", "archived_ns"),
)

condition = Table("condition", metadata, Column("name", Text, primary_key=True), _number("since_ns"), _text("reason"))
