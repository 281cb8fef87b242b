# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is silent, who is back, who is another one: judged fairly, told once."""

import json
import time

import pytest
from event_listener import registry
from event_listener.event import Level, Origin
from event_listener.indexer import Indexer
from event_listener.journal import Entry, Journal
from event_listener.judge import Judge
from event_listener.registry import Source
from event_listener.source_health import Expectation, FairStart
from event_listener.source_view import view
from event_listener.store import open_store

SECOND = 1_000_000_000
MINUTES = 60 * SECOND


@pytest.mark.parametrize(
    ("source", "expectation", "longest"),
    [
        ({"heartbeat_minutes": 10}, {}, 1860),
        ({"heartbeat_minutes": 10}, {"proof_minutes": 60, "missed_heartbeats": 1, "grace": 0}, 600),
        ({"heartbeat_minutes": 0}, {"proof_minutes": 60}, 7260),
        ({}, {"proof_minutes": 60}, 7260),
        ({}, {}, None),
        ({"heartbeat_minutes": 10, "state": "maintenance"}, {}, None),
        ({"heartbeat_minutes": 10, "state": "retired"}, {}, None),
    ],
)
def test_how_long_a_source_may_be_silent(source, expectation, longest):
    """Heartbeats say it, else the timer of proofs; of a source in maintenance nothing is expected."""
    assert Expectation(**expectation).longest(Source(name="bmc1", **source)) == longest


def test_the_fair_start_follows_jumps():
    """Forwards, backwards, and while nobody listens; a slow drift or a late look is no jump."""
    start = FairStart(1000 * SECOND, 50.0)
    assert start.step(1060 * SECOND, 110.0, listening=True)
    assert start.step(1124 * SECOND, 170.0, listening=True), "NTP slews"
    assert start.ns == 1000 * SECOND
    assert not start.step(9999 * SECOND, 180.0, listening=True)
    assert start.ns == 9999 * SECOND
    assert not start.step(1200 * SECOND, 190.0, listening=True)
    assert start.ns == 1200 * SECOND
    assert not start.step(1210 * SECOND, 200.0, listening=False)
    assert start.ns == 1210 * SECOND


class Host:
    """A listener on one host, by a clock that the test sets."""

    def __init__(self, path):
        self.path, self.now, self.passed, self.up = path, time.time_ns(), 1000.0, True
        self.journal, self.store = Journal(path), open_store(path)
        self.indexer = Indexer(path, self.store, 100)
        self.judge = self.new_judge()

    def new_judge(self):
        """What a restart of the relay, or another relay, has."""
        return Judge(self.store, self.path, Expectation(), lambda: self.up, lambda: (self.now, self.passed))

    def register(self, **sources):
        self.store.sources.upsert(registry.changes([{"name": name, **fields} for name, fields in sources.items()]))

    def hear(self, source):
        body = json.dumps({"Events": [{"MessageId": "HeartbeatEvent.1.0.RedfishServiceFunctional"}]}).encode()
        self.journal.append([Entry(self.now, source, "192.0.2.1", "c", "application/json", "ok", "", body)])
        self.indexer.step()

    def wait(self, minutes, judge=None):
        """Time passes, with a look every minute."""
        for _minute in range(minutes):
            self.now += MINUTES
            self.passed += 60
            (judge or self.judge).step()

    @property
    def told(self):
        events = self.store.log.read_events_after(0, 1000)
        return [(event.type.partition(".")[2], event.source) for event in events if event.type.startswith("Redfleet")]

    def close(self):
        self.indexer.close()
        self.journal.close()
        self.store.close()


@pytest.fixture
def host(tmp_path):
    found = Host(tmp_path)
    found.register(beats={"heartbeat_minutes": 10}, dead={"heartbeat_minutes": 10}, quiet={})
    yield found
    found.close()


def test_silence_and_return_are_told_once(host):
    """Also after a restart and by a second relay; a source that nobody expects anything of is never silent."""
    for _ten in range(4):
        host.hear("beats")
        host.wait(10)
    assert host.told == [("SourceSilent", "dead")]
    second = host.new_judge()
    host.hear("beats")
    host.wait(5, second)
    host.wait(5)
    host.hear("beats")
    host.wait(25, host.new_judge())
    assert host.told == [("SourceSilent", "dead")]
    assert {one["name"]: one["health"]["status"] for one in view(host.store)} == {
        "beats": "ok", "dead": "silent", "quiet": "unjudged"
    }  # fmt: skip
    host.hear("dead")
    host.wait(1, second)
    host.wait(1)
    assert host.told == [("SourceSilent", "dead"), ("SourceBack", "dead")]
    host.hear("beats")
    host.wait(32)
    assert sorted(host.told[2:]) == [("SourceSilent", "beats"), ("SourceSilent", "dead")]
    first = host.store.log.read_events_after(0, 1000)[4]
    assert (first.level, first.origin) == (Level.WARN, Origin.LIVE)


def test_two_relays_that_judge_at_once_tell_once(host):
    """Both saw the same; what they store is compared with what is there."""
    host.wait(30)
    other = host.new_judge()
    other._fair.ns = host.judge._fair.ns
    before = host.store.health.all()
    host.wait(2)
    assert sorted(host.told) == [("SourceSilent", "beats"), ("SourceSilent", "dead")]
    host.store.health.all = lambda: before  # what the other one had read a moment ago
    other.step()
    del host.store.health.all
    assert len(host.told) == 2


def test_a_clock_jump_makes_nobody_silent(host):
    """Nor does a time in which ingest didn't answer: all get their full time again."""
    host.wait(1)
    host.now += 365 * 24 * 60 * MINUTES
    host.wait(1)
    host.now -= 400 * 24 * 60 * MINUTES
    host.wait(20)
    host.up = False
    host.wait(120)
    host.up = True
    host.wait(30)
    assert host.told == []
    host.wait(3)
    assert len(host.told) == 2


def test_what_is_no_longer_expected_is_forgotten(host):
    """Maintenance, retirement and removal end a silence without a word."""
    host.wait(32)
    assert len(host.told) == 2
    host.register(dead={"state": "maintenance"})
    host.store.sources.delete("beats")
    host.wait(1)
    assert host.store.health.all() == {}
    assert len(host.told) == 2


def test_another_board_or_a_reused_address_is_told(host):
    """What becomes known is no change; registering the same again tells nothing, checking never does."""
    host.register(a={"address": "192.0.2.1"}, b={"address": "192.0.2.2", "serial": "s1"})
    host.register(a={"uuid": "u1", "serial": "s0"}, b={"serial": "s1"})
    assert host.told == []
    changes = registry.changes([{"name": "b", "serial": "s2", "address": "192.0.2.1"}])
    host.store.sources.upsert(changes, check=True)
    assert host.told == []
    host.store.sources.upsert(changes)
    host.store.sources.upsert(changes)
    assert host.told == [("SourceReplaced", "b"), ("SourceReplaced", "a")]
    board, address = host.store.log.read_events_after(0, 10)
    assert board.message == "b is another board: its serial was s1 and is s2."
    assert address.message == "The address 192.0.2.1 of a is that of b now."


def test_a_source_that_was_heard_by_a_later_clock_can_fall_silent(host):
    """The clock was two weeks ahead when it spoke last, and was set back: from then on it is waited for."""
    host.hear("dead")
    host.now += 20_000 * MINUTES
    host.hear("beats")
    host.wait(1)
    host.now -= 20_000 * MINUTES
    host.wait(29)
    host.hear("dead")
    assert host.told == []
    host.wait(5)
    assert host.told == [("SourceSilent", "beats")]
    host.wait(20)
    assert host.told == [("SourceSilent", "beats")]
    host.hear("beats")
    host.wait(1)
    assert host.told == [("SourceSilent", "beats"), ("SourceBack", "beats")]
