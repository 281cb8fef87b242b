# SPDX-License-Identifier: GPL-3.0-or-later
"""What sites forward comes at least once: what the event log has already is left out, by its id and source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, select

from event_listener.store import schema

if TYPE_CHECKING:
    from event_listener.store.log import Arrival

_IDS = 5000  # per statement: SQLite takes 32,766 parameters


def lacking(connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """The arrivals without forwarded events that are stored already; one of which nothing is left goes, too.

    An id that another source has is a site's mistake: its POST is kept in quarantine, and the rest of it stored.
    Call it in the write transaction that stores them.
    """
    ids = [given.id for arrival in arrivals for given in arrival.given]
    if not ids:
        return list(arrivals)
    known = _sources(connection, ids)
    return [part for arrival in arrivals for part in (_parts(arrival, known) if arrival.given else [arrival])]


def _sources(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    event, found = schema.event.c, {}
    for start in range(0, len(ids), _IDS):
        statement = select(event.id, event.source).where(event.id.in_(ids[start : start + _IDS]))
        found.update({row.id: row.source for row in connection.execute(statement)})
    return found


def _parts(arrival: Arrival, known: dict[str, str]) -> list[Arrival]:
    """What is new of an arrival, and what can't be. ``known``: sources by id; it learns the new ones."""
    new, wrong = [], ""
    for index, given in enumerate(arrival.given):
        source = known.get(given.id)
        if source is None:
            known[given.id] = given.source
            new.append(index)
        elif source != given.source:
            wrong = f"{given.site} forwards event {given.id} of {given.source}, but that is an event of {source}"
    parts = []
    if new:
        records, identities = [arrival.records[index] for index in new], [arrival.given[index] for index in new]
        parts.append(msgspec.structs.replace(arrival, records=tuple(records), given=tuple(identities)))
    if wrong:
        parts.append(msgspec.structs.replace(arrival, records=(), given=(), problem=wrong))
    return parts
