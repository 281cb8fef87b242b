# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs and alerts: what people should look at."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from event_listener.store.schema_base import Seq, metadata, number, text

job = Table(
    "job",
    metadata,
    Column("seq", Seq, nullable=False, unique=True),  # of its first event's arrival: pages follow it
    Column("id", Text, primary_key=True),
    text("key"),  # a digest of site, source, start id and operation
    number("number"),
    text("source"),
    text("site", nullable=True),
    text("start_id"),
    text("operation"),
    text("domain"),
    text("account", nullable=True),
    text("state"),
    text("type"),
    text("resource_type", nullable=True),
    text("resource_id", nullable=True),
    text("message", nullable=True),
    text("level"),
    number("percent", nullable=True),
    number("percent_at_ns"),
    number("scheduled_ns", nullable=True),
    number("started_ns", nullable=True),
    number("ended_ns", nullable=True),
    number("seen_ns"),
    number("first_at_ns"),
    text("first_event"),
    number("last_at_ns"),
    text("last_event"),
    number("ended_at_ns"),
    number("ended_dated"),
    number("ended_weak"),
    text("ended_event"),
    text("outcome"),
    number("progressed"),
    number("steps"),
    number("hanging_ns", nullable=True),
    Index("job_key", "key", "number"),
    Index("job_state", "state", "seq"),
    Index("job_source", "source", "seq"),
    Index("job_start", "start_id"),
    Index("job_open", "ended_ns", "seen_ns"),
    Index("job_seen", "seen_ns"),
    Index("job_owner", "domain", "account", "seq"),
)

alert = Table(
    "alert",
    metadata,
    Column("seq", Seq, nullable=False, unique=True),  # of its first event's arrival: pages follow it
    Column("id", Text, primary_key=True),
    text("fingerprint"),
    text("subject"),
    text("rule"),
    text("source"),
    text("site", nullable=True),
    text("domain"),
    text("account", nullable=True),
    text("level"),
    text("type"),
    text("resource_type", nullable=True),
    text("resource_id", nullable=True),
    text("message", nullable=True),
    text("state"),
    number("important"),
    number("count"),
    number("sent"),
    number("first_ns"),
    number("last_ns"),
    text("first_event"),
    text("last_event"),
    number("acknowledged_ns", nullable=True),
    text("acknowledged_by", nullable=True),
    number("resolved_ns", nullable=True),
    text("resolved_by", nullable=True),
    number("archived_ns", nullable=True),
    Index("alert_fingerprint", "fingerprint", "state"),
    Index("alert_subject", "subject", "state"),
    Index("alert_state", "state", "seq"),
    Index("alert_source", "source", "rule", "state"),
    Index("alert_owner", "domain", "account", "seq"),
    Index("alert_resolved", "resolved_ns"),
    Index("alert_archived", "archived_ns"),
)

condition = Table("condition", metadata, Column("name", Text, primary_key=True), number("since_ns"), text("reason"))
