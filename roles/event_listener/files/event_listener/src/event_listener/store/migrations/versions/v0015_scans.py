# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans of what changes affect. It only adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_0002"
down_revision = "0014_0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "scan",
        sa.Column("id", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("sink", "state", "addresses", "causes", "reference", "error", "domain")
        ),
        sa.Column("account", sa.Text, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("created_ns", "asked_ns", "next_ns", "ended_ns")),
        sa.Index("scan_state", "sink", "state", "created_ns"),
    )
    op.create_table(
        "scan_sink",
        sa.Column("sink", sa.Text, primary_key=True),
        sa.Column("through", sa.BigInteger, nullable=False),
        sa.Column("pause_ns", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
