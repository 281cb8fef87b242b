# SPDX-License-Identifier: GPL-3.0-or-later
"""One fsync for many waiting requests: while a batch is being synced, the next one gathers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent
from gevent.event import AsyncResult, Event

from event_listener.journal import Entry, JournalBrokenError, JournalUnavailableError

# One batch is a part of one transaction; bounded so that the other workers' turns come round.
MAX_BATCH = 512
MAX_BYTES = 16777216
# Before a batch goes out it waits for those who will come at once, for this part of what the last one took. A disk as
# fast as FAST (seconds) isn't worth it, and one that hangs must not make anybody wait longer than LONGEST.
GATHER = 0.5
FAST = 0.002
LONGEST = 0.02

Append = Callable[[Sequence[Entry]], Sequence[int]]
Observe = Callable[[int, float], None]
Clock = Callable[[], float]
_Waiting = tuple[Entry, "AsyncResult[int]"]


class GroupCommit:
    """One per gevent worker. `append` blocks its greenlet only, so the others go on while the disk works.

    `observe(entries, seconds)` is told of each batch; `on_broken(error)` ends the process after a failed fsync.
    """

    def __init__(
        self, append: Append, observe: Observe, on_broken: Callable[[Exception], None], clock: Clock = time.monotonic
    ) -> None:
        self._append = append
        self._observe = observe
        self._on_broken = on_broken
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._flushing = False
        # Who was answered by the last batch, and who waited meanwhile: as many may wait for the next one.
        self._expected = 0
        self._patience = 0.0
        self._gathered = Event()

    def submit(self, entry: Entry, timeout: float) -> int:
        """Return the entry's sequence number once it is durable; blocks this greenlet only.

        Raises JournalUnavailableError, also after `timeout` seconds (then the entry may be stored later all the same,
        if it was on its way to the disk).
        """
        result: AsyncResult[int] = AsyncResult()
        waiting = (entry, result)
        self._waiting.append(waiting)
        if not self._flushing:
            self._flushing = True
            gevent.spawn(self._flush)
        elif len(self._waiting) >= self._expected:
            self._gathered.set()
        try:
            return int(result.get(timeout=timeout) or 0)
        except gevent.Timeout as error:
            # While a disk hangs, what was given up must not pile up in memory.
            self._waiting = [one for one in self._waiting if one is not waiting]
            raise JournalUnavailableError(f"the disk took longer than {timeout:g} s") from error

    def _flush(self) -> None:
        try:
            while self._waiting:
                self._gather()
                if batch := self._next_batch():  # else all of them gave up meanwhile
                    self._commit(batch)
        finally:
            self._flushing = False

    def _gather(self) -> None:
        """Let those who were just answered, and come again, share the next transaction with those who wait already.

        Else the first who comes has one for itself, and all others, who need the next one, take turns with it.
        """
        if self._patience and len(self._waiting) < self._expected:
            self._gathered.clear()
            self._gathered.wait(self._patience)

    def _next_batch(self) -> list[_Waiting]:
        count, size = 0, 0
        for entry, _result in self._waiting[:MAX_BATCH]:
            size += len(entry.body)
            if count and size > MAX_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        began = self._clock()
        try:
            numbers = self._append([entry for entry, _result in batch])
        except JournalUnavailableError as error:
            for _entry, result in batch:
                result.set_exception(error)
            return
        except JournalBrokenError as error:
            # Nobody gets an answer: what the disk holds is unknown, and BMCs repeat what wasn't answered.
            self._on_broken(error)
            return
        took = self._clock() - began
        self._expected = min(len(batch) + len(self._waiting), MAX_BATCH)
        self._patience = min(took * GATHER, LONGEST) if took > FAST else 0.0
        self._observe(len(batch), took)
        for (_entry, result), number in zip(batch, numbers, strict=True):
            result.set(number)
