# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events are archived or deleted: a row of twelve bytes beside the event, so that a million are marked at once.

What is deleted is hidden from that moment on, and removed later, in batches (store/purge.py). ADR 20.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, exists, not_, or_, select

from event_listener.store import schema
from event_listener.store.question import Archived

ARCHIVED, DELETED = 1, 2
_IDS = 5000  # per statement: SQLite takes 32,766 parameters
_MARK = schema.event_mark.c


def is_archived(seq: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the event with this ``seq`` is archived."""
    return exists().where(_MARK.event_seq == seq, _MARK.kind == ARCHIVED)


def is_unmarked(seq: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the event with this ``seq`` is neither archived nor deleted."""
    return not_(exists().where(_MARK.event_seq == seq))


def wanted(archived: Archived, seq: ColumnElement[int]) -> ColumnElement[bool]:
    """The condition that a question for such events has; never those that are deleted."""
    if archived == "only":
        return is_archived(seq)
    if archived == "no":
        return is_unmarked(seq)
    return not_(exists().where(_MARK.event_seq == seq, _MARK.kind == DELETED))


def unread(connection: Connection, seq: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """The condition that a reader of the log has: without events that are deleted, while there are such."""
    return [not_(exists().where(_MARK.event_seq == seq, _MARK.kind == DELETED))] if _some_deleted(connection) else []


def unread_payload(connection: Connection, seq: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """The same of payloads: without those whose events are all deleted; one that told of no event is read."""
    if not _some_deleted(connection):
        return []
    its = schema.event.c.payload_id == seq
    gone = exists().where(_MARK.event_seq == schema.event.c.seq, _MARK.kind == DELETED)
    return [or_(not_(exists().where(its)), exists().where(and_(its, not_(gone))))]


def deleted_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of these events are deleted."""
    if not ids or not _some_deleted(connection):
        return set()
    event = schema.event.c
    found: set[str] = set()
    for start in range(0, len(ids), _IDS):
        chosen = event.id.in_(ids[start : start + _IDS]), _MARK.event_seq == event.seq, _MARK.kind == DELETED
        found.update(connection.execute(select(event.id).where(*chosen)).scalars())
    return found


def _some_deleted(connection: Connection) -> bool:
    """Whether anything waits to be removed: mostly nothing does, and readers needn't look at each event."""
    return connection.execute(select(_MARK.event_seq).where(_MARK.kind == DELETED).limit(1)).first() is not None
