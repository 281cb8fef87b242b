# SPDX-License-Identifier: GPL-3.0-or-later
"""A share of memory for each body that is being read: many large ones at once must not end the worker."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator

from gevent.event import Event

# What is this small needs no share, and never waits for BMCs that send their whole logs.
SMALL = 65536


class NoRoomError(Exception):
    """Other bodies hold the memory."""


class BodyMemory:
    """Of one worker: `limit` bytes for large bodies, given in the order of asking. One alone always fits."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._waiting: deque[tuple[int, Event]] = deque()

    @property
    def used(self) -> int:
        """Bytes that large bodies hold now."""
        return self._used

    @contextlib.contextmanager
    def share(self, size: int, seconds: float) -> Iterator[None]:
        """Hold `size` bytes; waits up to `seconds` for them. Raises NoRoomError."""
        self._wait(size, seconds)
        try:
            yield
        finally:
            self._used -= size
            self._admit()

    def _wait(self, size: int, seconds: float) -> None:
        turn = Event()
        self._waiting.append((size, turn))
        try:
            self._admit()
            turn.wait(seconds)
        except BaseException:  # a time-out of the caller, or the end of this greenlet
            self._give_up(size, turn)
            raise
        if not turn.is_set():
            self._give_up(size, turn)
            raise NoRoomError

    def _give_up(self, size: int, turn: Event) -> None:
        if turn.is_set():
            self._used -= size
        else:
            self._waiting.remove((size, turn))
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if self._used and self._used + size > self._limit:
                return
            self._waiting.popleft()
            self._used += size
            turn.set()
