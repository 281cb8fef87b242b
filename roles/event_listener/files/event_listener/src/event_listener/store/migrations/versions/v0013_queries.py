# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes for questions, the words of events, and which are archived or deleted. The relay fills them meanwhile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_0002"
down_revision = "0012_0002"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add indexes and tables."""
    op.create_index("event_domain", "event", ["domain", "seq"])
    _some("event_resource", "resource_id", "resource_id IS NOT NULL")
    _some("event_start", "start_id", "start_id IS NOT NULL")
    _some("event_state", "state", "state <> 'Completed'")
    op.create_table(
        "event_mark",
        sa.Column("event_seq", SEQ, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("event_mark_kind", "event_mark", ["kind", "event_seq"])
    op.create_table(
        "period",
        sa.Column("block", SEQ, primary_key=True, autoincrement=False),
        sa.Column("low_ns", sa.BigInteger, nullable=False),
        sa.Column("high_ns", sa.BigInteger, nullable=False),
    )
    _words()


def _some(name: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "event", [column, "seq"], sqlite_where=where, postgresql_where=where)


def _words() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # The words come ready (words.py): letters and digits between spaces, in lower case. Neither the texts nor
        # where in them a word stands is kept.
        op.execute(
            "CREATE VIRTUAL TABLE event_words USING fts5"
            "(words, content='', columnsize=0, detail=none, tokenize='ascii')"
        )
    else:
        op.execute("CREATE TABLE event_words (seq bigint PRIMARY KEY, words tsvector NOT NULL)")
        op.execute("CREATE INDEX event_words_words ON event_words USING gin (words)")
