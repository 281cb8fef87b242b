# SPDX-License-Identifier: GPL-3.0-or-later
"""The http sink and a web server: batches, credentials, and every answer that a server gives."""

from __future__ import annotations

import base64
import json
import time

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.integration.bus.bus_harness import HttpPeer, RunningRelay, assert_arrived
from tests.services.service import wait_until


@pytest.fixture
def peer():
    peer = HttpPeer()
    yield peer
    peer.close()


def with_settings(peer, **settings):
    sinks = peer.sinks(peer.target()[0])
    sinks["http"][0].update(settings)
    return sinks


def test_batches_are_cloudevents(tmp_path, peer):
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    sinks = with_settings(peer, token={"file": str(token)}, headers={"X-Site": "one"}, batch=40)
    with RunningRelay(tmp_path, sinks) as relay:
        relay.feed(100)
        relay.wait_for("bus")
        logged = relay.logged()
    assert_arrived(logged, peer.received())
    assert len(peer.received()) == 100
    for headers, body in peer.batches:
        assert headers["Content-Type"] == "application/cloudevents-batch+json; charset=utf-8"
        assert (headers["Authorization"], headers["X-Site"]) == ("Bearer t0ken", "one")
        events = json.loads(body)
        assert 0 < len(events) <= 40
        for event in events:
            read = JSONFormat().read(CloudEvent, json.dumps(event))
            assert read.get_data()["record"]["MessageId"] == "ResourceEvent.1.3.ResourceChanged"


def test_basic_authentication(tmp_path, peer):
    password = tmp_path / "password"
    password.write_text("pä:ss")
    with RunningRelay(tmp_path, with_settings(peer, username="u", password={"file": str(password)})) as relay:
        relay.feed(1)
        relay.wait_for("bus")
    assert base64.b64decode(peer.batches[0][0]["Authorization"].split()[1]).decode() == "u:pä:ss"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_an_answer_that_passes_is_tried_again_soon(tmp_path, peer, status):
    peer.answers = [lambda _body: (status, {})] * 2
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(3)
        relay.wait_for("bus")
        assert relay.store.rejections.list("bus") == []
        assert_arrived(relay.logged(), peer.received())


@pytest.mark.parametrize(
    ("status", "hint"),
    [(301, "leads elsewhere"), (307, "leads elsewhere"), (401, "token"), (403, "may not send"), (404, "url"),
     (405, "POST"), (410, "gone for good"), (415, "no CloudEvents in batches"), (418, "check its settings")],
)  # fmt: skip
def test_wrong_settings_are_said_and_tried_slowly(tmp_path, peer, status, hint):
    """Nothing is given up, nobody is hammered; an operator who changed something needn't wait for the minute."""
    asked = []
    peer.answers = [lambda _body: asked.append(1) or (status, {"Location": "/there"})]
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(3)
        wait_until(lambda: hint in relay.state("bus")[1], lambda: str(relay.state("bus")))
        assert relay.state("bus")[0] == "retrying"
        assert f"answers {status}" in relay.state("bus")[1]
        relay.feed(3)
        wait_until(lambda: relay.json_lines() == 6, "the neighbour goes on")
        assert (len(asked), peer.batches) == (1, [])
        relay.store.cursors.pause("bus")
        wait_until(lambda: relay.state("bus")[0] == "paused", "the lane stopped")
        relay.store.cursors.resume("bus")
        relay.wait_for("bus")
        assert relay.store.rejections.list("bus") == []
        assert_arrived(relay.logged(), peer.received())


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_everything_costs_nothing(tmp_path, peer, status):
    """As a proxy does that was sent HTTP on its HTTPS port: no event goes to quarantine for that."""
    peer.answers = [lambda _body: (status, {})] * 1000
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(10)
        wait_until(lambda: "it has taken no event yet" in relay.state("bus")[1], lambda: str(relay.state("bus")))
        assert relay.store.rejections.list("bus") == []
        peer.answers = []
        relay.store.cursors.rewind("sink:bus", "bus", 0)
        relay.wait_for("bus")
        assert_arrived(relay.logged(), peer.received())


def test_a_refused_event_at_the_very_beginning_is_found_too(tmp_path, peer):
    """No event was taken yet, but the next ones are: so it is the event."""
    peer.answers = [lambda body: (422, {}) if b"poison" in body else (204, {})] * 1000
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(2, Message="poison")
        relay.feed(3)
        relay.wait_for("bus")
        assert [item.unit_seq for item in relay.store.rejections.list("bus")] == [2, 1]
        assert_arrived(relay.logged()[2:], peer.received())


def test_retry_after_is_obeyed(tmp_path, peer):
    asked = []
    peer.answers = [lambda _body: asked.append(time.monotonic()) or (503, {"Retry-After": "3"})]
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(1)
        relay.wait_for("bus")
        assert time.monotonic() - asked[0] >= 3


def test_the_refused_event_is_found_among_the_others(tmp_path, peer):
    """A server that refuses a batch for one of its events: that one is quarantined, the rest arrives in order."""

    def judge(body):
        return (422, {}) if b"poison" in body else (204, {})

    peer.answers = [judge] * 1000
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(20)
        relay.feed(1, Message="poison")
        relay.feed(20)
        relay.wait_for("bus")
        rejected = relay.store.rejections.list("bus")
        logged = relay.logged()
    assert [(item.unit_seq, "answers 422" in item.reason) for item in rejected] == [(21, True)]
    assert_arrived(logged[:20] + logged[21:], peer.received())


def test_a_batch_that_is_too_large_is_sent_in_parts(tmp_path, peer):
    peer.answers = [lambda body: (413, {}) if len(body) > 8000 else (200, {})] * 1000
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(100)
        relay.wait_for("bus")
        assert relay.store.rejections.list("bus") == []
        assert_arrived(relay.logged(), peer.received())


def test_secrets_and_conflicts_in_the_settings(tmp_path, peer):
    missing = {"file": str(tmp_path / "nothing")}
    with RunningRelay(tmp_path, with_settings(peer, token=missing)) as relay:
        relay.feed(1)
        wait_until(lambda: "can't be read" in relay.state("bus")[1], "it says why")
    assert peer.batches == []
