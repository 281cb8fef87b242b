# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory sink: who is slow, throws or leaves harms nobody, and what is dropped is counted where it is missing."""

import threading
import time

import pytest
from event_listener.event import Event
from event_listener.sinks.base import Ok
from event_listener.sinks.memory import Memory


def events(first, count, **fields):
    given = {"source": "bmc1", "address": "192.0.2.1", "received_ns": 1, "payload_id": 1, "type": "A.B", **fields}
    return [Event(seq=seq, id=f"j-{seq}-0", **given) for seq in range(first, first + count)]


def seqs(taken):
    return [event.seq for event in taken.events]


def test_each_subscriber_gets_what_it_wants_in_order():
    memory = Memory()
    everything, even = memory.subscribe(), memory.subscribe(lambda event: event.seq % 2 == 0)
    assert memory.send(events(1, 3)) == Ok()
    memory.send(events(4, 2))
    assert seqs(everything.take(0)) == [1, 2, 3, 4, 5]
    assert seqs(even.take(0)) == [2, 4]
    assert seqs(even.take(0)) == []


def test_a_full_queue_drops_and_says_where():
    """Nothing stands behind a gap until the subscriber has seen it."""
    memory = Memory()
    slow, quick = memory.subscribe(size=4), memory.subscribe()
    for first in (1, 4, 7):
        memory.send(events(first, 3))
    taken = slow.take(0)
    assert (seqs(taken), taken.dropped) == ([1, 2, 3, 4], 5)
    memory.send(events(10, 1))
    assert (seqs(slow.take(0)), len(quick.take(0).events)) == ([10], 10)
    assert (slow.dropped, memory.counts()["dropped"]) == (5, 5)
    memory.unsubscribe(slow)
    memory.unsubscribe(slow)
    assert memory.counts()["dropped"] == 5
    memory.send(events(11, 1))
    assert seqs(slow.take(0)) == []


def test_a_condition_that_throws_harms_nobody(caplog):
    memory = Memory()
    broken, other = memory.subscribe(lambda event: 1 / (event.seq - 2) > 0), memory.subscribe()
    assert memory.send(events(1, 5)) == Ok()
    assert seqs(broken.take(0)) == [3, 4, 5]
    assert len(other.take(0).events) == 5
    assert broken.failed == 1
    assert len(caplog.records) == 1


def test_a_function_that_throws_gets_the_next_event(caplog):
    memory, got, done = Memory(), [], threading.Event()

    def function(event):
        got.append(event.seq)
        if event.seq == 4:
            done.set()
        raise ValueError("a subscriber's bug")

    memory.call(function)
    memory.send(events(1, 2))
    memory.send(events(3, 2))
    assert done.wait(60)
    assert got == [1, 2, 3, 4]
    memory.close()
    assert len(memory) == 0
    assert len([record for record in caplog.records if "a subscriber fails" in record.message]) == 1


def test_a_function_that_never_returns_blocks_nobody():
    memory, forever = Memory(), threading.Event()
    stuck = memory.call(lambda _event: forever.wait(120))
    other = memory.subscribe(size=100_000)
    for start in range(1, 20_001, 100):
        memory.send(events(start, 100))
    assert len(other.take(0).events) == 20_000
    assert stuck.dropped > 10_000
    forever.set()
    memory.close()


def test_who_waits_is_woken_by_an_event_and_by_the_end():
    memory = Memory()
    waiting = memory.subscribe()
    results = []

    def wait():
        results.append(seqs(waiting.take(120)))
        results.append(seqs(waiting.take(120)))

    thread = threading.Thread(target=wait)
    thread.start()
    memory.send(events(1, 1))
    end = time.monotonic() + 60
    while not results and time.monotonic() < end:
        time.sleep(0.01)
    memory.close()
    thread.join(60)
    assert results == [[1], []]
    assert waiting.closed


@pytest.mark.parametrize("size", [1, 7])
def test_what_is_taken_and_dropped_is_what_was_sent(size):
    memory = Memory()
    subscription = memory.subscribe(size=size)
    got = missing = 0
    for start in range(0, 600, 6):
        memory.send(events(start, 6))
        if start % 18 == 0:
            taken = subscription.take(0)
            got, missing = got + len(taken.events), missing + taken.dropped
    taken = subscription.take(0)
    assert got + len(taken.events) + missing + taken.dropped == 600
    assert subscription.dropped == missing + taken.dropped
