# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal with a bound, for the process that writes it: what it can't take is refused, counted, and told.

Acknowledged payloads are never given up: at the bound new ones are refused, as on a full disk. How many were, since
when and why is noted in the journal with the first payload that it takes again; the relay makes an event of it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from event_listener.journal import Entry, Journal, JournalUnavailableError
from event_listener.reserve import Reserve

REFUSED = "refused:"  # how the keys of such notes begin
LOOK_SECONDS = 0.25


class Refusals(msgspec.Struct, frozen=True):
    """Payloads that were answered 503 between two moments (ns), and the last reason."""

    count: int
    first_ns: int
    last_ns: int
    reason: str


class BoundedJournal:
    """`append` as the journal's own, within `most` bytes (0: no bound), and not from the reserve."""

    def __init__(
        self, journal: Journal, most: int, reserve: Reserve, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal, self._most, self._reserve, self._clock = journal, most, reserve, clock
        self._looked = -LOOK_SECONDS
        self._problem = ""
        self._refused: Refusals | None = None

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """Store `entries`. Raises JournalUnavailableError, JournalBrokenError."""
        with self._counted(len(entries)):
            self._look()
            if self._problem:
                raise JournalUnavailableError(self._problem)
            numbers = self._journal.append(entries, self._note())
        self._refused = None
        return numbers

    @contextlib.contextmanager
    def _counted(self, count: int) -> Iterator[None]:
        try:
            yield
        except JournalUnavailableError as error:
            now, before = time.time_ns(), self._refused
            self._refused = Refusals(
                count + (before.count if before else 0), before.first_ns if before else now, now, str(error)
            )
            raise

    def _note(self) -> tuple[str, str] | None:
        if self._refused is None:
            return None
        return f"{REFUSED}{self._refused.first_ns}", msgspec.json.encode(self._refused).decode()

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        self._problem = self._over() or self._full()

    def _over(self) -> str:
        used = self._journal.used_bytes() if self._most else 0
        if used <= self._most:
            return ""
        return (
            f"the journal holds {used} bytes, its bound is {self._most} (disk.journal); look why the relay doesn't "
            "empty it: is the database down?"
        )

    def _full(self) -> str:
        try:
            full = self._reserve.is_spent() and self._reserve.is_full()
        except OSError as error:
            return f"the disk of {self._reserve.path.parent} can't be looked at: {error.strerror}"
        return f"the disk of {self._reserve.path.parent} is full, and its reserve is for what removes" if full else ""
