# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers what a sink gets at once: so many units, or what arrived while the first of them waited so long. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from event_listener.sinks.base import Unit


class Collector:
    """``batch`` is what was gathered, ``through`` the log's unit that it reaches to, ``due`` whether it is to be sent.

    ``read(after, limit)`` reads the log, ``choose`` leaves out what the sink doesn't get. With an ``interval`` of 0
    seconds whatever there is is due at once.
    """

    def __init__(
        self,
        read: Callable[[int, int], Sequence[Unit]],
        choose: Callable[[Sequence[Unit]], Sequence[Unit]],
        size: int,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._choose, self._size, self._interval, self._clock = read, choose, size, interval, clock
        self._position = -1
        self._since = self._waited = 0.0
        self.batch: list[Unit] = []
        self.through = 0
        self.due = self.more = False

    def gather(self, position: int) -> None:
        """Read on. What was due and not confirmed stays as it is; another ``position`` begins anew."""
        if position != self._position:
            # Only the beginning was taken: the rest has waited long enough.
            self._waited = self._interval if self._position < position < self.through else 0.0
            self._position = self.through = position
            self.batch, self.due = [], False
        if self.due:
            return
        wanted = self._size - len(self.batch)
        units = self._read(self.through, wanted)
        self.more = len(units) == wanted
        if units:
            self.through = units[-1].seq
            if not self.batch:
                self._since = self._clock() - self._waited
            self.batch += self._choose(units)
        full = len(self.batch) >= self._size
        self.due = self.through > position and (not self.batch or full or self.wait() <= 0)

    def afresh(self) -> None:
        """Read once more what was due, without waiting again: some of it may have been deleted meanwhile."""
        self._position = -1

    def again(self) -> None:
        """Read anew the next time: the lane was somewhere else meanwhile."""
        self._position, self.through = -1, 0

    def wait(self) -> float:
        """Seconds until what is gathered becomes due by itself."""
        return self._since + self._interval - self._clock()
