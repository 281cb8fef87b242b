# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events are archived or deleted: a row of twelve bytes beside the event, so that a million are marked at once.

What is deleted is hidden from that moment on, and removed later, in batches (store/purge.py). ADR 20.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, not_

from event_listener.store import schema
from event_listener.store.question import Archived

ARCHIVED, DELETED = 1, 2
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
