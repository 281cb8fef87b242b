# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners with their event log in a real PostgreSQL: what is acknowledged while it is down is stored once, later."""

import functools
import json
import os
import signal
import subprocess
import sys

import pytest
import requests
import yaml
from event_listener.process import die_with_parent

from tests.integration.listener_process import wait_for
from tests.services.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def server():
    """Durable, because it is killed."""
    with PostgreSQL(durable=True) as server:
        yield server


@pytest.fixture
def made(listener, server, tmp_path):
    """Factory of listeners on one new database; ended before the next test."""
    (tmp_path / "password").write_text(server.password)
    url, started = server.without_password(server.new_database()), []

    def make():
        event_log = {"url": url, "password": {"file": str(tmp_path / "password")}}
        started.append(listener({"event_log": event_log}))
        return started[-1]

    yield make
    for running in started:
        running.stop()


def body(mark):
    return {"Id": mark, "Events": [{"EventId": mark, "MessageId": "A.1.0.B"}]}


def stored(running):
    """The EventIds of BMCs in the log, in its order; nothing while the database is down."""
    answer = running.api("/api/v1/events", order="asc", limit=1000)
    events = answer.json()["events"] if answer.status_code == 200 else []
    return [event["event_id"] for event in events if event["address"] != "event-listener"]


def sinks(running):
    answer = running.api("/api/v1/sinks")
    return answer.json()["sinks"] if answer.status_code == 200 else []


def text_log(running):
    return [
        json.loads(line.removeprefix("Event Details:"))["Id"]
        for path in sorted(running.log_dir.glob("*.txt"))
        if path.name != "Events_event-listener.txt"
        for line in path.read_text().splitlines()
        if line.startswith("Event Details:")
    ]


def command(running, *arguments):
    run = [sys.executable, "-m", "event_listener", *arguments, "--config", str(running.config_path)]
    return subprocess.run(run, capture_output=True, text=True, timeout=60)


def test_a_database_that_is_down_costs_no_acknowledgement(made, server):
    """Killed while BMCs post: each POST is answered 200, the API says 503, and then everything is there once."""
    running = made()
    marks = [f"before-{number}" for number in range(5)]
    assert all(running.post(body(mark)).status_code == 200 for mark in marks)
    wait_for(lambda: stored(running) == marks)
    server.kill()
    try:
        for number in range(20):
            marks.append(f"down-{number}")
            assert running.post(body(marks[-1])).status_code == 200
        answer = running.api("/api/v1/events")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert server.password not in answer.text
        ready = requests.get(f"{running.manage_url}/health/ready", timeout=20)
        assert ready.status_code == 503
        assert "event log" in {check["name"] for check in ready.json()["checks"]}
        # What gives a host the common address must not take it from all of them now.
        assert requests.get(f"{running.manage_url}/health/receiving", timeout=20).status_code == 200
    finally:
        server.start()
    wait_for(lambda: stored(running) == marks, 30)
    wait_for(lambda: len(text_log(running)) >= len(marks), 30)
    assert text_log(running) == marks
    with running.journal() as journal:
        wait_for(lambda: journal.read_after(0) == [])
    assert server.password not in running.output()


def test_a_listener_that_starts_without_its_database(made, server):
    """The host boots before the database does: it acknowledges at once, and stores when it can."""
    running = made()
    running.stop()
    server.kill()
    try:
        running.start(wait=False)
        wait_for(lambda: acknowledged(running, "early"), 40)
    finally:
        server.start()
    wait_for(lambda: stored(running) == ["early"], 30)


def acknowledged(running, mark):
    try:
        return running.post(body(mark)).status_code == 200
    except requests.ConnectionError:
        return False


def test_two_listeners_share_one_log(made):
    """Each has a journal of its own; both show the events of both, once; files and health are each one's own."""
    one, two = made(), made()
    # A listener is ready before its relay is, and a new text log begins with what comes once the relay runs.
    wait_for(lambda: sum(sink["name"].startswith("text_log@") for sink in sinks(one)) == 2, 60)
    headers = {"Authorization": f"Bearer {one.api_token}"}
    source = {"sources": [{"name": "bmc7", "address": "192.0.2.7"}]}
    assert requests.patch(f"{one.manage_url}/api/v1/sources", json=source, headers=headers, timeout=60).ok
    for number in range(20):
        assert one.post(body(f"one-{number}"), "/events/bmc7").status_code == 200
        assert two.post(body(f"two-{number}"), "/events/bmc8").status_code == 200
    marks = sorted(f"{name}-{number}" for name in ("one", "two") for number in range(20))
    wait_for(lambda: len(stored(two)) >= len(marks))
    assert sorted(stored(one)) == marks
    assert stored(one) == stored(two)
    for running in (one, two):
        wait_for(lambda running=running: len(text_log(running)) >= len(marks))
        assert sorted(text_log(running)) == marks
        ready = requests.get(f"{running.manage_url}/health/ready", timeout=60)
        assert ready.status_code == 200, ready.text
    found = command(one, "sinks")
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("text_log@") == 2
    listed = command(one, "events", "--source", "bmc8", "--json")
    assert len(listed.stdout.splitlines()) == 20
    assert "bmc7" in command(one, "sources", "list").stdout


@pytest.mark.parametrize("relay", ["runs", "met the new database"])
def test_the_log_moves_while_events_keep_coming(relay, listener, server, tmp_path):
    """`event_log` is written, `migrate-log` run, the relay restarted: same ids, nothing lost or twice."""
    (tmp_path / "password").write_text(server.password)
    event_log = {
        "url": server.without_password(server.new_database()),
        "password": {"file": str(tmp_path / "password")},
    }
    with listener() as running:
        marks = [f"old-{number}" for number in range(10)]
        assert all(running.post(body(mark)).status_code == 200 for mark in marks)
        wait_for(lambda: len(text_log(running)) == len(marks))
        before = running.api("/api/v1/events", order="asc").json()["events"]
        running.config_path.write_text(yaml.safe_dump({**running.settings, "event_log": event_log}))
        if relay == "met the new database":
            running.kill("relay")
            wait_for(lambda: "event-listener migrate-log" in running.output())  # it doesn't begin a second log
        marks.append("between")
        assert running.post(body(marks[-1])).status_code == 200
        migrate(running, restart=relay == "runs")
        assert running.stop() == 0
        running.start()
        marks.append("new")
        assert running.post(body(marks[-1])).status_code == 200
        wait_for(lambda: stored(running) == marks, 30)
        assert running.api("/api/v1/events", order="asc").json()["events"][: len(before)] == before
        wait_for(lambda: len(text_log(running)) >= len(marks))
        assert text_log(running) == marks
        (job,) = wait_for(lambda: running.api("/api/v1/jobs", state="completed").json()["jobs"])
        assert job["start_id"].startswith("migrate-log:")


def migrate(running, *, restart):
    """Run migrate-log; with `restart`, end the relay when asked to: the next one comes after the move."""
    output = running.directory / "migrate.txt"
    arguments = [sys.executable, "-m", "event_listener", "migrate-log", "--config", str(running.config_path)]
    with output.open("wb") as file:
        die = functools.partial(die_with_parent, os.getpid())
        process = subprocess.Popen(arguments, stdout=file, stderr=file, preexec_fn=die)  # noqa: PLW1509 - no threads
    if restart:
        wait_for(lambda: "waiting for the relay" in output.read_text(), 30)
        running.kill("relay", signal.SIGTERM)
    assert process.wait(60) == 0, output.read_text()
