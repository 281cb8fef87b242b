# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered sources, and what each sender did so far."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, select

from event_listener.registry import Source, SourceChange, SourcePlan, plan
from event_listener.source_health import replacements
from event_listener.store import schema
from event_listener.store.actions import Actor
from event_listener.store.backend import Backend
from event_listener.store.source_actions import tell_changes, tell_gone
from event_listener.store.source_health import tell_replaced
from event_listener.store.source_owners import ensure_owners

_JSON = ("labels", "path_secrets")
VERSION = "registry"  # the counter that every change of the registry raises


class Activity(msgspec.Struct, frozen=True):
    """What a sender did: also those that aren't registered."""

    source: str
    address: str
    last_seen_ns: int
    payloads: int
    events: int
    quarantined: int


class Sources:
    """The registry in the store."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def list(self) -> list[Source]:
        """All registered sources by name."""
        with self._backend.read() as connection:
            return list(all_sources(connection).values())

    def registered(self) -> dict[str, int]:
        """When each source was registered, ns; without the retired ones."""
        table = schema.source.c
        with self._backend.read() as connection:
            found = connection.execute(select(table.name, table.created_ns).where(table.state != "retired"))
            return {row.name: row.created_ns for row in found}

    def get(self, name: str) -> Source | None:
        """One registered source."""
        with self._backend.read() as connection:
            row = connection.execute(select(schema.source).where(schema.source.c.name == name)).one_or_none()
        return _source_of(row) if row is not None else None

    def upsert(self, changes: Sequence[SourceChange], *, check: bool = False, actor: Actor | None = None) -> SourcePlan:
        """Make the given fields hold; all or nothing. With ``check`` only say what would change.

        With an ``actor``, domains and accounts that they belong to are made, and each change is told as its deed.
        """
        if check:
            with self._backend.read() as connection:
                return plan(all_sources(connection), changes, time.time_ns())
        with self._backend.write() as connection:
            now = time.time_ns()
            existing = all_sources(connection)
            result = plan(existing, changes, now)
            kept = {row.name: row.created_ns for row in connection.execute(_created())}
            columns = [
                {**_columns(item), "created_ns": kept.get(item.name, now), "updated_ns": now} for item in result.write
            ]
            self._backend.upsert(connection, schema.source, columns, add=())
            if result.write:
                self._changed(connection)
                tell_replaced(connection, replacements(existing, result), now)
            if actor is not None:
                ensure_owners(connection, actor, result.write)
                tell_changes(connection, actor, result)
        return result

    def delete(self, name: str, actor: Actor | None = None) -> bool:
        """Forget a registration; its events stay. Returns whether there was one."""
        table = schema.source
        with self._backend.write() as connection:
            row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
            if row is None:
                return False
            connection.execute(delete(table).where(table.c.name == name))
            self._changed(connection)
            connection.execute(delete(schema.source_health).where(schema.source_health.c.source == name))
            if actor is not None:
                tell_gone(connection, actor, _source_of(row))
        return True

    def version(self) -> int:
        """Rises with every change of the registry."""
        table = schema.counter.c
        with self._backend.read() as connection:
            return int(connection.execute(select(table.value).where(table.name == VERSION)).scalar() or 0)

    def _changed(self, connection: Connection) -> None:
        self._backend.upsert(connection, schema.counter, [{"name": VERSION, "value": 1}], add=("value",))

    def activity(self, limit: int | None = None) -> dict[str, Activity]:
        """What each sender did, those heard last first."""
        table = schema.activity
        statement = select(table).order_by(table.c.last_seen_ns.desc()).limit(limit)
        with self._backend.read() as connection:
            return {row.source: Activity(**row._mapping) for row in connection.execute(statement)}

    def activity_of(self, name: str) -> Activity | None:
        """What one sender did."""
        table = schema.activity
        with self._backend.read() as connection:
            row = connection.execute(select(table).where(table.c.source == name)).one_or_none()
        return Activity(**row._mapping) if row is not None else None

    def credential_uses(self, name: str | None = None) -> dict[str, dict[str, int]]:
        """When each sender last showed each credential: ``{source: {credential: ns}}``; of one sender, or of all."""
        table = schema.credential_use
        statement = select(table) if name is None else select(table).where(table.c.source == name)
        found: dict[str, dict[str, int]] = {}
        with self._backend.read() as connection:
            for row in connection.execute(statement):
                found.setdefault(row.source, {})[row.credential] = row.last_used_ns
        return found


def _created() -> Any:
    return select(schema.source.c.name, schema.source.c.created_ns)


def all_sources(connection: Connection) -> dict[str, Source]:
    """All registered sources by name."""
    found = connection.execute(select(schema.source).order_by(schema.source.c.name))
    return {row.name: _source_of(row) for row in found}


def _source_of(row: Row[Any]) -> Source:
    fields = {name: row._mapping[name] for name in Source.__struct_fields__}
    return msgspec.convert({**fields, **{name: json.loads(fields[name]) for name in _JSON}}, Source)


def _columns(source: Source) -> dict[str, Any]:
    plain = msgspec.to_builtins(source)
    return {**plain, **{name: json.dumps(plain[name], sort_keys=True) for name in _JSON}}
