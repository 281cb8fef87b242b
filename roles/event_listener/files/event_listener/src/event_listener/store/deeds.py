# SPDX-License-Identifier: GPL-3.0-or-later
"""Archiving and deleting events: all that a query means, or nothing, in one transaction with the ActionEvent of it."""

from __future__ import annotations

import enum

import msgspec
from sqlalchemy import Connection, literal, select

from event_listener.policy import Owner
from event_listener.store import marks, schema
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import Backend, StoreUnavailableError
from event_listener.store.deliveries import forget_deleted
from event_listener.store.log import now_ns
from event_listener.store.question import Query
from event_listener.store.selection import Selection

_MARK = schema.event_mark


class Deed(enum.StrEnum):
    """What can be done with events."""

    ARCHIVE = "archive"
    DELETE = "delete"


class NotThereError(LookupError):
    """Some of the events that were named aren't there, for who asks; nothing was changed. The text names them."""


class TooMuchError(ValueError):
    """The query can't be meant so: what has no condition would be everything, what is archived stays archived."""


class Deeds:
    """For many processes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def do(self, deed: Deed, query: Query, actor: Actor, owner: Owner, *, dry_run: bool = False) -> int:
        """Archive or delete what the query finds; returns how many events that changed, or would with ``dry_run``.

        ``owner``: whose the ActionEvent is. Events that are archived already stay so and count for nothing.
        Raises NotThereError, TooMuchError, StoreUnavailableError.
        """
        if not query.names_some():
            raise TooMuchError(f"nothing says which events to {deed}; give ids, a type, a time or another condition")
        if deed is Deed.ARCHIVE and query.archived == "only":
            raise TooMuchError("what is archived can't be archived again; leave archived out, nothing was changed")
        query = msgspec.structs.replace(query, after=0, before=None, order="desc")
        if dry_run:
            with self._backend.read() as connection:
                _all_there(connection, query)
                return sum(Selection(connection, part).count() for part in _parts(deed, query))
        with self._backend.write() as connection:
            _all_there(connection, query)
            count = self._mark(connection, deed, query)
            if count and deed is Deed.DELETE:
                forget_deleted(connection)
            if count:
                name = query.id[0] if len(query.id) == 1 else f"{count} events"
                details = {"count": count, "query": _shown(query)}
                record(connection, told(actor, f"EVENT.{deed.upper()}", ("Event", name), owner, details=details))
        return count

    def _mark(self, connection: Connection, deed: Deed, query: Query) -> int:
        count = 0
        for part in _parts(deed, query):
            selection = Selection(connection, part)
            if selection.is_behind():
                raise StoreUnavailableError("the event log is still being indexed after an upgrade; try again later")
            recent = selection.unindexed()
            chosen = selection.all().subquery()
            kind, moment = marks.ARCHIVED if deed is Deed.ARCHIVE else marks.DELETED, now_ns()
            if part.archived == "only":
                held = _MARK.c.event_seq.in_(select(chosen.c.seq)) | _MARK.c.event_seq.in_(recent)
                changed = connection.execute(_MARK.update().where(held).values(kind=kind, at_ns=moment))
                count += changed.rowcount
                continue
            columns = select(chosen.c.seq, literal(kind), literal(moment))
            insert = _MARK.insert().from_select(["event_seq", "kind", "at_ns"], columns)
            count += connection.execute(insert, execution_options={"preserve_rowcount": True}).rowcount
            if recent:
                rows = [{"event_seq": seq, "kind": kind, "at_ns": moment} for seq in recent]
                connection.execute(_MARK.insert(), rows)
                count += len(recent)
        return count


def _parts(deed: Deed, query: Query) -> list[Query]:
    """The query by itself for events that have a mark already, and for those that have none."""
    both = ("no", "only") if query.archived == "all" else (query.archived,)
    kinds = ("no",) if deed is Deed.ARCHIVE else both
    return [msgspec.structs.replace(query, archived=kind) for kind in kinds]


def _all_there(connection: Connection, query: Query) -> None:
    """Raises NotThereError where one of the ids isn't."""
    if not query.id:
        return
    asked = msgspec.structs.replace(Query(), id=query.id, scope=query.scope, archived=query.archived)
    chosen = Selection(connection, asked).all().subquery()
    event = schema.event.c
    found = set(connection.execute(select(event.id).where(event.seq.in_(select(chosen.c.seq)))).scalars())
    if missing := [one for one in query.id if one not in found]:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise NotThereError(f"there is no event {', '.join(missing[:10])}{more}; nothing was changed")


def _shown(query: Query) -> dict[str, object]:
    """What was asked for, without who asks; of many ids how many."""
    default = Query()
    shown = {
        name: value
        for name, value in msgspec.structs.asdict(query).items()
        if name not in ("scope", "limit", "order") and value != getattr(default, name)
    }
    if len(ids := shown.get("id", ())) > 100:
        shown["id"] = f"{len(ids)} ids"
    return shown
