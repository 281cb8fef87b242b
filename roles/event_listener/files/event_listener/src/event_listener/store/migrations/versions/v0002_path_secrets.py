# SPDX-License-Identifier: GPL-3.0-or-later
"""Path secrets of sources, as JSON. The default lets the version before write sources meanwhile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("source", sa.Column("path_secrets", sa.Text, nullable=False, server_default="[]"))
