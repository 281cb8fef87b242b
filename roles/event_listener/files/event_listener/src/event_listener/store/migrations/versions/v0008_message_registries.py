# SPDX-License-Identifier: GPL-3.0-or-later
"""Message registries, what they told of an event, and which events say the same again. It only adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_0002"
down_revision = "0007_0002"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def upgrade() -> None:
    """Add the columns and tables."""
    for name in ("resolution", "filled", "repeat_of"):
        op.add_column("event", sa.Column(name, sa.Text, nullable=True))
    op.add_column("source", sa.Column("service", sa.Text, nullable=True))
    op.create_table(
        "message_registry",
        sa.Column("digest", sa.Text, primary_key=True),
        *map(_text, ("registry", "version", "language", "owner", "origin")),
        *map(_number, ("messages", "size", "created_ns")),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("message_registry_name", "message_registry", ["registry", "version"])
    op.create_table("make", sa.Column("name", sa.Text, primary_key=True), _text("registries"), _number("read_ns"))
