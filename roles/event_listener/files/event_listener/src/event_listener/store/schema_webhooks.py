# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of webhooks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from event_listener.store.schema_base import Seq, metadata


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


webhook = Table(
    "webhook",
    metadata,
    Column("id", Text, primary_key=True),
    *_texts("name", "url", "description", "domain"),
    Column("account", Text, nullable=True),
    *_texts("scope", "state", "disabled_because"),
    Column("secret", Text, nullable=True),
    Column("old_secret", Text, nullable=True),
    *_numbers("old_secret_until_ns", "tls_verify"),
    *_texts("ca", "format"),
    *_texts("filters", "categories", "levels"),  # JSON arrays
    *_numbers("trusted", "created_ns", "updated_ns"),
    Index("webhook_owner", "domain", "account"),
)
"""What webhooks are. Their secrets are in clear: they sign."""

webhook_lane = Table(
    "webhook_lane",
    metadata,
    Column("webhook", Text, primary_key=True),
    *_numbers("position", "failures", "failing_since_ns", "rests_until_ns", "delivered", "failed"),
)
"""Where each webhook is in the event log, and how its endpoint is."""

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("seq", Seq, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    *_texts("webhook", "message_id", "event_id", "event_type", "event_owner", "content_type"),
    Column("payload", LargeBinary, nullable=False),
    *_texts("state"),
    *_numbers("attempts", "next_ns", "created_ns"),
    Column("done_ns", BigInteger, nullable=True),
    Column("redelivery_of", Text, nullable=True),
    Index("webhook_delivery_due", "state", "webhook", "next_ns"),
    Index("webhook_delivery_webhook", "webhook", "seq"),
    sqlite_autoincrement=True,
)
"""Events on their way to webhooks, and the last ones that arrived or failed."""

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("delivery", Seq, ForeignKey("webhook_delivery.seq"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *_numbers("started_ns", "duration_ms"),
    *_texts("address", "request_headers"),
    Column("status", Integer, nullable=True),
    *_texts("error", "response_headers", "response"),
)
"""Each request of a delivery, and its answer."""
