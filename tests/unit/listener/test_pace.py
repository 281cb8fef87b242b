# SPDX-License-Identifier: GPL-3.0-or-later
"""When indexing stands back, and for how long."""

import os
import threading
import time

import pytest
from event_listener.pace import Pace, processor_times
from event_listener.settings import Relay


class Machine:
    """A clock, a thread's share of the processors, and how many payloads were acknowledged so far."""

    def __init__(self, *, share: float, rate: float, stand_back: float = 30.0) -> None:
        self.now, self.ran, self.waited = 1000.0, 0, 0
        self.calmed, self.share, self.rate, self.waits = 1000.0, share, rate, []
        self.settings = Relay(stand_back=stand_back)
        self.pace = Pace(self.settings, self.head, self.wait, lambda: self.now, lambda: (self.ran, self.waited))

    def head(self) -> int:
        return int((self.now - self.calmed) * self.rate)

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self.waits.append(seconds)
        return False

    def calm(self, seconds: float) -> None:
        """Nothing comes for so long."""
        for _ in range(int(seconds)):
            self.now, self.calmed = self.now + 1, self.calmed + 1
            self.pace.begin()
            self.pace.rest(0, 0.0)

    def batch(self, seconds: float = 0.25, count: int = 1000, late: float = 0.5) -> float:
        """Index a batch; returns the seconds of the rest after it."""
        self.pace.begin()
        self.now += seconds
        self.ran += int(self.share * seconds * 1e9)
        self.waited += int((1 - self.share) * seconds * 1e9)
        ended = self.now
        self.pace.rest(count, late)
        return self.now - ended


def test_it_rests_while_processors_are_short_and_events_pour_in():
    """Nine times as long as a batch took, three seconds at most; not at once, since every start is a gust."""
    machine = Machine(share=0.3, rate=1500)
    assert [machine.batch() for _ in range(3)] == [0.0] * 3
    assert machine.batch() == pytest.approx(2.25)
    assert machine.batch(1.0) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("share", "rate", "stand_back"),
    [(0.6, 1500, 30.0), (0.3, 100, 30.0), (0.3, 1500, 0.0)],
    ids=["processors are there", "few events", "switched off"],
)
def test_it_doesnt_rest_otherwise(share, rate, stand_back):
    machine = Machine(share=share, rate=rate, stand_back=stand_back)
    assert [machine.batch() for _ in range(20)] == [0.0] * 20
    assert machine.batch(count=999) == pytest.approx(machine.settings.poll_interval)


def test_it_is_never_later_than_it_may():
    machine = Machine(share=0.3, rate=1500)
    assert sum(machine.batch(late=29.9) for _ in range(10)) > 5
    assert sum(machine.batch(late=30.0) for _ in range(10)) == 0


def late(machine: Machine) -> None:
    machine.batch(late=30.0)


def failed(machine: Machine) -> None:
    machine.pace.catch_up()


@pytest.mark.parametrize("spent", [late, failed])
def test_it_rests_once_in_a_storm(spent):
    """Where events never stop pouring in, or the event log was away, resting on would keep all of it late for good."""
    machine = Machine(share=0.3, rate=1500)
    spent(machine)
    assert sum(machine.batch(late=29.9) for _ in range(100)) == 0
    machine.calm(9.0)
    assert sum(machine.batch() for _ in range(10)) == 0
    machine.calm(11.0)
    assert sum(machine.batch() for _ in range(10)) > 5


def test_it_says_so_once(caplog):
    """Whoever asks why events are late finds it in the log."""
    caplog.set_level("INFO")
    machine = Machine(share=0.3, rate=1500)
    for _ in range(10):
        machine.batch()
    machine.rate, machine.share = 0, 1.0
    for _ in range(3):
        machine.batch(count=10)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "indexing stands back",
        "indexing has caught up",
    ]


def test_the_end_of_a_storm_ends_the_rest():
    """And of the relay: `wait` says so."""
    machine = Machine(share=0.3, rate=1500)
    while not machine.batch():
        pass

    def last(seconds: float) -> bool:
        machine.rate = 0
        return Machine.wait(machine, seconds)

    machine.pace._wait = last
    assert machine.batch(1.0) == pytest.approx(0.25)
    machine.rate, machine.pace._wait = 1500, lambda seconds: not Machine.wait(machine, seconds)
    machine.batch(1.0)
    assert machine.batch(1.0) == pytest.approx(0.25)


def test_a_moment_with_processors_begins_the_wait_anew():
    machine = Machine(share=0.3, rate=1500)
    while not machine.batch():
        pass
    machine.share = 0.9
    assert machine.batch() == 0.0
    machine.share = 0.3
    assert [machine.batch() for _ in range(3)] == [0.0] * 3
    assert machine.batch()


def test_a_quiet_moment_with_processors_does_so_too():
    machine = Machine(share=0.3, rate=1500)
    while not machine.batch():
        pass
    machine.rate, machine.share = 10, 0.9
    machine.batch(count=1)
    machine.rate, machine.share, machine.now = 1500, 0.3, machine.now + 100
    assert [machine.batch() for _ in range(3)] == [0.0] * 3


def test_the_kernel_counts_who_waits_for_a_processor():
    """Two threads can't run on one processor; in Python the others have to be processes."""
    found: list[tuple[int, int]] = []
    children = []

    def busy() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        end = time.monotonic() + 1
        while time.monotonic() < end:
            pass
        found.append(processor_times())

    for _ in range(3):
        child = os.fork()
        if not child:
            busy()
            os._exit(0)
        children.append(child)
    thread = threading.Thread(target=busy)
    thread.start()
    thread.join()
    for child in children:
        os.waitpid(child, 0)
    ((ran, waited),) = found
    assert ran > 0
    assert waited > ran
