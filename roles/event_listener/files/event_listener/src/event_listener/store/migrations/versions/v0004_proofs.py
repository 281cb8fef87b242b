# SPDX-License-Identifier: GPL-3.0-or-later
"""Announced test events. Programs that don't know the table leave it alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_0002"
down_revision = "0003_0002"


def upgrade() -> None:
    """Make the table."""
    texts = [sa.Column(name, sa.Text, nullable=False) for name in ("batch", "source", "message_keys")]
    numbers = [sa.Column(name, sa.BigInteger, nullable=False) for name in ("asked_ns", "expires_ns")]
    op.create_table(
        "proof",
        sa.Column("marker", sa.Text, primary_key=True),
        *texts,
        *numbers,
        sa.Column("received_ns", sa.BigInteger, nullable=True),
        sa.Column("event_id", sa.Text, nullable=True),
        sa.Column("matched", sa.Text, nullable=True),
    )
    op.create_index("proof_batch", "proof", ["batch"])
    op.create_index("proof_source", "proof", ["source", "received_ns"])
