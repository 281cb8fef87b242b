# SPDX-License-Identifier: GPL-3.0-or-later
"""The event log: payloads, events, quarantine, cursors, leases, lanes, sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, primary_key=primary_key)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _seq(name: str = "seq") -> sa.Column[int]:
    return sa.Column(name, SEQ, primary_key=True)


def _key() -> sa.Column[str]:
    return _text("name", primary_key=True)


def _body() -> sa.Column[bytes]:
    return sa.Column("body", sa.LargeBinary, nullable=False)


def _arrival() -> list[sa.Column[str] | sa.Column[int]]:
    texts = ("source", "address", "peer", "credential", "content_type")
    return [_seq(), _text("journal_id"), _number("journal_seq"), _number("received_ns"), *map(_text, texts)]


def upgrade() -> None:
    """Make all tables."""
    _payloads()
    _events()
    _lanes()
    _sources()


def _payloads() -> None:
    op.create_table(
        "payload",
        *_arrival(),
        _text("origin"),
        _body(),
        sa.UniqueConstraint("journal_id", "journal_seq", name="payload_journal"),
        sqlite_autoincrement=True,
    )
    op.create_index("payload_address", "payload", ["address", "seq"])
    op.create_table(
        "quarantine",
        *_arrival(),
        _text("reason"),
        _body(),
        sa.UniqueConstraint("journal_id", "journal_seq", name="quarantine_journal"),
        sqlite_autoincrement=True,
    )


def _events() -> None:
    required = ("source", "address", "origin", "category", "type", "level", "state", "message_args", "record")
    optional = (
        "resource_type",
        "resource_id",
        "message",
        "message_id",
        "severity",
        "event_id",
        "context",
        "time",
        "start_id",
    )
    op.create_table(
        "event",
        _seq(),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *(_text(name) for name in required),
        *(_text(name, nullable=True) for name in optional),
        _number("received_ns"),
        sa.Column("payload_id", SEQ, sa.ForeignKey("payload.seq"), nullable=False),
        sqlite_autoincrement=True,
    )
    for name in ("source", "type", "category", "level", "origin"):
        op.create_index(f"event_{name}", "event", [name, "seq"])
    op.create_index("event_received", "event", ["received_ns"])
    op.create_index("event_payload", "event", ["payload_id"])


def _lanes() -> None:
    op.create_table("counter", _key(), _number("value"))
    op.create_table("cursor", _key(), _number("position"), _number("updated_ns"))
    op.create_table("lease", _key(), _text("holder"), _number("fence"), _number("expires_ns"))
    op.create_table("lane", _key(), _text("unit"), _text("state"), _text("reason"), _number("since_ns"))
    op.create_table("heartbeat", _key(), _number("beat_ns"))
    op.create_table(
        "rejected",
        _seq(),
        _text("sink"),
        _text("unit"),
        _number("unit_seq"),
        _text("reason"),
        _number("rejected_ns"),
        sa.UniqueConstraint("sink", "unit_seq", name="rejected_unit"),
        sqlite_autoincrement=True,
    )


def _sources() -> None:
    optional = ("address", "uuid", "serial", "model", "firmware", "manufacturer", "domain")
    op.create_table(
        "source",
        _text("name", primary_key=True),
        *(_text(name, nullable=True) for name in optional),
        _text("labels"),
        _text("state"),
        sa.Column("response_status", sa.Integer, nullable=True),
        _number("created_ns"),
        _number("updated_ns"),
    )
    op.create_table(
        "activity",
        _text("source", primary_key=True),
        _text("address"),
        _number("last_seen_ns"),
        _number("payloads"),
        _number("events"),
        _number("quarantined"),
    )
    op.create_index("activity_last_seen", "activity", ["last_seen_ns"])
