# SPDX-License-Identifier: GPL-3.0-or-later
"""Sinks that have failed for too long, and those that work again: each told once, whichever relay looks first."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from event_listener.event import Category, Level
from event_listener.store import schema
from event_listener.store.backend import Backend
from event_listener.store.log import Arrival, insert_new
from event_listener.store.own import own_arrival

_TABLE = schema.condition
_FAILS = "retrying"  # the state of a lane (lanes.py)


class Conditions:
    """What was told of sinks."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def judge_sinks(self, now: int, fails_after: float) -> list[str]:
        """Tell what is news; returns the sinks that fail, as far as nobody knew. Raises StoreUnavailableError."""
        with self._backend.read() as connection:
            if _failing(connection, now, fails_after).keys() == _told(connection):
                return []
        with self._backend.write() as connection:
            failing, told = _failing(connection, now, fails_after), _told(connection)
            news, over = sorted(failing.keys() - told), sorted(told - failing.keys())
            for name in news:
                since, reason = failing[name]
                connection.execute(_TABLE.insert().values(name=name, since_ns=since, reason=reason))
            connection.execute(delete(_TABLE).where(_TABLE.c.name.in_(over)))
            insert_new(connection, [_fails(name, *failing[name], now) for name in news])
            insert_new(connection, [_works(name, now) for name in over])
        return news


def _failing(connection: Connection, now: int, fails_after: float) -> dict[str, tuple[int, str]]:
    lane = schema.lane.c
    long = lane.state == _FAILS, lane.since_ns < now - int(fails_after * 1e9)
    found = connection.execute(select(lane.name, lane.since_ns, lane.reason).where(*long))
    return {row.name: (row.since_ns, row.reason) for row in found} if fails_after else {}


def _told(connection: Connection) -> set[str]:
    return set(connection.execute(select(_TABLE.c.name)).scalars())


def _fails(name: str, since_ns: int, reason: str, now: int) -> Arrival:
    seconds = f"{(now - since_ns) / 1e9:.0f}"
    text = f"The sink {name} has failed for {seconds} s: {reason}"
    return _event("SinkFails", text, name, now, Level.ERROR, [name, seconds, reason])


def _works(name: str, now: int) -> Arrival:
    return _event("SinkWorks", f"The sink {name} works, or isn't configured any more.", name, now, Level.INFO, [name])


def _event(key: str, text: str, name: str, now: int, level: Level, arguments: list[str]) -> Arrival:
    return own_arrival(
        key,
        text,
        unique=f"sink:{name}:{key}:{now}",
        now_ns=now,
        level=level,
        category=Category.ALERT,
        arguments=arguments,
        resource=("Sink", name),
    )
