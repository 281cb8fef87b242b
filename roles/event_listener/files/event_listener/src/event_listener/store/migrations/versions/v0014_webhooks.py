# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks, their deliveries and attempts. Only adds: a program that doesn't know them delivers none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_0002"
down_revision = "0013_0002"

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    """Make the tables."""
    _webhooks()
    _deliveries()


def _webhooks() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Text, primary_key=True),
        *_texts("name", "url", "description", "domain"),
        sa.Column("account", sa.Text, nullable=True),
        *_texts("scope", "state", "disabled_because"),
        sa.Column("secret", sa.Text, nullable=True),
        sa.Column("old_secret", sa.Text, nullable=True),
        *_numbers("old_secret_until_ns", "tls_verify"),
        *_texts("ca", "format", "filters", "categories", "levels"),
        *_numbers("trusted", "created_ns", "updated_ns"),
    )
    op.create_index("webhook_owner", "webhook", ["domain", "account"])
    op.create_table(
        "webhook_lane",
        sa.Column("webhook", sa.Text, primary_key=True),
        *_numbers("position", "failures", "failing_since_ns", "rests_until_ns", "delivered", "failed"),
    )


def _deliveries() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("seq", _SEQ, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *_texts("webhook", "message_id", "event_id", "event_type", "event_owner", "content_type"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        *_texts("state"),
        *_numbers("attempts", "next_ns", "created_ns"),
        sa.Column("done_ns", sa.BigInteger, nullable=True),
        sa.Column("redelivery_of", sa.Text, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("webhook_delivery_due", "webhook_delivery", ["state", "webhook", "next_ns"])
    op.create_index("webhook_delivery_webhook", "webhook_delivery", ["webhook", "seq"])
    op.create_table(
        "webhook_attempt",
        sa.Column("delivery", _SEQ, sa.ForeignKey("webhook_delivery.seq"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *_numbers("started_ns", "duration_ms"),
        *_texts("address", "request_headers"),
        sa.Column("status", sa.Integer, nullable=True),
        *_texts("error", "response_headers", "response"),
    )
