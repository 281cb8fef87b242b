# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a cloud's security group rules and ports. Only adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016_0002"
down_revision = "0015_0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "cloud_object",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("seen_ns", sa.BigInteger, nullable=False),
    )
