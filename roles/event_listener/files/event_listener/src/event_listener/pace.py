# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the indexer waits after a batch. While events pour in and processors are short, acknowledging goes first.

A fleet that speaks at once is answered sooner when its events are indexed afterwards, and in larger batches. Niceness
alone doesn't do that: it shares out the processors, and indexing takes a third of them from who acknowledges.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from event_listener.settings import Relay

logger = logging.getLogger(__name__)

_SCHEDSTAT = Path("/proc/thread-self/schedstat")  # proc(5): ns on a processor, ns waiting for one, how often
_REST = 9.0  # times as long as the batch took
_LONGEST_REST = 3.0  # seconds; the relay gives a sign of life before each batch
_LOOK = 0.25  # seconds: so soon it is seen that the storm is over
_SURELY = 1.0  # seconds that processors are short before it rests: any start of something is a short gust
_STORM = 200.0  # payloads per second; fewer aren't what processors are short by
_CALM = 10.0  # seconds with fewer: what comes after them is another storm


def processor_times() -> tuple[int, int]:
    """How long this thread ran, and waited for a processor, ns. Both 0 where the kernel doesn't count it."""
    try:
        ran, waited, _slices = _SCHEDSTAT.read_text(encoding="ascii").split()
    except OSError:
        return 0, 0
    return int(ran), int(waited)


class Pace:
    """For the indexer's thread: :meth:`begin` before each batch, :meth:`rest` after it, :meth:`catch_up` on failure.

    It stands back once in a storm. Where one doesn't end, going on to rest would only keep all of it late for good.

    ``head()`` says how many payloads were acknowledged so far; ``wait(seconds)`` waits, or returns True at the end.
    """

    def __init__(
        self,
        settings: Relay,
        head: Callable[[], int],
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
        times: Callable[[], tuple[int, int]] = processor_times,
    ) -> None:
        self._settings, self._acknowledged, self._wait = settings, head, wait
        self._clock, self._times = clock, times
        self._seen: tuple[float, int] | None = None
        self._short_since: float | None = None
        self._stormed = self._clock()
        self._may_rest = True
        self._stands_back = False
        self.begin()

    def begin(self) -> None:
        """A batch begins."""
        self._began, self._used = self._clock(), self._times()

    def rest(self, count: int, late: float) -> None:
        """Wait after a batch of ``count``, the last of which was acknowledged ``late`` seconds ago."""
        end, storm, short = self._clock(), self._is_storm(), self._are_short()
        if late >= self._settings.stand_back:
            self.catch_up()
        if storm and short and self._may_rest:
            if not self._stands_back:
                self._stands_back = True
                logger.info("indexing stands back: too few processors for what comes in (relay.stand_back)")
            end += min((end - self._began) * _REST, _LONGEST_REST)
            while (left := end - self._clock()) > 0 and not self._wait(min(left, _LOOK)) and self._is_storm():
                pass
        elif count < self._settings.batch:
            if self._stands_back:
                self._stands_back = False
                logger.info("indexing has caught up")
            self._wait(self._settings.poll_interval)

    def catch_up(self) -> None:
        """Don't rest again before a time of calm: enough waits already."""
        self._may_rest = False

    def _are_short(self) -> bool:
        """Whether each batch of late waited longer for a processor than it had one."""
        ran, waited = self._times()
        if waited - self._used[1] <= ran - self._used[0]:
            self._short_since = None
        elif self._short_since is None:
            self._short_since = self._began
        return self._short_since is not None and self._clock() - self._short_since >= _SURELY

    def _is_storm(self) -> bool:
        """Whether many came since this was asked last. After a time without it may rest again."""
        before, self._seen = self._seen, (self._clock(), self._acknowledged())
        if before is None:
            return False
        storm = self._seen[1] - before[1] >= (self._seen[0] - before[0]) * _STORM > 0
        if storm:
            self._stormed = self._seen[0]
        elif self._seen[0] - self._stormed >= _CALM:
            self._may_rest = True
        return storm
