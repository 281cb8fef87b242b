# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts, and what was told of sinks. Only adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017_0002"
down_revision = "0016_0002"

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXTS = ("fingerprint", "subject", "rule", "source", "domain", "level", "type", "state", "first_event", "last_event")
_TEXTS_OR_NULL = ("site", "account", "resource_type", "resource_id", "message", "acknowledged_by", "resolved_by")
_NUMBERS = ("important", "count", "sent", "first_ns", "last_ns")
_NUMBERS_OR_NULL = ("acknowledged_ns", "resolved_ns", "archived_ns")
_INDEXES = {
    "alert_fingerprint": ["fingerprint", "state"],
    "alert_subject": ["subject", "state"],
    "alert_state": ["state", "seq"],
    "alert_source": ["source", "rule", "state"],
    "alert_owner": ["domain", "account", "seq"],
    "alert_resolved": ["resolved_ns"],
    "alert_archived": ["archived_ns"],
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "alert",
        sa.Column("seq", _SEQ, nullable=False, unique=True),
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Text, nullable=True) for name in _TEXTS_OR_NULL),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _NUMBERS),
        *(sa.Column(name, sa.BigInteger, nullable=True) for name in _NUMBERS_OR_NULL),
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "alert", columns)
    op.create_table(
        "condition",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since_ns", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
