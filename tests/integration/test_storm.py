# SPDX-License-Identifier: GPL-3.0-or-later
"""A small storm in each test run; tests/benchmarks/storm.py lets the big one come."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.storm import storm
from tests.integration.listener_process import RunningListener


@pytest.mark.parametrize("way", ["alone", "nginx"])
def test_no_event_of_a_storm_is_lost(listener: Callable[..., RunningListener], way: str):
    """500 sources, two events each, every one on a new TLS connection: all are acknowledged, and all are kept."""
    # On a busy machine a disk may take longer than the 5 s after which a BMC would be asked to come again.
    patient = {"commit_timeout": 25}
    with listener({"ingest": patient} | ({"nginx": {}} if way == "nginx" else {})) as running:
        found = storm(running, sources=500, events=2, connections=100)
    assert (found.stored, found.refused, found.kept) == (1000, 0, 1000), found


def test_the_relay_leaves_the_processors_to_those_who_acknowledge(listener: Callable[..., RunningListener]):
    with listener() as running:
        niceness = {}
        for name in ("ingest", "worker", "writer", "manage", "relay"):
            (pid, *_others) = running.pids(name)
            group = Path(f"/proc/{pid}/autogroup")  # absent where the kernel has none
            own = os.getpriority(os.PRIO_PROCESS, pid)
            niceness[name] = (own, int(group.read_text().split()[-1]) if group.exists() else own)
    assert niceness.pop("relay") == (5, 5)
    assert set(niceness.values()) == {(0, 0)}
