# SPDX-License-Identifier: GPL-3.0-or-later
"""When cursors passed where. Only adds: a program that doesn't know it leaves a gap in the times it tells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_0002"
down_revision = "0010_0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "checkpoint",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
