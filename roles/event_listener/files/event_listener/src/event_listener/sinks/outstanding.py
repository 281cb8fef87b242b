# SPDX-License-Identifier: GPL-3.0-or-later
"""What a broker was given and has not confirmed yet: a batch that is tried again isn't sent twice for nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from event_listener.sinks.base import Ok, Outcome, Reject, Retry

TAKEN = ""


class Outstanding:
    """Events by id: given, and how that ended. For the thread that gives and the one that hears from the broker."""

    def __init__(self) -> None:
        self._settled = threading.Condition()
        self._ends: dict[str, str | None] = {}  # None: no answer yet; TAKEN; or why it never will be taken
        self._open = 0

    def missing(self, ids: Sequence[str]) -> list[int]:
        """Which of the ids must be given (again), as positions. They count as given from now on."""
        with self._settled:
            found = [index for index, key in enumerate(ids) if key not in self._ends]
            self._ends.update((ids[index], None) for index in found)
            self._open += len(found)
        return found

    def settle(self, ids: Sequence[str], end: str = TAKEN) -> None:
        """The broker answered."""
        with self._settled:
            for key in ids:
                if self._ends.get(key, end) is None:
                    self._open -= 1
                    self._ends[key] = end
            if self._open == 0:
                self._settled.notify_all()

    def settle_all(self) -> list[str]:
        """Everything that was given and has no answer was taken; returns the ids."""
        with self._settled:
            found = [key for key, end in self._ends.items() if end is None]
        self.settle(found)
        return found

    def forget(self, ids: Sequence[str] | None = None) -> None:
        """They (or all without an answer) must be given again."""
        with self._settled:
            for key in [key for key, end in self._ends.items() if end is None] if ids is None else ids:
                if key in self._ends and self._ends.pop(key) is None:
                    self._open -= 1
            self._settled.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until everything is answered or forgotten; whether it is."""
        with self._settled:
            return self._settled.wait_for(lambda: self._open == 0, seconds)

    @property
    def unanswered(self) -> int:
        """How many have no answer yet."""
        return self._open

    def outcome(self, ids: Sequence[str], reason: str, after: float | None = None) -> Outcome:
        """How a batch stands: what was taken from its beginning counts; ``reason`` is for what has no answer."""
        with self._settled:
            for index, key in enumerate(ids):
                end = self._ends.pop(key, None) if self._ends.get(key) is not None else None
                if end is None:
                    return Retry(reason, done=index, after=after)
                if end != TAKEN:
                    return Reject(end, done=index)
        return Ok()
