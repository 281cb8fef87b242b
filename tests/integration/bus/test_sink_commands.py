# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener sink` and `check` as an operator runs them, beside a relay that works."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml
from event_listener.event import rfc3339

from tests.integration.bus.bus_harness import HttpPeer, RunningRelay
from tests.services.service import wait_until


@pytest.fixture
def peer():
    peer = HttpPeer()
    yield peer
    peer.close()


def command(directory, sinks, *arguments, status=0, **settings):
    config = directory / "config.yml"
    files = {"text_log": {"enabled": False}, "json_lines": {"directory": str(directory / "logs")}}
    ingest = {"plain_http": True}
    data = {"state_dir": str(directory / "state"), "user": "root", "ingest": ingest, "sinks": {**files, **sinks}}
    config.write_text(yaml.safe_dump({**data, **settings}))
    line = [sys.executable, "-m", "event_listener", "--config", str(config), *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_pause_resume_replay_rejected(tmp_path, peer):
    sinks = peer.sinks(peer.target()[0])
    with RunningRelay(tmp_path, sinks) as relay:
        relay.feed(10)
        relay.wait_for("bus")
        logged = relay.logged()
        assert "paused" in command(tmp_path, sinks, "sink", "pause", "bus")
        wait_until(lambda: relay.state("bus")[0] == "paused", "the lane stopped", 60)
        assert "paused" in command(tmp_path, sinks, "sinks")
        relay.feed(10)
        wait_until(lambda: relay.json_lines() == 21, "the neighbour goes on")
        assert len(peer.received()) == 10
        (row,) = [row for row in command(tmp_path, sinks, "sinks", "--seconds", "0.1").splitlines() if "paused" in row]
        assert re.search(r" 11 events, \d+\.\d s +0/s +10 +0 +paused", row)
        assert "goes on" in command(tmp_path, sinks, "sink", "resume", "bus")
        relay.wait_for("bus")
        assert "wasn't paused" in command(tmp_path, sinks, "sink", "resume", "bus")

        replay = ("sink", "replay", "bus", "--from")
        assert "14 events are looked at again" in command(tmp_path, sinks, *replay, logged[8].id)
        wait_until(lambda: len(peer.received()) == 37, "they came again", 60)
        assert peer.received()[22] == logged[8]
        start = rfc3339(relay.store.queries.get(logged[0].id).received_ns)
        assert "23 events are looked at again" in command(tmp_path, sinks, *replay, start)
        wait_until(lambda: len(peer.received()) == 61, "all came again", 60)

        peer.answers = [lambda _body: (400, {})] * 100
        relay.feed(1)
        relay.wait_for("bus")
        assert "event 25: 127.0.0.1" in command(tmp_path, sinks, "sink", "rejected", "bus")


def test_what_cannot_be_done_is_said(tmp_path, peer):
    sinks = peer.sinks(peer.target()[0])
    with RunningRelay(tmp_path, sinks):
        assert "not configured; those that" in command(tmp_path, sinks, "sink", "pause", "other", status=1)
        assert "is a file sink" in command(tmp_path, sinks, "sink", "pause", "json_lines", status=1)
        answer = command(tmp_path, sinks, "sink", "replay", "json_lines", "--from", "2026-11-22T03:00:00Z", status=1)
        assert "give --into FILE" in answer
        answer = command(tmp_path, sinks, "sink", "replay", "bus", "--from", "yesterday", status=1)
        assert "neither the id of a stored event nor a time" in answer


def test_a_file_sink_is_replayed_into_a_new_file(tmp_path):
    """What it writes there is what it wrote: all of it, or one source's, from an event or a time on."""
    sinks = {"text_log": {"directory": str(tmp_path / "logs")}}
    replay = ("sink", "replay", "text_log", "--from")
    with RunningRelay(tmp_path, sinks) as relay:
        relay.feed(20)
        logged = relay.logged()
        again = tmp_path / "again.txt"
        assert "20 entries" in command(tmp_path, sinks, *replay, logged[0].id, "--into", str(again))
        assert [int(line.rpartition(":")[2]) for line in again.read_text().splitlines()[::3]] == list(range(1, 21))
        one = tmp_path / "one.txt"
        received = rfc3339(relay.store.queries.get(logged[0].id).received_ns)
        command(tmp_path, sinks, *replay, received, "--into", str(one), "--source", "bmc1")
        assert re.findall(r"number (\d+)", one.read_text()) == ["1", "6", "11", "16"]
        assert command(tmp_path, sinks, *replay, logged[17].id, "--into", "-").count("Host IP") == 3

        lines = ("sink", "replay", "json_lines", "--from", logged[18].id, "--into", str(tmp_path / "again.jsonl"))
        command(tmp_path, sinks, *lines)
        assert [json.loads(line)["id"] for line in (tmp_path / "again.jsonl").read_text().splitlines()] == [
            item.id for item in logged[18:]
        ]
        assert "is there already" in command(tmp_path, sinks, *lines, status=1)
        assert "writes no files; those that do: text_log, json_lines" in command(
            tmp_path, sinks, "sink", "replay", "amqp", "--from", logged[0].id, "--into", "x", status=1
        )
        outside = tmp_path / "outside"
        (tmp_path / "link").symlink_to(outside)
        into = ("--into", str(tmp_path / "link"))
        assert "is there already" in command(tmp_path, sinks, *replay, logged[0].id, *into, status=1)
        assert not outside.exists()


@pytest.mark.parametrize(
    ("sinks", "problem"),
    [
        ({"kafka": [{"name": "k", "topic": "t"}]}, "sinks.kafka: k: bootstrap.servers is missing"),
        ({"syslog": [{"name": "s", "host": "h", "tls": {"ca": "/nowhere/ca.pem"}}]}, "/nowhere/ca.pem can't be used"),
        ({"http": [{"name": "h", "url": "https://h/", "token": {"env": "NO_SUCH"}}]}, "sinks.http[0].token"),
    ],
)
def test_check_looks_at_what_sinks_refer_to(tmp_path, sinks, problem):
    (tmp_path / "state").mkdir()
    assert problem in command(tmp_path, sinks, "check", status=78)


def test_a_sink_without_its_library_waits_and_says_which(tmp_path, monkeypatch):
    """As where the extra isn't installed: nothing else is disturbed, and `check` says it beforehand."""
    monkeypatch.setitem(sys.modules, "pika", None)
    monkeypatch.delitem(sys.modules, "event_listener.sinks.amqp", raising=False)
    monkeypatch.delitem(sys.modules, "event_listener.sinks.amqp_link", raising=False)
    with RunningRelay(tmp_path, {"amqp": [{"name": "bus", "hosts": ["127.0.0.1:1"]}]}) as relay:
        relay.feed(1)
        wait_until(lambda: "redfleet-event-listener[amqp]" in relay.state("bus")[1], "it says what to install")
        wait_until(lambda: relay.json_lines() == 1, "the neighbour goes on")
