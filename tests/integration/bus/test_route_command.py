# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener route test` beside a relay: it says what a changed route would have sent, and what the relay did."""

import json

import pytest
from event_listener.cloudevents import encode

from tests.integration.bus.bus_harness import ALERT, HttpPeer, RunningRelay
from tests.integration.bus.test_sink_commands import command


@pytest.fixture
def peer():
    peer = HttpPeer()
    yield peer
    peer.close()


def test_what_a_changed_route_would_have_sent(tmp_path, peer):
    sinks = peer.sinks(peer.target()[0])
    old = [{"name": "all", "sinks": ["bus"]}]
    new = [{"name": "errors", "sinks": ["bus"], "levels": ["ERROR"], "origins": ["live", "test"]}]
    with RunningRelay(tmp_path, sinks, routes=old) as relay:
        relay.feed(30)
        relay.feed(12, **ALERT)
        relay.feed(3, **ALERT, EventId="redfleet-test-1")
        relay.feed(5, EventId="redfleet-test-2")
        relay.wait_for("bus")
        delivered = {item.id for item in peer.received()}
        position = relay.cursor("bus")
        before = tmp_path / "before"
        before.mkdir()
        command(before, sinks, "check", "--syntax-only", routes=old)
        comparing = ("route", "test", "--since", "1h", "--against", str(before / "config.yml"))
        text = command(tmp_path, sinks, *comparing, routes=new)
        (shown,) = [json.loads(command(tmp_path, sinks, *comparing, "--json", "--samples", "50", routes=new))]
        current = json.loads(command(tmp_path, sinks, "route", "test", "--since", "1h", "--json", routes=old))
        assert (relay.cursor("bus"), len(peer.received())) == (position, 42)  # nothing was sent
        known = {event.id for event in relay.store.log.read_events_after(0, 100)}
    assert "50 events received from" in text
    assert "bus: 15 would be sent, 35 would not" in text
    assert "15  by route errors" in text
    assert "35  not: route errors: INFO is not in levels" in text
    assert (shown["sent"], shown["more"], shown["fewer"]) == (15, 3, 30)
    assert {sample.split()[1] for sample in shown["samples"]} < known
    assert current["sent"] == len(delivered) == 42
    assert current["reasons"] == {"route all: test is not in origins": 8}


def test_a_time_a_sink_and_mistakes(tmp_path, peer):
    sinks = peer.sinks(peer.target()[0])
    with RunningRelay(tmp_path, sinks) as relay:
        relay.feed(10)
        relay.wait_for("bus")
        middle = relay.store.log.read_events_after(0, 100)[-1]
        until = encode(middle)["time"]
        text = command(tmp_path, sinks, "route", "test", "--until", until, "--sink", "bus", "--json")
        assert 0 <= json.loads(text)["sent"] < 10
        assert "there is no sink x; there are: bus" in command(
            tmp_path, sinks, "route", "test", "--sink", "x", status=1
        )
        assert "is no time" in command(tmp_path, sinks, "route", "test", "--since", "yesterday", status=1)
        wrong = [{"name": "a", "sinks": ["bus"], "where": "["}]
        assert "not a JMESPath" in command(tmp_path, sinks, "route", "test", routes=wrong, status=78)
    assert "no sink that gets events by routes" in command(tmp_path, {}, "route", "test", status=1)
