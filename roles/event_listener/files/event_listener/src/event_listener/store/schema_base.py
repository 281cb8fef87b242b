# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables are made with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text
from sqlalchemy import text as clause

metadata = MetaData()

# SQLite autoincrements only what is spelled INTEGER; it holds 64 bits there.
Seq = BigInteger().with_variant(Integer(), "sqlite")


def text(name: str, *, nullable: bool = False) -> Column[str]:
    """A column of text."""
    return Column(name, Text, nullable=nullable)


def number(name: str, *, nullable: bool = False) -> Column[int]:
    """A column of whole numbers of 64 bits."""
    return Column(name, BigInteger, nullable=nullable)


def only(condition: str) -> dict[str, Any]:
    """An index of the few rows that fulfil a condition."""
    return {"sqlite_where": clause(condition), "postgresql_where": clause(condition)}
