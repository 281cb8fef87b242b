# SPDX-License-Identifier: GPL-3.0-or-later
"""What was given up: an event that says how many and why, and a counter; both with what they tell of, or neither."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, select

from event_listener.event import Category, Level, rfc3339
from event_listener.store import schema
from event_listener.store.backend import Backend
from event_listener.store.log import insert_new, now_ns
from event_listener.store.own import own_arrival

_COUNT = "given_up:"
# By what was given up: the event's name and its sentence.
_TEXTS: Mapping[str, tuple[str, str]] = {
    "refused": (
        "EventsRefused",
        "{count} payloads were answered 503 from {first} to {last}; BMCs send them again, or drop them.",
    ),
    "events": (
        "EventsGivenUp",
        "{count} events (about {size} bytes with what belongs to them), received from {first} to {last}, were removed.",
    ),
    "quarantine": (
        "QuarantineGivenUp",
        "{count} payloads in quarantine ({size} bytes), received from {first} to {last}, were removed.",
    ),
    "rejected": (
        "RejectionsGivenUp",
        "{count} notes of what a sink refused, made from {first} to {last}, were removed.",
    ),
    "text_log": (
        "FilesGivenUp",
        "{count} text logs ({size} bytes), set aside from {first} to {last}, were removed.",
    ),
    "json_lines": (
        "FilesGivenUp",
        "{count} files of JSON lines ({size} bytes), set aside from {first} to {last}, were removed.",
    ),
}


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """``count`` of ``what`` (see ``_TEXTS``), ``size`` bytes, between two moments (ns). ``unique`` is its name."""

    what: str
    count: int
    first_ns: int
    last_ns: int
    reason: str
    unique: str
    size: int = 0


def tell(backend: Backend, connection: Connection, loss: Loss) -> bool:
    """Store the event and count; returns whether it is news. Call it in a write transaction."""
    key, sentence = _TEXTS[loss.what]
    first, last = rfc3339(loss.first_ns), rfc3339(loss.last_ns)
    text = sentence.format(count=loss.count, size=loss.size, first=first, last=last)
    told = own_arrival(
        key,
        f"{text} Reason: {loss.reason}",
        unique=f"given up:{loss.what}:{loss.unique}",
        now_ns=now_ns(),
        level=Level.WARN,
        category=Category.ALERT,
        arguments=[str(loss.count), first, last, loss.reason],
        details={"what": loss.what, "count": loss.count, "bytes": loss.size, "first": first, "last": last},
    )
    if not insert_new(connection, [told]).payloads:
        return False
    backend.upsert(connection, schema.counter, [{"name": f"{_COUNT}{loss.what}", "value": loss.count}], add=("value",))
    return True


class GivenUp:
    """What was given up so far, by all hosts of an event log."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def tell(self, loss: Loss) -> bool:
        """Tell of what is gone already; again does no harm. Raises StoreUnavailableError."""
        with self._backend.write() as connection:
            return tell(self._backend, connection, loss)

    def counts(self) -> dict[str, int]:
        """How many, by what."""
        table = schema.counter
        with self._backend.read() as connection:
            found = connection.execute(select(table).where(table.c.name.startswith(_COUNT, autoescape=True)))
            return {row.name.removeprefix(_COUNT): int(row.value) for row in found}
