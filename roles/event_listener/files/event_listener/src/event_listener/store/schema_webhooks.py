# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of webhooks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeEngine


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


def webhook_table(metadata: MetaData) -> Table:
    """What webhooks are. Their secrets are in clear: they sign."""
    return Table(
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


def webhook_lane_table(metadata: MetaData) -> Table:
    """Where each webhook is in the event log, and how its endpoint is."""
    return Table(
        "webhook_lane",
        metadata,
        Column("webhook", Text, primary_key=True),
        *_numbers("position", "failures", "failing_since_ns", "rests_until_ns", "delivered", "failed"),
    )


def webhook_delivery_table(metadata: MetaData, seq: TypeEngine[int]) -> Table:
    """Events on their way to webhooks, and the last ones that arrived or failed."""
    return Table(
        "webhook_delivery",
        metadata,
        Column("seq", seq, primary_key=True),
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


def webhook_attempt_table(metadata: MetaData, seq: TypeEngine[int]) -> Table:
    """Each request of a delivery, and its answer."""
    return Table(
        "webhook_attempt",
        metadata,
        Column("delivery", seq, ForeignKey("webhook_delivery.seq"), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        *_numbers("started_ns", "duration_ms"),
        *_texts("address", "request_headers"),
        Column("status", Integer, nullable=True),
        *_texts("error", "response_headers", "response"),
    )
