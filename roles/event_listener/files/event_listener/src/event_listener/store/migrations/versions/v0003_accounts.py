# SPDX-License-Identifier: GPL-3.0-or-later
"""To whom events and sources belong, and who may ask. The defaults let the version before write meanwhile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_0002"
down_revision = "0002"


def upgrade() -> None:
    """Add columns and tables."""
    op.add_column("event", sa.Column("domain", sa.Text, nullable=False, server_default="/"))
    op.add_column("event", sa.Column("account", sa.Text, nullable=True))
    op.create_index("event_owner", "event", ["domain", "account", "seq"])
    op.add_column("source", sa.Column("account", sa.Text, nullable=True))
    op.create_table(
        "domain",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "account",
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
    )
    _users()


def _users() -> None:
    texts = ("role", "domain", "state")
    numbers = ("failures", "locked_until_ns", "created_ns", "updated_ns")
    op.create_table(
        "api_user",
        sa.Column("name", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("account", sa.Text, nullable=True),
        sa.Column("password", sa.Text, nullable=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in numbers),
    )
    op.create_index("api_user_domain", "api_user", ["domain"])
    op.create_table(
        "api_token",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("owner", "name", "kind")),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("actions", sa.Text, nullable=True),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("expires_ns", sa.BigInteger, nullable=True),
        sa.Column("used_ns", sa.BigInteger, nullable=True),
    )
    op.create_index("api_token_owner", "api_token", ["owner"])
