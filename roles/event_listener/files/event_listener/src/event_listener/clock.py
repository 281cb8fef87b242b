# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall clock, where a jump of it must not make anything old.

A clock that is set forward by hours (a wrong time server, a virtual machine that was restored) makes everything look
hours older. What was decided by that is decided for good: removed, or given up for a sink. So ages that end in
removal are taken from a clock that never goes faster than time passes. And what was put off by a clock that was ahead
would wait for hours when it is set back: nobody waits longer than he ever would.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SLACK_NS = 3600 * 1_000_000_000  # by which the clocks of hosts that share a log may differ without harm


class CautiousClock:
    """The wall clock as long as nobody sets it forward after the start; else the start and what has passed since.

    `passed` counts while the machine sleeps, too. A jump stays ignored until the process ends.
    """

    def __init__(self, wall: Callable[[], int], passed: Callable[[], int]) -> None:
        self._wall, self._passed = wall, passed
        self._began = wall() - passed()

    def ns(self) -> int:
        """Nanoseconds since the epoch, at most the wall clock's."""
        return min(self._wall(), self._began + self._passed())


def passed_ns() -> int:
    """Nanoseconds since some moment, whatever is done to the wall clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


_CLOCK = CautiousClock(time.time_ns, passed_ns)


def cautious_ns() -> int:
    """The wall clock for deciding what is old enough to be removed or given up."""
    return _CLOCK.ns()


def too_far(now_ns: int, longest_ns: int) -> int:
    """From when on a moment that is waited for, ``longest_ns`` at most, is of a clock that was set back since."""
    return now_ns + longest_ns + SLACK_NS


def is_over(began_ns: int, ends_ns: int, now_ns: int, cautious: int) -> bool:
    """Whether what was given from one moment to another is over; not by a clock that was set forward meanwhile.

    A cautious clock that is before its beginning knows less than the wall clock: that was wrong when we started.
    """
    return ends_ns <= now_ns and not began_ns <= cautious < ends_ns
