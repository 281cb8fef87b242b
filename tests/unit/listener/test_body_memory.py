# SPDX-License-Identifier: GPL-3.0-or-later
"""Large bodies share a worker's memory: in turn, with patience, and what is given comes back however it ends."""

from __future__ import annotations

import gevent
import pytest
from event_listener.body_memory import BodyMemory, NoRoomError


def holder(memory: BodyMemory, size: int, done: list[int], seconds: float = 5, work: float = 0.02) -> gevent.Greenlet:
    def hold() -> None:
        with memory.share(size, seconds):
            gevent.sleep(work)
            done.append(size)

    return gevent.spawn(hold)


def test_shares_are_given_in_turn():
    """A large one isn't overtaken for ever by those that would fit beside the first."""
    memory, done = BodyMemory(100), []
    greenlets = [holder(memory, size, done) for size in (60, 90, 10, 20)]
    gevent.joinall(greenlets, timeout=60, raise_error=True)
    assert done == [60, 90, 10, 20]
    assert memory.used == 0


def test_one_body_always_fits():
    memory, done = BodyMemory(100), []
    holder(memory, 1000, done).join(timeout=60)
    assert done == [1000]


def test_patience_ends():
    memory, done = BodyMemory(100), []
    first = holder(memory, 80, done, work=0.2)
    gevent.sleep(0)
    with pytest.raises(NoRoomError), memory.share(50, 0.01):
        pytest.fail("there was no room")
    with memory.share(20, 0.01):
        assert memory.used == 100
    first.join(timeout=60)
    assert memory.used == 0


def test_a_killed_waiter_leaves_nothing_behind():
    """A client that goes, or a time-out around the waiting."""
    memory, done = BodyMemory(100), []
    first = holder(memory, 80, done, work=0.1)
    waiter = holder(memory, 50, done)
    last = holder(memory, 20, done)
    gevent.sleep(0)
    waiter.kill()
    gevent.joinall([first, last], timeout=60, raise_error=True)
    assert sorted(done) == [20, 80]
    assert memory.used == 0
