# SPDX-License-Identifier: GPL-3.0-or-later
"""All parts are killed at random during traffic. tests/benchmarks/crash.py does it two hundred times."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.integration.crash_traffic import Traffic, check, kill_parts, register
from tests.integration.listener_process import RunningListener

KILLS = 10


def test_nothing_acknowledged_is_lost_or_repeated(listener: Callable[..., RunningListener]):
    """Acknowledged is stored, once and in order; no torn line; counts without a gap; refusals are 503 only."""
    with listener() as running:
        register(running)
        with Traffic(running) as traffic:
            killed = kill_parts(running, traffic, KILLS, random.Random(3))
        assert sum(killed.values()) == KILLS
        assert len(killed) > 2
        check(running, traffic)
        assert traffic.total() > 100
