# SPDX-License-Identifier: GPL-3.0-or-later
"""Group commit: many waiting requests, few transactions; each gets its own number, or the failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
import gevent.event
import pytest
from event_listener import group_commit
from event_listener.group_commit import MAX_BATCH, MAX_BYTES, GroupCommit
from event_listener.journal import Entry, Journal, JournalBrokenError, JournalReader, JournalUnavailableError


def entry(number: int) -> Entry:
    """Return an entry that can be told from others by its time."""
    return Entry(number, None, "10.0.0.1", "basic", "application/json", "ok", "", b"{}")


def yielding(append: Callable) -> Callable:
    """Return `append` as the client of the journal's writer is: it lets other greenlets run."""

    def cooperative(entries):
        gevent.sleep(0)
        return append(entries)

    return cooperative


def test_many_waiters_share_few_commits(tmp_path: Path):
    """Each request gets the number of its own entry."""
    writer, batches = Journal(tmp_path), []
    commit = GroupCommit(yielding(writer.append), lambda count, _: batches.append(count), pytest.fail)
    greenlets = [gevent.spawn(commit.submit, entry(number), 10) for number in range(700)]
    gevent.joinall(greenlets, raise_error=True)
    numbers = {greenlet.value: index for index, greenlet in enumerate(greenlets)}
    assert sum(batches) == 700
    assert len(batches) <= 5
    assert max(batches) <= MAX_BATCH
    with JournalReader(tmp_path) as reader:
        assert {number: item.received_ns for number, item in reader.read_after(0, 1000)} == numbers
    writer.close()


def test_a_failure_reaches_every_waiter_and_passes():
    """Nothing was stored, everyone gets 503; the next batch is a new try."""
    outcomes = iter([JournalUnavailableError("full"), None])

    def append(entries):
        error = next(outcomes)
        if error:
            raise error
        return list(range(len(entries)))

    commit = GroupCommit(append, lambda *_: None, pytest.fail)
    waiting = [gevent.spawn(commit.submit, entry(number), 10) for number in range(3)]
    gevent.joinall(waiting)
    assert all(isinstance(greenlet.exception, JournalUnavailableError) for greenlet in waiting)
    assert commit.submit(entry(9), 10) == 0


def test_a_slow_disk_doesnt_stop_the_others():
    """One greenlet waits for the disk; the others go on, and the one that waits too long gets an error."""

    def append(entries):
        hanging.wait()
        return [1] * len(entries)

    hanging = gevent.event.Event()
    commit = GroupCommit(append, lambda *_: None, pytest.fail)
    waiting = gevent.spawn(commit.submit, entry(1), 1)
    turns = 0
    while not waiting.ready():
        gevent.sleep(0.01)
        turns += 1
    hanging.set()
    assert turns >= 5
    assert isinstance(waiting.exception, JournalUnavailableError)


def test_a_failed_fsync_is_handed_to_who_ends_the_process():
    """And nobody is answered 2xx."""
    broken = []

    def append(_):
        raise JournalBrokenError("fsync")

    commit = GroupCommit(append, lambda *_: None, broken.append)
    with pytest.raises(JournalUnavailableError):
        commit.submit(entry(1), 0.2)
    assert len(broken) == 1


def test_what_was_given_up_while_the_disk_hangs_is_forgotten():
    """BMCs come again and again meanwhile; their old tries neither fill the memory nor reach the journal."""
    hanging, seen = gevent.event.Event(), []

    def append(entries):
        hanging.wait()
        seen.extend(entry.received_ns for entry in entries)
        return [1] * len(entries)

    commit = GroupCommit(append, lambda *_: None, pytest.fail)
    gevent.joinall([gevent.spawn(commit.submit, entry(number), 0.05) for number in range(50)])
    late = gevent.spawn(commit.submit, entry(99), 10)
    gevent.sleep(0)
    hanging.set()
    assert late.get() == 1
    assert seen[-1] == 99
    assert set(seen[:-1]) <= set(range(50))
    gevent.joinall([gevent.spawn(commit.submit, entry(number), 10) for number in range(3)])
    assert len(seen) <= 50 + 1 + 3


def test_large_bodies_are_sent_in_turns():
    """A batch holds at most MAX_BYTES of bodies, but always one."""
    sizes = []

    def append(entries):
        gevent.sleep(0)
        sizes.append(sum(len(one.body) for one in entries))
        return [1] * len(entries)

    commit = GroupCommit(append, lambda *_: None, pytest.fail)
    large = Entry(1, None, "10.0.0.1", "basic", "", "ok", "", bytes(MAX_BYTES * 2 // 3))
    larger = Entry(1, None, "10.0.0.1", "basic", "", "ok", "", bytes(MAX_BYTES + 1))
    gevent.joinall([gevent.spawn(commit.submit, one, 10) for one in (large, large, larger)], raise_error=True)
    assert sizes == [len(large.body), len(large.body), len(larger.body)]


class SlowDisk:
    """A clock that stands still, but for what each transaction takes; and the sizes of those that there were."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0
        self.sizes: list[int] = []
        self.while_it_works: Callable[[], None] = lambda: None

    def clock(self) -> float:
        """Seconds since it was made."""
        return self.now

    def append(self, entries):
        """Store nothing, and take its time."""
        self.while_it_works()
        gevent.sleep(0)
        self.now += self.seconds
        self.sizes.append(len(entries))
        return [1] * len(entries)

    def commit(self) -> GroupCommit:
        """A group commit over it."""
        return GroupCommit(self.append, lambda *_: None, pytest.fail, self.clock)


def together(commit: GroupCommit, count: int) -> None:
    """Let so many wait at the same time."""
    gevent.joinall([gevent.spawn(commit.submit, entry(number), 10) for number in range(count)], raise_error=True)


def test_senders_that_wait_for_answers_share_a_slow_disks_transactions():
    """The first who comes again waits for the others; without that, it and the rest take turns: two for each round."""
    disk, begun = SlowDisk(seconds=1.0), gevent.event.Event()
    disk.while_it_works = begun.set
    commit = disk.commit()

    def client(number):
        if number:
            begun.wait()  # the first is on its way to the disk by then
        for _ in range(20):
            commit.submit(entry(number), 60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_commit, "LONGEST", 5.0)
        gevent.joinall([gevent.spawn(client, number) for number in range(8)], raise_error=True)
    assert sum(disk.sizes) == 160
    assert disk.sizes.count(8) >= 17
    assert len(disk.sizes) <= 26


def test_who_is_alone_waits_for_nobody(monkeypatch):
    """Nothing is added to the answers of one sender, however slow the disk."""
    monkeypatch.setattr(group_commit, "LONGEST", 1e6)
    disk = SlowDisk(seconds=1e6)
    commit = disk.commit()
    for number in range(5):
        commit.submit(entry(number), 10)
    assert disk.sizes == [1] * 5


def test_a_fast_disk_isnt_waited_for(monkeypatch):
    """A transaction of its own costs less there than waiting."""
    monkeypatch.setattr(group_commit, "GATHER", 1e9)
    monkeypatch.setattr(group_commit, "LONGEST", 1e6)
    disk = SlowDisk(seconds=group_commit.FAST)
    commit = disk.commit()
    together(commit, 3)
    commit.submit(entry(9), 10)
    assert disk.sizes == [3, 1]


def test_gathering_ends_when_nobody_comes():
    """Half of what a hanging disk took would be long: it has a bound, and those who left aren't waited for again."""
    disk = SlowDisk(seconds=1e6)
    commit = disk.commit()
    together(commit, 3)
    commit.submit(entry(9), 10)
    commit.submit(entry(9), 10)
    assert disk.sizes == [3, 1, 1]


def test_who_gives_up_while_the_others_gather_leaves_nothing_behind(monkeypatch):
    """No empty transaction, and the next one is served."""
    monkeypatch.setattr(group_commit, "LONGEST", 0.5)
    disk = SlowDisk(seconds=1e6)
    commit = disk.commit()
    together(commit, 2)
    with pytest.raises(JournalUnavailableError):
        commit.submit(entry(8), 0.05)
    together(commit, 2)
    assert disk.sizes == [2, 2]
