# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from event_listener.store.schema_base import metadata, number, text

domain = Table("domain", metadata, Column("path", Text, primary_key=True), number("created_ns"))

account = Table(
    "account",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    number("created_ns"),
)

api_user = Table(
    "api_user",
    metadata,
    Column("name", Text, primary_key=True),
    text("role"),
    text("domain"),
    text("account", nullable=True),
    text("password", nullable=True),  # argon2id; none: only tokens
    text("state"),
    number("failures"),  # wrong passwords since the last right one
    number("locked_until_ns"),
    number("created_ns"),
    number("updated_ns"),
    Index("api_user_domain", "domain"),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", Text, primary_key=True),
    text("owner"),
    text("name"),
    text("kind"),  # token, session
    Column("digest", Text, nullable=False, unique=True),  # SHA-256: the token itself is 256 random bits
    text("actions", nullable=True),  # a JSON array; null: all that the user may
    number("created_ns"),
    number("expires_ns", nullable=True),
    number("used_ns", nullable=True),
    Index("api_token_owner", "owner"),
)
