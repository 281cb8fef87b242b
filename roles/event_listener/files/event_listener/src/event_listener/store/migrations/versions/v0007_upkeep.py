# SPDX-License-Identifier: GPL-3.0-or-later
"""Outages, the upkeep of sources, and coverage. Programs that don't know the tables leave them alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_0002"
down_revision = "0006_0002"


def upgrade() -> None:
    """Make the tables."""
    seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "outage",
        sa.Column("seq", seq, primary_key=True),
        sa.Column("place", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("began_ns", "ended_ns")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "presence",
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("alive_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "upkeep",
        sa.Column("source", sa.Text, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("complete_ns", "repaired_ns", "checked_ns")),
        sa.Column("verdict", sa.Text, nullable=False),
    )
    op.create_table(
        "coverage",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
