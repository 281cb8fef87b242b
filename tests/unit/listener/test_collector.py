# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes out together, and when."""

from types import SimpleNamespace

from event_listener.collector import Collector


class Log:
    """Units numbered from 1; counts how often each was read."""

    def __init__(self, count):
        self.count, self.reads = count, 0

    def read(self, after, limit):
        found = [SimpleNamespace(seq=seq) for seq in range(after + 1, min(after + limit, self.count) + 1)]
        self.reads += len(found)
        return found


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def seqs(collector):
    return [unit.seq for unit in collector.batch]


def test_without_an_interval_whatever_there_is_is_due():
    log = Log(3)
    collector = Collector(log.read, lambda units: units, 10, 0.0)
    collector.gather(0)
    assert (seqs(collector), collector.through, collector.due, collector.more) == ([1, 2, 3], 3, True, False)
    collector.gather(3)
    assert (seqs(collector), collector.due) == ([], False)


def test_time_and_size_end_a_batch():
    log, clock = Log(2), Clock()
    collector = Collector(log.read, lambda units: units, 4, 5.0, clock)
    collector.gather(0)
    assert not collector.due
    assert collector.wait() == 5.0
    clock.now += 4.9
    log.count = 3
    collector.gather(0)
    assert not collector.due
    clock.now += 0.2
    collector.gather(0)
    assert (seqs(collector), collector.due) == ([1, 2, 3], True)
    log.count = 20
    collector.gather(3)
    assert (seqs(collector), collector.due) == ([4, 5, 6, 7], True)
    assert log.reads == 7  # each once


def test_what_was_not_confirmed_is_neither_read_again_nor_grows():
    log = Log(3)
    collector = Collector(log.read, lambda units: units, 10, 0.0)
    collector.gather(0)
    log.count = 9
    collector.gather(0)
    assert (seqs(collector), log.reads) == ([1, 2, 3], 3)


def test_the_rest_of_a_batch_does_not_wait_once_more():
    log, clock = Log(3), Clock()
    collector = Collector(log.read, lambda units: units, 3, 60.0, clock)
    collector.gather(0)
    assert collector.due
    collector.gather(1)
    assert (seqs(collector), collector.due) == ([2, 3], True)


def test_events_that_nobody_wants_are_passed_without_waiting():
    log, clock = Log(3), Clock()
    collector = Collector(log.read, lambda _units: [], 3, 60.0, clock)
    collector.gather(0)
    assert (collector.batch, collector.through, collector.due) == ([], 3, True)


def test_a_replay_begins_anew():
    log, clock = Log(3), Clock()
    collector = Collector(log.read, lambda units: units, 10, 60.0, clock)
    collector.gather(2)
    collector.gather(0)
    assert (seqs(collector), collector.due) == ([1, 2, 3], False)
    log.count = 1
    collector.again()
    collector.gather(0)
    assert seqs(collector) == [1]
