# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credential each source was given, and when it last showed which. Names only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_0002"
down_revision = "0005_0002"


def upgrade() -> None:
    """Add columns and table."""
    op.add_column("source", sa.Column("credential", sa.Text, nullable=True))
    op.add_column("source", sa.Column("credential_given_ns", sa.BigInteger, nullable=True))
    op.create_table(
        "credential_use",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("credential", sa.Text, primary_key=True),
        sa.Column("last_used_ns", sa.BigInteger, nullable=False),
    )
