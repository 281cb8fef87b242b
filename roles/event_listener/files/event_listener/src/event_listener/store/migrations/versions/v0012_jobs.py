# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running jobs, made of events. Only adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_0002"
down_revision = "0011_0002"

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXTS = ("key", "source", "start_id", "operation", "domain", "state", "type", "level", "first_event", "last_event")
_ENDED = ("ended_event", "outcome")
_NULLABLE = ("site", "account", "resource_type", "resource_id", "message")
_NUMBERS = ("number", "percent_at_ns", "seen_ns", "first_at_ns", "last_at_ns", "ended_at_ns")
_COUNTS = ("ended_dated", "ended_weak", "progressed", "steps")
_MOMENTS = ("percent", "scheduled_ns", "started_ns", "ended_ns", "hanging_ns")
_INDEXES = {
    "job_key": ["key", "number"],
    "job_state": ["state", "seq"],
    "job_source": ["source", "seq"],
    "job_start": ["start_id"],
    "job_open": ["ended_ns", "seen_ns"],
    "job_seen": ["seen_ns"],
    "job_owner": ["domain", "account", "seq"],
}


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "job",
        sa.Column("seq", _SEQ, nullable=False, unique=True),
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS + _ENDED),
        *(sa.Column(name, sa.Text, nullable=True) for name in _NULLABLE),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _NUMBERS + _COUNTS),
        *(sa.Column(name, sa.BigInteger, nullable=True) for name in _MOMENTS),
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "job", columns)
