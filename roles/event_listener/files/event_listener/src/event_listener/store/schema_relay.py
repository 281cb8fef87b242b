# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the relays are, and what they are busy with."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from event_listener.store.schema_base import Seq, metadata, number, text

counter = Table("counter", metadata, Column("name", Text, primary_key=True), number("value"))

cursor = Table("cursor", metadata, Column("name", Text, primary_key=True), number("position"), number("updated_ns"))

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    text("holder"),
    number("fence"),
    number("expires_ns"),
)

lane = Table(
    "lane",
    metadata,
    Column("name", Text, primary_key=True),
    text("unit"),
    text("state"),
    text("reason"),
    number("since_ns"),
)

rejected = Table(
    "rejected",
    metadata,
    Column("seq", Seq, primary_key=True),
    text("sink"),
    text("unit"),
    number("unit_seq"),
    text("reason"),
    number("rejected_ns"),
    Unique("sink", "unit_seq", name="rejected_unit"),
    sqlite_autoincrement=True,
)

heartbeat = Table("heartbeat", metadata, Column("name", Text, primary_key=True), number("beat_ns"))

scan = Table(
    "scan",
    metadata,
    Column("id", Text, primary_key=True),
    text("sink"),
    text("state"),  # scheduled, launching, running, completed, failed, dry_run
    text("addresses"),  # a JSON array
    text("causes"),  # a JSON array, as scans/addresses.py describes them
    text("reference"),
    text("error"),
    text("domain"),
    text("account", nullable=True),
    Column("attempts", Integer, nullable=False),
    number("created_ns"),
    number("asked_ns"),  # when it was launched, or tried to be, the last time
    number("next_ns"),  # when it is looked at again
    number("ended_ns"),
    Index("scan_state", "sink", "state", "created_ns"),
)

scan_sink = Table(
    "scan_sink",
    metadata,
    Column("sink", Text, primary_key=True),
    number("through"),  # the last event whose scans are in the table scan
    number("pause_ns"),  # until then the scanner wants to be left alone
    text("why"),
)

cloud_object = Table(
    "cloud_object",
    metadata,
    Column("source", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    text("body"),  # JSON
    number("seen_ns"),
)
