# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether sources are silent, and how often they should be heard. It only adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_0002"
down_revision = "0009_0002"


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("source", sa.Column("heartbeat_minutes", sa.Integer, nullable=True))
    op.create_table(
        "source_health",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("silent", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("since_ns", "longest_ms", "changes")),
    )
