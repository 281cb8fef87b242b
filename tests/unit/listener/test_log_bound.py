# SPDX-License-Identifier: GPL-3.0-or-later
"""The events stay within their bound of bytes: the oldest that may go do, and it is told once how many and why."""

import itertools

import pytest
from event_listener import status
from event_listener.event import Record
from event_listener.journal import Journal
from event_listener.policy import Owner
from event_listener.settings import Settings
from event_listener.settings_disk import Disk
from event_listener.settings_events import EventPurge, EventSettings
from event_listener.settings_files import FileSink
from event_listener.steward import Steward
from event_listener.store import Actor, Deed, Query, Store
from event_listener.tidy import Tidy

from tests.unit.listener.stores import arrival, write

COUNT = 400


@pytest.fixture
def log(emptied):
    """Events of about seven kilobytes each, the words not alike; all indexed, and the text log has them."""
    for first in range(1, COUNT + 1, 50):
        write(emptied, *(_arrival(seq) for seq in range(first, first + 50)))
    emptied.search.step()
    emptied.cursors.advance("sink:text_log", COUNT)
    return emptied


def _arrival(seq):
    pad = " ".join(f"{seq * 7919 + number:x}" for number in range(400))
    return arrival(seq, records=(Record(type="A.1", message=f"word{seq}", record={"pad": pad}),), body=pad.encode())


def tidy(store, tmp_path, bound, **more):
    settings = Settings(
        state_dir=str(tmp_path),
        disk=Disk(reserve=0, events=bound),
        event=EventSettings(purge=EventPurge(batch=10, delay=0)),
    )
    return Tidy(settings, store, **{"now_ns": lambda: 10**9, **more})


def left(store):
    events = store.queries.find(Query(type=("A.*",), order="asc", limit=1000, archived="all")).events
    return [event.seq for event in events]


def told(store):
    found = store.queries.find(Query(type=("RedfleetEvents.EventsGivenUp",), order="asc")).events
    return [event.record["Oem"]["redfleet"] for event in found]


def test_the_oldest_go_until_a_tenth_is_free(log, tmp_path):
    """No more than that, however slowly the database gives back space; and they are counted, with the reason."""
    before = log.space.look()
    assert before.size > COUNT * 2000
    assert before.events == COUNT
    bound = int(before.size * 0.8)
    removed = sum(tidy(log, tmp_path, bound).removing())
    after = log.space.look()
    assert COUNT * 0.2 < removed < COUNT * 0.4
    assert after.size < bound
    assert left(log) == list(range(removed + 1, COUNT + 1))
    (loss,) = told(log)
    assert (loss["what"], loss["count"]) == ("events", removed)
    assert log.given_up.counts() == {"events": removed}
    began, ended = log.queries.find(Query(category=("AsyncJobEvent",), order="asc")).events
    assert began.start_id == ended.start_id == "purge:space:1000000000"
    assert ended.message_args[1] == str(removed)
    assert sum(tidy(log, tmp_path, bound).removing()) == 0
    assert len(told(log)) == 1


def test_no_bound_and_one_that_is_not_reached(log, tmp_path):
    for bound in (0, 2 * log.space.look().size):
        assert sum(tidy(log, tmp_path, bound).removing()) == 0
    assert sum(tidy(log, tmp_path, 1, quarantined=lambda: None).removing()) == 0  # its size isn't known yet


def test_what_must_stay_stays(log, tmp_path):
    """What a required sink lacks and what is archived; that too little may go isn't tried again at once, nor told."""
    log.deeds.do(Deed.ARCHIVE, Query(until_ns=100_000), Actor("ada", "192.0.2.9"), Owner())
    log.cursors.rewind("sink:text_log", "text_log", 150)
    log.search.step()
    moments, steps, ticks = [0.0], itertools.count(), itertools.count(10**9)
    keeper = tidy(log, tmp_path, 1, clock=lambda: next(steps) + moments[0], now_ns=lambda: next(ticks))
    assert sum(keeper.removing()) == 51
    assert left(log) == [*range(1, 100), *range(151, COUNT + 1)]
    log.cursors.advance("sink:text_log", 160)
    assert sum(keeper.removing()) == 0
    moments[0] = 700.0
    assert sum(keeper.removing()) == 10
    moments[0] = 1400.0
    assert sum(keeper.removing()) == 0
    assert [loss["count"] for loss in told(log)] == [51, 10]
    assert log.given_up.counts() == {"events": 61}


def test_what_a_kill_broke_off_is_told_by_the_next(log, tmp_path):
    """With all that went before and after it, once, as the same job."""
    bound = int(log.space.look().size * 0.8)
    ticks = itertools.count(10**9)
    first = tidy(log, tmp_path, bound, now_ns=lambda: next(ticks)).removing()
    assert sum(itertools.islice((count for count in first if count), 3)) == 30
    first.close()  # killed
    assert told(log) == []
    again = Store(log._backend)
    more = sum(tidy(again, tmp_path, bound, now_ns=lambda: next(ticks)).removing())
    (loss,) = told(log)
    assert loss["count"] == 30 + more
    assert left(log) == list(range(30 + more + 1, COUNT + 1))
    assert log.given_up.counts() == {"events": 30 + more}
    jobs = log.queries.find(Query(category=("AsyncJobEvent",), order="asc")).events
    assert len({event.start_id for event in jobs}) == 1
    assert [event.state.value for event in jobs] == ["Started", "Completed"]


def test_payloads_without_events_go_with_them(log, tmp_path):
    write(log, *(arrival(seq, records=(), body=b"x" * 9000) for seq in range(COUNT + 1, COUNT + 51)))
    log.cursors.advance("sink:text_log", COUNT + 50)
    keeper = tidy(log, tmp_path, 1)
    assert sum(keeper.removing()) == COUNT
    assert sum(keeper.removing()) == 0
    assert left(log) == []
    assert log.queries.counts()["payload"] == log.queries.counts()["event"]  # those of our own, that tell of it


def test_quarantine_is_not_held_against_events(emptied):
    """In SQLite both are in one file."""
    empty = emptied.space.look().size
    write(emptied, *(arrival(seq, problem="broken", body=b"x" * 9000) for seq in range(1, 101)))
    assert abs(emptied.space.look(900_000).size - empty) < 450_000


def test_the_steward_measures_it(log, tmp_path):
    """For /metrics and readiness."""
    (tmp_path / "run").mkdir()
    Journal(tmp_path).close()
    off = FileSink(enabled=False)
    sinks = type(Settings().sinks)(text_log=off, json_lines=off)
    keeper = Steward(Settings(state_dir=str(tmp_path), disk=Disk(reserve=0, events=1000), sinks=sinks), log)
    assert keeper.quarantined is None
    part = next(part for part in keeper.step().parts if part.name == "events")
    assert (keeper.quarantined, part.bound, part.is_full) == (0, 1000, True)
    assert part.used == log.space.look().size
    (check,) = status.bounds(tmp_path)
    assert (check.name, check.status) == ("disk.events", "degraded")
    assert "disk.events" in check.reason
