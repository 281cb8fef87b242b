# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall clock, where a jump of it must not make anything old.

A clock that is set forward by hours (a wrong time server, a virtual machine that was restored) makes everything look
hours older. What was decided by that is decided for good: removed, or given up for a sink. So ages that end in
removal are taken from a clock that never goes faster than time passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable


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
