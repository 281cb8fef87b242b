# SPDX-License-Identifier: GPL-3.0-or-later
"""The site that forwarded an event to a central listener. Only adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_0002"
down_revision = "0008_0002"


def upgrade() -> None:
    """Add the column."""
    op.add_column("event", sa.Column("site", sa.Text, nullable=True))
