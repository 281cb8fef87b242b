# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of resources, and what an event says about it. Only adds, so the version before can go on meanwhile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_0002"
down_revision = "0004_0002"


def upgrade() -> None:
    """Add the columns and the table."""
    for name in ("state_of", "old_state", "new_state"):
        op.add_column("event", sa.Column(name, sa.Text, nullable=True))
    op.create_table(
        "resource_state",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("resource_id", sa.Text, primary_key=True),
        sa.Column("aspect", sa.Text, primary_key=True),
        sa.Column("resource_type", sa.Text, nullable=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=True),
        sa.Column("since_ns", sa.BigInteger, nullable=False),
        sa.Column("seen_ns", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
    )
