# SPDX-License-Identifier: GPL-3.0-or-later
"""Lanes: in order, at least once, each delayed by its own sink alone."""

import threading
import time

from event_listener import backoff, places, registry
from event_listener.event import Record
from event_listener.feed import Everything, feed_for
from event_listener.settings import Settings, Sinks
from event_listener.settings_bus import Route, SyslogSink
from event_listener.sinks.base import Ok, Reject, Retry
from event_listener.store import Arrival
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.listener.lane_harness import JOURNAL, Destination, Running, begun_at_zero, fill, store, until

__all__ = ["store"]  # a fixture


def test_everything_in_order(store):
    sink = begun_at_zero(store, Destination())
    fill(store, 10)
    with Running(sink, store) as running:
        until(lambda: store.cursors.get("sink:destination") == 10)
        fill(store, 5, first=11)
        running.wake.tell()
        until(lambda: store.cursors.get("sink:destination") == 15)
    assert sink.taken == list(range(1, 16))
    assert sink.closed


def test_a_new_sink_begins_at_the_head(store):
    fill(store, 5)
    sink = Destination()
    with Running(sink, store) as running:
        until(lambda: store.cursors.get("sink:destination") == 5)
        fill(store, 1, first=6)
        running.wake.tell()
        until(lambda: sink.taken)
    assert sink.taken == [6]


def test_retry_goes_on_after_what_was_taken(store):
    sink = begun_at_zero(store, Destination(Retry("busy", done=2, after=0.01), Retry("busy", after=0.01)))
    fill(store, 4)
    with Running(sink, store):
        until(lambda: len(sink.taken) == 4)
        until(lambda: store.cursors.lanes()[0].state == "ok")
    assert sink.taken == [1, 2, 3, 4]


def test_what_is_rejected_is_noted_and_passed(store):
    sink = begun_at_zero(store, Destination(Reject("too large", done=1)))
    fill(store, 4)
    with Running(sink, store):
        until(lambda: store.cursors.get("sink:destination") == 4)
    assert sink.taken == [1, 3, 4]
    assert [(item.unit_seq, item.reason) for item in store.rejections.list("destination")] == [(2, "too large")]


def test_a_failing_sink_is_visible_and_said_once(store, caplog):
    sink = begun_at_zero(store, Destination(*[Retry(f"down {n}", after=0.001) for n in range(20)]))
    fill(store, 1)
    with caplog.at_level("INFO"), Running(sink, store):
        until(lambda: any(lane.state == "retrying" for lane in store.cursors.lanes()))
        until(lambda: sink.taken)
        until(lambda: store.cursors.lanes()[0].state == "ok")
    said = [record.message for record in caplog.records if "destination" in record.message]
    assert len([text for text in said if "fails" in text]) == 1
    assert said[-1] == "sink destination works"


def test_a_bug_in_a_sink_ends_nothing(store, caplog):
    """An exception that no sink should raise: logged with its trace, tried again, the lane lives."""
    sink = begun_at_zero(store, Destination(ZeroDivisionError("oops")))
    fill(store, 1)
    with Running(sink, store):
        until(lambda: sink.taken == [1])
    assert "ZeroDivisionError" in caplog.text


def test_a_slow_sink_delays_itself_alone(store):
    gate = threading.Event()

    class Slow(Destination):
        name = "slow"

        def send(self, batch):
            gate.wait(10)
            return super().send(batch)

    slow, fast = begun_at_zero(store, Slow()), begun_at_zero(store, Destination())
    fill(store, 9)
    with Running(slow, store), Running(fast, store):
        until(lambda: len(fast.taken) == 9)
        assert slow.taken == []
        gate.set()
        until(lambda: len(slow.taken) == 9)


def test_another_relay_takes_over(store):
    """One runs the lane; when it ends the other goes on where it stood."""
    first, second = begun_at_zero(store, Destination()), Destination()
    fill(store, 3)
    with Running(first, store, "one", ttl=0.5):
        until(lambda: store.cursors.get("sink:destination") == 3)
        with Running(second, store, "two", ttl=0.5) as other:
            time.sleep(0.2)
            assert second.taken == []
    fill(store, 3, first=4)
    second = Destination()
    with Running(second, store, "two", ttl=0.5) as other:
        until(lambda: second.taken == [4, 5, 6])
    assert other.lane.name == "lane-destination"
    assert first.taken == [1, 2, 3]


class Odd(Everything):
    """A route that takes every other event."""

    retain_for = 0.0

    def __call__(self, batch):
        return [unit for unit in batch if unit.seq % 2]


def test_what_no_route_chooses_is_passed_and_what_is_sent_is_counted(store):
    """The cursor moves over events that aren't sent, also over a batch without a single one that is."""
    sink = begun_at_zero(store, Destination(Ok(), Reject("bad", done=1), Retry("busy", done=1, after=0.0)))
    fill(store, 12)
    with Running(sink, store, feed=Odd(), batch=6):
        until(lambda: store.cursors.get("sink:destination") == 12)
    assert sink.taken == [1, 3, 5, 7, 11]  # 9 was refused
    assert store.cursors.counts() == {("destination", "sent"): 5}


def test_a_paused_sink_gets_nothing_and_says_so_until_it_is_resumed(store):
    sink = begun_at_zero(store, Destination())
    store.cursors.pause("destination")
    fill(store, 3)
    with Running(sink, store, ttl=0.5):
        until(lambda: [lane.state for lane in store.cursors.lanes()] == ["paused"])
        assert sink.taken == []
        assert store.cursors.resume("destination")
        until(lambda: sink.taken == [1, 2, 3])
    assert not store.cursors.resume("destination")


def test_pausing_takes_a_running_lane_away(store):
    sink = begun_at_zero(store, Destination())
    with Running(sink, store, ttl=0.5) as running:
        until(lambda: store.cursors.holder("destination") == "here")
        store.cursors.pause("destination")
        until(lambda: [lane.state for lane in store.cursors.lanes()] == ["paused"])
        fill(store, 3)
        running.wake.tell()
        time.sleep(0.3)
        assert sink.taken == []
        assert sink.closed
    assert store.cursors.holder("destination") == "paused by an operator"


def test_a_replay_goes_on_from_there_while_the_lane_runs(store):
    sink = begun_at_zero(store, Destination())
    fill(store, 5)
    with Running(sink, store, ttl=0.5):
        until(lambda: len(sink.taken) == 5)
        store.cursors.rewind("sink:destination", "destination", 3)
        until(lambda: sink.taken == [1, 2, 3, 4, 5, 4, 5])


def test_a_clock_that_is_set_forward_skips_nothing(store, monkeypatch):
    """What waits is as old as it is, though the clock now says that it is a month."""

    class Day(Everything):
        retain_for = 86400.0

    sink, real = begun_at_zero(store, Destination()), time.time_ns
    now = Arrival(
        journal_id=JOURNAL, journal_seq=1, received_ns=real(), source="s", address="a", peer="p",
        credential="c", content_type="", body=b"{}", records=(Record(type="A.B", record={}),),
    )  # fmt: skip
    store.log.write([now], "journal", 1)
    monkeypatch.setattr(time, "time_ns", lambda: real() + 30 * 86400 * 1_000_000_000)
    with Running(sink, store, feed=Day()):
        until(lambda: sink.taken == [1])
    assert store.cursors.counts() == {("destination", "sent"): 1}


def test_what_waited_too_long_is_skipped_noted_and_counted(store, caplog):
    """The events of fill() were received in 1970; one more is of now."""

    class Day(Everything):
        retain_for = 86400.0

    sink = begun_at_zero(store, Destination())
    fill(store, 2)
    now = Arrival(
        journal_id=JOURNAL, journal_seq=3, received_ns=time.time_ns(), source="s", address="a", peer="p",
        credential="c", content_type="", body=b"{}", records=(Record(type="A.B", record={}),),
    )  # fmt: skip
    store.log.write([now], "journal", 3)
    with Running(sink, store, feed=Day()):
        until(lambda: sink.taken == [3, 4])  # the last one tells of it
    assert store.cursors.counts() == {("destination", "sent"): 2, ("destination", "skipped"): 2}
    (told,) = store.log.read_events_after(3, 10)
    assert (told.type, told.level, told.resource_id) == ("RedfleetEvents.SinkSkipped", "ERROR", "destination")
    assert "for 2 events" in told.message
    assert "2 events up to this one waited longer than retain_for" in store.rejections.list("destination")[0].reason
    assert "half of retain_for" in caplog.text


def test_a_feed_asks_the_registry_and_follows_its_changes(store):
    settings = Settings(
        sinks=Sinks(syslog=[SyslogSink(name="destination", host="h")]),
        routes=[Route(name="r1", sinks=["destination"], labels={"rack": "r1"})],
    )
    sink = begun_at_zero(store, Destination())
    feed = feed_for(sink, settings, store)
    fill(store, 1)
    batch = store.log.read_events_after(0, 10)
    assert feed(batch) == []
    store.sources.upsert([registry.SourceChange(name="s", labels={"rack": "r1"})])
    assert [event.seq for event in feed(batch)] == [1]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_grows_to_a_limit(attempt, chance):
    seconds = backoff.delay(attempt, chance)
    assert 0.25 <= seconds <= backoff.MAX_SECONDS
    assert seconds <= backoff.delay(attempt + 1, chance)


def test_a_sink_that_is_down_notices_at_once_what_an_operator_does(store):
    """Its back-off may be a minute long; pausing, resuming and replaying don't wait for its end."""
    sink = begun_at_zero(store, Destination(Retry("down", after=3600), Retry("down", after=3600)))
    fill(store, 3)
    with Running(sink, store):
        until(lambda: [lane.state for lane in store.cursors.lanes()] == ["retrying"])
        store.cursors.pause("destination")
        until(lambda: [lane.state for lane in store.cursors.lanes()] == ["paused"])
        assert store.cursors.resume("destination")
        until(lambda: len(sink.answers) == 0)
        until(lambda: [lane.state for lane in store.cursors.lanes()] == ["retrying"])
        store.cursors.rewind("sink:destination", "destination", 1)
        until(lambda: sink.taken == [2, 3])


def test_a_lane_whose_sink_waits_long_is_not_taken_over(store):
    """The lease is as long as the process, not as the peer's patience."""
    gate = threading.Event()

    class Slow(Destination):
        def send(self, batch):
            gate.wait(30)
            return super().send(batch)

    first, second = begun_at_zero(store, Slow()), Destination()
    fill(store, 3)
    with Running(first, store, "one", ttl=3.0) as running:
        keeper = places.Keeper([running.lane.place], running.stop, every=0.2)
        keeper.start()
        until(lambda: store.cursors.holder("destination") == "one")
        with Running(second, store, "two", ttl=3.0):
            time.sleep(4)  # longer than the lease
            gate.set()
            until(lambda: first.taken == [1, 2, 3])
    assert second.taken == []


class Gathering(Everything):
    """A sink with batches of five, collected for as long as the test says."""

    batch, batch_interval = 5, 3600.0


def test_a_batch_is_collected_until_it_is_full(store):
    sink = begun_at_zero(store, Batches())
    fill(store, 3)
    with Running(sink, store, feed=Gathering(), batch=5) as running:
        until(lambda: running.lane._collector.batch)
        assert sink.batches == []
        fill(store, 4, first=4)
        running.wake.tell()
        until(lambda: sink.batches)
        until(lambda: store.cursors.get("sink:destination") == 5)
        assert sink.batches == [[1, 2, 3, 4, 5]]


def test_a_batch_is_sent_when_its_time_is_over(store):
    class Second(Gathering):
        batch_interval = 0.3

    sink = begun_at_zero(store, Batches())
    fill(store, 2)
    with Running(sink, store, feed=Second(), batch=5):
        until(lambda: sink.batches)
        until(lambda: store.cursors.get("sink:destination") == 2)
    assert sink.batches == [[1, 2]]


class Batches(Destination):
    """Remembers what came together."""

    def __init__(self, *answers):
        super().__init__(*answers)
        self.batches = []

    def send(self, batch):
        self.batches.append([unit.seq for unit in batch])
        return super().send(batch)


def test_a_collected_batch_counts_what_the_routes_chose(store):
    """Of ten events the route takes five: one batch, whatever was read for it; what isn't chosen is passed."""

    class OddOnes(Gathering):
        def __call__(self, batch):
            return [unit for unit in batch if unit.seq % 2]

    sink = begun_at_zero(store, Batches())
    fill(store, 10)
    with Running(sink, store, feed=OddOnes(), batch=5):
        until(lambda: store.cursors.get("sink:destination") in (9, 10))
    assert sink.batches == [[1, 3, 5, 7, 9]]
