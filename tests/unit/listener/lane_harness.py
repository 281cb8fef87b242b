# SPDX-License-Identifier: GPL-3.0-or-later
"""A lane in a thread, a destination that answers as told, and an event log with something in it."""

import threading
import time

import pytest
from event_listener import lanes, places
from event_listener.event import Record
from event_listener.sinks.base import Ok
from event_listener.store import Arrival, open_store

JOURNAL = "0123456789ab"


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


def fill(store, count, first=1, journal_id=JOURNAL, cursor="journal"):
    arrivals = [
        Arrival(
            journal_id=journal_id,
            journal_seq=seq,
            received_ns=seq,
            source="s",
            address="a",
            peer="p",
            credential="c",
            content_type="",
            body=b"{}",
            records=(Record(type="A.B", record={}),),
        )
        for seq in range(first, first + count)
    ]
    store.log.write(arrivals, cursor, first + count - 1)


class Destination:
    """A destination that answers as told, and remembers what it took."""

    name, unit = "destination", "event"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.taken, self.closed = [], False

    def send(self, batch):
        outcome = self.answers.pop(0) if self.answers else Ok()
        if isinstance(outcome, Exception):
            raise outcome
        done = len(batch) if isinstance(outcome, Ok) else outcome.done
        self.taken += [unit.seq for unit in batch[:done]]
        return outcome

    def close(self):
        self.closed = True


class Running:
    """A lane in a thread, until the block ends."""

    def __init__(self, sink, store, holder="here", batch=3, ttl=10.0, feed=None):
        self.stop, self.wake = threading.Event(), lanes.Wake()
        place = places.LeasedPlace(sink, store, holder, ttl)
        self.lane = lanes.Lane(sink, place, store, self.wake, self.stop, batch, feed)

    def __enter__(self):
        self.lane.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.wake.tell()
        self.lane.join(10)
        assert not self.lane.is_alive()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def begun_at_zero(store, sink):
    """A cursor that exists: this sink isn't new."""
    store.cursors.advance(places.cursor_name(sink.name), 0)
    return sink
