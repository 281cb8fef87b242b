# SPDX-License-Identifier: GPL-3.0-or-later
"""One fsync for many waiting requests: while a batch is being synced, the next one gathers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from event_listener.journal import Entry, JournalBrokenError, JournalUnavailableError

# One batch is one transaction; bounded so that the other workers' turns come round.
MAX_BATCH = 512

Append = Callable[[Sequence[Entry]], list[int]]
Observe = Callable[[int, float], None]


class GroupCommit:
    """One per gevent worker. `append` runs in a thread of its own, so greenlets go on while the disk works.

    `observe(entries, seconds)` is told of each batch; `on_broken(error)` ends the process after a failed fsync.
    """

    def __init__(self, append: Append, observe: Observe, on_broken: Callable[[Exception], None]) -> None:
        self._append = append
        self._observe = observe
        self._on_broken = on_broken
        self._pool = ThreadPool(1)
        self._waiting: list[tuple[Entry, AsyncResult[int]]] = []
        self._flushing = False

    def submit(self, entry: Entry, timeout: float) -> int:
        """Return the entry's sequence number once it is durable; blocks this greenlet only.

        Raises JournalUnavailableError, also after `timeout` seconds (then the entry may be stored later all the same).
        """
        result: AsyncResult[int] = AsyncResult()
        self._waiting.append((entry, result))
        if not self._flushing:
            self._flushing = True
            gevent.spawn(self._flush)
        try:
            return int(result.get(timeout=timeout) or 0)
        except gevent.Timeout as error:
            raise JournalUnavailableError(f"the disk took longer than {timeout:g} s") from error

    def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                self._commit(batch)
        finally:
            self._flushing = False

    def _outcome(self, entries: list[Entry]) -> list[int] | JournalUnavailableError | JournalBrokenError:
        # Returned, not raised: gevent's pool prints a traceback of whatever a thread raises.
        try:
            return self._append(entries)
        except (JournalUnavailableError, JournalBrokenError) as error:
            return error

    def _commit(self, batch: list[tuple[Entry, AsyncResult[int]]]) -> None:
        began = time.monotonic()
        try:
            numbers = self._pool.apply(self._outcome, ([entry for entry, _result in batch],))
            if isinstance(numbers, Exception):
                raise numbers
        except JournalUnavailableError as error:
            for _entry, result in batch:
                result.set_exception(error)
            return
        except JournalBrokenError as error:
            # Nobody gets an answer: what the disk holds is unknown, and BMCs repeat what wasn't answered.
            self._on_broken(error)
            return
        self._observe(len(batch), time.monotonic() - began)
        for (_entry, result), number in zip(batch, numbers, strict=True):
            result.set(number)
