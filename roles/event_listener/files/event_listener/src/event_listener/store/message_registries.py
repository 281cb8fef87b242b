# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of message registries: each content once, and which makes of BMCs it was read from. Bounded in size.

When it is full, room is made by what no registered source's make has any more, the oldest first. What somebody imported
goes last of these.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, select

from event_listener.event import rfc3339
from event_listener.message_registry import Message, MessageRegistry
from event_listener.policy import Owner
from event_listener.registry_catalogue import Cached, Catalogue
from event_listener.store import schema
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import Backend
from event_listener.store.log import Arrival
from event_listener.store.sources import all_sources

VERSION = "message_registries"  # the counter that every change raises
IMPORTED = "import"
_KIND = "MessageRegistry"


class RegistriesFullError(Exception):
    """The cache has no room; the text says what to do."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A cached registry without its messages, and the makes that it was read from."""

    digest: str
    registry: str
    version: str
    language: str
    owner: str
    origin: str
    messages: int
    size: int
    created_ns: int
    makes: list[str] = []

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        fields: dict[str, Any] = msgspec.structs.asdict(self)
        return {**fields, "created": rfc3339(fields.pop("created_ns"))}


class Stored(msgspec.Struct, frozen=True):
    """What was added, and what was there already: digests. ``removed`` made room; ``changed``: something was noted."""

    added: list[str]
    known: list[str]
    removed: list[str]
    changed: bool


class MessageRegistries:
    """For many processes; changes take turns."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def list(self) -> list[Listed]:
        """All, by name and version."""
        with self._backend.read() as connection:
            return _listed(connection)

    def get(self, digest: str) -> MessageRegistry | None:
        """One with its messages."""
        table = schema.message_registry
        with self._backend.read() as connection:
            row = connection.execute(select(table).where(table.c.digest == digest)).one_or_none()
        if row is None:
            return None
        return MessageRegistry(
            registry=row.registry,
            version=row.version,
            language=row.language,
            owner=row.owner,
            messages=_messages(row.body),
        )

    def catalogue(self) -> Catalogue:
        """As of now; messages are loaded when the first one of their registry is asked for."""
        columns = schema.message_registry.c
        with self._backend.read() as connection:
            found = connection.execute(select(columns.digest, columns.registry, columns.version)).all()
            makes = {name: frozenset(digests) for name, digests in _makes(connection).items()}
        return Catalogue([Cached(row.digest, row.registry, row.version) for row in found], makes, self._load)

    def _load(self, digest: str) -> Mapping[str, Message]:
        table = schema.message_registry.c
        with self._backend.read() as connection:
            body = connection.execute(select(table.body).where(table.digest == digest)).scalar()
        return {} if body is None else _messages(body)  # None: it was removed a moment ago

    def put(
        self,
        registries: Sequence[MessageRegistry],
        *,
        origin: str,
        limit: int,
        make: str | None = None,
        check: bool = False,
        actor: Actor | None = None,
    ) -> Stored:
        """Add what isn't there. With ``make``: these are the own registries of BMCs of that make.

        ``limit`` is the bytes of all. Raises RegistriesFullError, StoreUnavailableError; then nothing is changed.
        """
        wanted = {one.digest: one for one in registries}
        with self._backend.read() if check else self._backend.write() as connection:
            there = {item.digest for item in _listed(connection)}
            added = [digest for digest in wanted if digest not in there]
            known = [digest for digest in wanted if digest in there]
            rows = [_row(digest, wanted[digest], origin) for digest in added]
            used = frozenset(wanted) if make is not None else frozenset()
            removed = _room(connection, sum(row["size"] for row in rows), limit, used)
            noted = make is not None and _makes(connection).get(make) != sorted(wanted)
            changed = bool(added) or noted
            if not check and changed:
                self._write(connection, rows, removed, make, sorted(wanted))
                if actor is not None:
                    names = [f"{wanted[digest].registry}.{wanted[digest].version}" for digest in added]
                    record(connection, _added(actor, names, make, len(removed)))
        return Stored(added, known, removed, changed)

    def _write(
        self, connection: Connection, rows: Sequence[dict[str, Any]], removed: Sequence[str], make: str | None,
        digests: Sequence[str],
    ) -> None:  # fmt: skip
        table = schema.message_registry
        if removed:
            connection.execute(delete(table).where(table.c.digest.in_(removed)))
        if rows:
            connection.execute(table.insert(), rows)
        if make is not None:
            noted = {"name": make, "registries": json.dumps(digests), "read_ns": time.time_ns()}
            self._backend.upsert(connection, schema.make, [noted], add=())
        self._backend.upsert(connection, schema.counter, [{"name": VERSION, "value": 1}], add=("value",))

    def remove(self, registry: str, version: str | None = None, actor: Actor | None = None) -> int:
        """Forget a registry, of one version or all; returns how many. What events hold already stays."""
        table = schema.message_registry
        chosen: list[ColumnElement[bool]] = [table.c.registry == registry]
        if version is not None:
            chosen.append(table.c.version == version)
        with self._backend.write() as connection:
            gone = list(connection.execute(select(table.c.digest).where(*chosen)).scalars())
            if gone:
                connection.execute(delete(table).where(table.c.digest.in_(gone)))
                # A make that lacks one of its own is unknown again, so that it is read again.
                lacking = [name for name, digests in _makes(connection).items() if not set(digests).isdisjoint(gone)]
                connection.execute(delete(schema.make).where(schema.make.c.name.in_(lacking)))
                self._backend.upsert(connection, schema.counter, [{"name": VERSION, "value": 1}], add=("value",))
            if gone and actor is not None:
                name = registry if version is None else f"{registry}.{version}"
                details = {"count": len(gone)}
                record(connection, told(actor, "MESSAGEREGISTRY.DELETE", (_KIND, name), Owner(), details=details))
        return len(gone)

    def unread(self, sources: Iterable[str], *, again: bool = False) -> dict[str, str]:
        """Of these sources one per make that wasn't read yet (``again``: of every make): name to make."""
        asked = set(sources)
        with self._backend.read() as connection:
            read = frozenset() if again else frozenset(_makes(connection))
            found: dict[str, list[str]] = {}
            for source in all_sources(connection).values():
                if source.name in asked and source.state != "retired" and source.make not in read:
                    found.setdefault(source.make, []).append(source.name)
        # Any of them, so that one that is dead isn't asked again and again.
        return {random.choice(names): make for make, names in found.items()}  # noqa: S311 - no secret


def _added(actor: Actor, names: Sequence[str], make: str | None, removed: int) -> Arrival:
    """What a reading or an import changed: registries were added, or it was noted which ones a make has."""
    what = "MESSAGEREGISTRY.CREATE" if names else "MESSAGEREGISTRY.UPDATE"
    name = names[0] if len(names) == 1 else f"{len(names)} registries" if names else f"those of {make}"
    return told(actor, what, (_KIND, name), Owner(), details={"added": names, "make": make, "removed": removed})


def _listed(connection: Connection) -> list[Listed]:
    table = schema.message_registry.c
    columns: list[Any] = [table[name] for name in Listed.__struct_fields__ if name != "makes"]
    of: dict[str, list[str]] = {}
    for name, digests in sorted(_makes(connection).items()):
        for digest in digests:
            of.setdefault(digest, []).append(name)
    rows = connection.execute(select(*columns).order_by(table.registry, table.version, table.created_ns))
    return [Listed(**row._mapping, makes=of.get(row.digest, [])) for row in rows]


def _makes(connection: Connection) -> dict[str, list[str]]:
    return {row.name: json.loads(row.registries) for row in connection.execute(select(schema.make))}


def _messages(body: bytes) -> dict[str, Message]:
    return msgspec.json.decode(zlib.decompress(body), type=dict[str, Message])


def _row(digest: str, registry: MessageRegistry, origin: str) -> dict[str, Any]:
    condensed = msgspec.json.encode(registry.messages)
    return {
        "digest": digest,
        **{name: getattr(registry, name) for name in ("registry", "version", "language", "owner")},
        "origin": origin,
        "messages": len(registry.messages),
        "size": len(condensed),
        "created_ns": time.time_ns(),
        "body": zlib.compress(condensed),
    }


def _room(connection: Connection, size: int, limit: int, used: frozenset[str]) -> list[str]:
    """What has to go so that ``size`` bytes more fit. Raises RegistriesFullError."""
    held = connection.execute(select(func.coalesce(func.sum(schema.message_registry.c.size), 0))).scalar_one()
    over = int(held) + size - limit
    if size == 0 or over <= 0:
        return []
    live = {source.make for source in all_sources(connection).values()}
    spare = [one for one in _listed(connection) if one.digest not in used and live.isdisjoint(one.makes)]
    removed = []
    for one in sorted(spare, key=lambda item: (item.origin == IMPORTED, item.created_ns)):
        if over <= 0:
            break
        removed.append(one.digest)
        over -= one.size
    if over > 0:
        raise RegistriesFullError(
            f"the message registries would be {over} bytes larger than sources.registries_max_bytes ({limit}) allows: "
            "raise it, or remove some (`event-listener registries list`, `remove`)"
        )
    return removed
