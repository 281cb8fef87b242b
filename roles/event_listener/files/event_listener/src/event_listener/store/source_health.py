# SPDX-License-Identifier: GPL-3.0-or-later
"""What was judged of the sources, and the events that tell of it: both are stored, or neither."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from event_listener.event import Category, Level
from event_listener.registry import Source, owner_of
from event_listener.source_health import Health, Replacement
from event_listener.store import schema
from event_listener.store.backend import Backend
from event_listener.store.log import Arrival, insert_new
from event_listener.store.own import own_arrival


class SourceHealth:
    """For many processes: each transition is told once, whoever sees it first."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def all(self) -> dict[str, Health]:
        """What was judged, by source."""
        with self._backend.read() as connection:
            return _all(connection)

    def change(self, judged: Sequence[tuple[Source, Health]]) -> list[Health]:
        """Store what was judged, and tell of transitions; returns those that are news to everybody."""
        with self._backend.write() as connection:
            before = _all(connection)
            fresh = [
                (source, after)
                for source, after in judged
                if source.name not in before or _follows(after, before[source.name])
            ]
            told = [
                (source, after)
                for source, after in fresh
                if after.changes > (before[source.name].changes if source.name in before else 0)
            ]
            rows = [
                {
                    "source": after.source,
                    "silent": int(after.silent),
                    "since_ns": after.since_ns,
                    "longest_ms": round(after.longest * 1000),
                    "changes": after.changes,
                }
                for _source, after in fresh
            ]
            self._backend.upsert(connection, schema.source_health, rows, add=())
            insert_new(connection, [_transition(source, after) for source, after in told])
        return [after for _source, after in told]

    def forget(self, names: Sequence[str]) -> None:
        """Of these nothing is expected any more."""
        table = schema.source_health
        with self._backend.write() as connection:
            connection.execute(delete(table).where(table.c.source.in_(names)))


def _all(connection: Connection) -> dict[str, Health]:
    return {
        row.source: Health(row.source, bool(row.silent), row.since_ns, row.longest_ms / 1000, row.changes)
        for row in connection.execute(select(schema.source_health))
    }


def _follows(after: Health, before: Health) -> bool:
    """Whether it was judged by what is known now, not by what another relay has overtaken."""
    return after.changes > before.changes or (after.changes, after.since_ns) == (before.changes, before.since_ns)


def _transition(source: Source, after: Health) -> Arrival:
    seconds = f"{after.longest:.0f}"
    if after.silent:
        key, level, text = "SourceSilent", Level.WARN, f"{source.name} wasn't heard for more than {seconds} s."
    else:
        key, level, text = "SourceBack", Level.INFO, f"{source.name} was heard again."
    return own_arrival(
        key,
        text,
        unique=f"health:{source.name}:{after.changes}:{after.since_ns}",
        now_ns=after.since_ns,
        about=source.name,
        owner=owner_of(source),
        level=level,
        category=Category.ALERT if after.silent else Category.RESOURCE_STATE,
        arguments=[source.name, seconds],
    )


def tell_replaced(connection: Connection, found: Sequence[Replacement], now_ns: int) -> None:
    """Tell of other boards and reused addresses, in the transaction that registers them."""
    insert_new(connection, [_replaced(one, now_ns) for one in found])


def _replaced(one: Replacement, now_ns: int) -> Arrival:
    name = one.source.name
    if one.what == "address":
        text = f"The address {one.source.address} of {name} is that of {one.after} now."
    else:
        text = f"{name} is another board: its {one.what} was {one.before} and is {one.after}."
    return own_arrival(
        "SourceReplaced",
        text,
        unique=f"replaced:{name}:{one.what}:{one.after}:{now_ns}",
        now_ns=now_ns,
        about=name,
        owner=owner_of(one.source),
        level=Level.WARN,
        arguments=[name, one.what, one.before, one.after],
    )
