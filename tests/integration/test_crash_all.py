# SPDX-License-Identifier: GPL-3.0-or-later
"""All parts are killed at random during traffic. tests/benchmarks/crash.py does it two hundred times."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.crash_traffic import VICTIMS, Traffic, check, database, kill_parts, outage, register
from tests.integration.listener_process import RunningListener
from tests.services.postgresql import PostgreSQL

KILLS = 6
PLAIN = {"ingest": {"plain_http": True}}  # urllib3 leaks sockets whose handshake a kill breaks off
DOWN_SECONDS = 8


@pytest.mark.parametrize("store", ["SQLite", "PostgreSQL"])
def test_nothing_acknowledged_is_lost_or_repeated(store: str, listener: Callable[..., RunningListener], tmp_path: Path):
    """Acknowledged is stored, once and in order; no torn line; counts without a gap; refusals are 503 only."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(PostgreSQL(durable=True)) if store == "PostgreSQL" else None
        running = stack.enter_context(listener(PLAIN | (database(server, tmp_path) if server else {})))
        register(running)
        with Traffic(running) as traffic:
            killed = kill_parts(running, traffic, KILLS, random.Random(3), server)
        assert sum(killed.values()) == KILLS
        assert set(killed) == {*VICTIMS, *(["postgresql"] if server else [])}
        check(running, traffic)
        assert traffic.total() > 100


def test_a_database_that_is_down_under_load(listener: Callable[..., RunningListener], tmp_path: Path):
    """Every POST gets its 2xx, and afterwards all of them are where they belong, once."""
    with PostgreSQL(durable=True) as server, listener(PLAIN | database(server, tmp_path)) as running:
        register(running)
        # Who posts all that goes takes the processors that catching up needs, for as long as it does.
        with Traffic(running, pause=0.02) as traffic:
            outage(running, traffic, server, DOWN_SECONDS)
        check(running, traffic)
        assert not traffic.refused
