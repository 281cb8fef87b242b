# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener trace` beside a relay: what became of an event at each sink, and when."""

import json
import time

import pytest
from event_listener.event import nanoseconds

from tests.integration.bus.bus_harness import ALERT, HttpPeer, RunningRelay
from tests.integration.bus.test_sink_commands import command
from tests.services.service import wait_until


@pytest.fixture
def peers():
    peers = [HttpPeer(), HttpPeer()]
    yield peers
    for peer in peers:
        peer.close()


def test_the_way_of_an_event(tmp_path, peers):
    sinks = peers[0].sinks(peers[0].target()[0])
    sinks["http"].append({**sinks["http"][0], **peers[1].settings(peers[1].target()[0]), "name": "alerts"})
    sinks["json_lines"] = {"directory": str(tmp_path / "logs")}
    routes = [
        {"name": "all", "sinks": ["bus"]},
        {"name": "errors", "sinks": ["alerts"], "levels": ["ERROR"]},
    ]

    def judge(body):
        return (422, {}) if b"poison" in body else (204, {})

    peers[0].answers = [judge] * 1000

    def traced(event_id, as_routes=routes):
        found = json.loads(command(tmp_path, sinks, "trace", event_id, "--json", routes=as_routes))
        return found, {sink["sink"]: sink for sink in found["sinks"]}

    with RunningRelay(tmp_path, sinks, routes=routes) as relay:
        began = time.time_ns()
        relay.feed(5)
        relay.wait_for("bus")
        relay.feed(1, **ALERT, Message="poison")
        relay.feed(2, **ALERT)
        relay.wait_for("bus")
        relay.wait_for("alerts")
        wait_until(lambda: relay.json_lines() == 8, "the files are written")
        wait_until(lambda: relay.cursor("json_lines") == 8, "the files are confirmed")
        ended = time.time_ns()
        plain, _, poison, alert = [relay.logged()[index].id for index in (0, 1, 5, 7)]

        found, by_sink = traced(plain)
        assert found["credential"] == "bmcs"
        assert began - 1e9 < nanoseconds(found["received"]) <= nanoseconds(found["indexed"]) < ended + 2e9
        assert by_sink["bus"]["state"] == by_sink["json_lines"]["state"] == "confirmed"
        assert nanoseconds(found["received"]) <= nanoseconds(by_sink["bus"]["confirmed"]) < ended + 2e9
        assert by_sink["bus"]["route"] == "all"
        assert (by_sink["alerts"]["state"], by_sink["alerts"]["reason"]) == (
            "not routed", "route errors: INFO is not in levels",
        )  # fmt: skip
        _, by_sink = traced(poison)
        assert by_sink["bus"]["state"] == "rejected"
        assert "answers 422" in by_sink["bus"]["reason"]
        assert by_sink["alerts"]["state"] == "confirmed"

        command(tmp_path, sinks, "sink", "replay", "bus", "--from", alert, routes=routes)
        wait_until(lambda: len([one for one in peers[0].received() if one.id == alert]) == 2, "it came again")
        relay.wait_for("bus")
        assert len(traced(alert)[1]["bus"]["again"]) == 1

        command(tmp_path, sinks, "sink", "pause", "bus", routes=routes)
        wait_until(lambda: relay.state("bus")[0] == "paused", "it is paused")
        relay.feed(1)
        waiting = relay.logged()[-1].id
        _, by_sink = traced(waiting)
        assert (by_sink["bus"]["state"], "paused" in by_sink["bus"]["reason"]) == ("waiting", True)
        text = command(tmp_path, sinks, "trace", waiting, routes=routes)
        assert f"{waiting}  bmc4  ResourceEvent.ResourceChanged" in text
        assert relay.store.rejections.give_up(1, 1) == 1
        assert traced(poison)[1]["bus"]["state"] == "passed"  # not confirmed: nobody knows any more
        assert "not routed" in text
        assert "quarantine list" in command(tmp_path, sinks, "trace", "nothing", routes=routes, status=1)


def test_an_event_from_before_a_sink(tmp_path, peers):
    with RunningRelay(tmp_path, {}) as relay:
        relay.feed(3)
        old = relay.logged()[0].id
        sinks = peers[0].sinks(peers[0].target()[0])
        relay.store.cursors.begin("sink:bus", relay.store.log.head())
        found = json.loads(command(tmp_path, sinks, "trace", old, "--json"))
    state = next(sink for sink in found["sinks"] if sink["sink"] == "bus")
    assert (state["state"], "sink replay" in state["reason"]) == ("before its time", True)
