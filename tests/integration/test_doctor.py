# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener doctor` on the files of a real listener: corrupt them, repair them, start it again."""

import json
import os
import pwd
import random
import sqlite3
import subprocess
import sys
import types
from contextlib import closing

import pytest
import yaml

from tests.integration.listener_process import wait_for

EVENTS = 150


def run(running, *arguments):
    line = [sys.executable, "-m", "event_listener", "doctor", "--config", str(running.config_path), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=120)


def findings(running, *arguments):
    """What it finds, by what was looked at; and its exit status."""
    done = run(running, "--json", *arguments)
    assert done.stderr == ""
    return {found["what"]: found for found in map(json.loads, done.stdout.splitlines())}, done.returncode


def post(running, first, last):
    for number in range(first, last):
        body = {"Id": str(number), "Events": [{"EventId": str(number), "MessageId": "A.1.0.B", "Message": "x" * 400}]}
        assert running.post(body, "/events/bmc1").status_code == 200


def logged(running):
    answer = running.api("/api/v1/events", order="asc", limit=1000)
    return answer.json()["events"] if answer.status_code == 200 else []


@pytest.fixture
def stopped(listener):
    """A listener with events in its log, stopped in good order."""
    running = listener()
    post(running, 0, EVENTS)
    wait_for(lambda: len(logged(running)) == EVENTS, 60)
    running.stop()
    return running


def noise(path, seed=1):
    """Overwrite a tenth of the pages, not the first ones: those of other tables."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # else what is read may still be in the write-ahead log
    rng, size = random.Random(seed), path.stat().st_size
    pages = range(size // 4096 // 2, size // 4096)
    with path.open("r+b") as file:
        for page in rng.sample(pages, max(1, len(pages) // 10)):
            file.seek(page * 4096)
            file.write(rng.randbytes(4096))


def test_a_healthy_listener(stopped):
    """Good, running or not; nothing is changed, and nothing repaired while it runs."""
    found, status = findings(stopped)
    assert status == 0
    assert {one["state"] for one in found.values()} <= {"good", "note"}
    assert {"journal", "event log", "cursor of the journal", "cursors of the sinks", "clock", "certificate"} <= set(
        found
    )
    with stopped.start():
        assert findings(stopped)[1] == 0
        refused = run(stopped, "--repair")
        assert refused.returncode == 1
        assert "stop the listener first" in refused.stderr


def test_a_corrupt_event_log(stopped):
    """It is said, repaired on demand, and the listener goes on with ids and numbers as they were."""
    path = stopped.state_dir / "log" / "events.db"
    noise(path)
    found, status = findings(stopped)
    assert status == 1
    assert found["event log"]["repairable"]
    said = run(stopped).stdout
    assert "WRONG" in said
    assert "doctor --repair" in said
    found, status = findings(stopped, "--repair")
    assert (status, found["event log"]["state"]) == (0, "repaired")
    assert findings(stopped)[1] == 0
    (aside,) = (stopped.state_dir / "set-aside").iterdir()
    assert (aside / "events.db").stat().st_size > 0
    with stopped.start():
        post(stopped, EVENTS, EVENTS + 3)
        wait_for(lambda: [event for event in logged(stopped) if event["event_id"] == str(EVENTS + 2)], 60)
        events = [event for event in logged(stopped) if event["source"] == "bmc1"]
        numbers = [int(event["event_id"]) for event in events]
        assert numbers == sorted(set(numbers))
        assert len(numbers) > EVENTS / 3
        assert [event["seq"] for event in events if int(event["event_id"]) < EVENTS] == [
            number + 1 for number in numbers if number < EVENTS
        ]
        (told,) = [event for event in logged(stopped) if event["type"] == "RedfleetEvents.LogSalvaged"]
        assert str(aside) in told["message"]


def test_a_corrupt_journal(listener):
    """What waited in it and can be read reaches the event log; what comes later has ids never given before."""
    running = listener()
    running.freeze_relay()  # everything waits in the journal
    post(running, 0, EVENTS)
    running.kill_all()
    noise(running.state_dir / "journal" / "journal.db")
    assert findings(running)[0]["journal"]["repairable"]
    found, status = findings(running, "--repair")
    assert (status, found["journal"]["state"]) == (0, "repaired")
    with running.start():
        post(running, EVENTS, EVENTS + 1)
        wait_for(lambda: [event for event in logged(running) if event["event_id"] == str(EVENTS)], 60)
        numbers = [int(event["event_id"]) for event in logged(running)]
        assert numbers == sorted(set(numbers))
        assert EVENTS / 3 < len(numbers) < EVENTS
        assert int(logged(running)[-1]["id"].split("-")[1]) == EVENTS + 1


def test_an_older_journal_and_lost_marks(stopped):
    """A journal that was put back from before: what arrives isn't skipped as indexed already."""
    with sqlite3.connect(stopped.state_dir / "journal" / "journal.db") as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 5")
    connection.close()
    mark = stopped.state_dir / "sinks" / "json_lines.db"
    mark.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    found, status = findings(stopped)
    assert status == 1
    assert {name for name, one in found.items() if one["repairable"]} == {
        "cursor of the journal",
        "marks of json_lines",
    }
    assert findings(stopped, "--repair")[1] == 0
    with stopped.start():
        post(stopped, EVENTS, EVENTS + 1)
        wait_for(lambda: [event for event in logged(stopped) if event["event_id"] == str(EVENTS)], 60)
        lines = stopped.log_dir / "Events_127.0.0.1.jsonl"
        wait_for(lambda: json.loads(lines.read_text().splitlines()[-1])["event_id"] == str(EVENTS), 60)
        assert len(logged(stopped)) == EVENTS + 1


def test_small_things(stopped):
    """A pid file of a dead process, a torn registry, a log from the future, a relative directory."""
    (stopped.state_dir / "run" / "event-listener.pid").write_text("99999999\n")
    (stopped.state_dir / "registry.json").write_text("{")
    with sqlite3.connect(stopped.state_dir / "log" / "events.db") as connection:
        connection.execute("UPDATE event SET received_ns = received_ns + 86400000000000 WHERE seq = 1")
    connection.close()
    found, _ = findings(stopped)
    assert found["pid file"]["repairable"]
    assert found["registry"]["repairable"]
    assert (found["clock"]["state"], found["clock"]["repairable"]) == ("wrong", False)
    found, status = findings(stopped, "--repair")
    assert (status, found["pid file"]["state"], found["registry"]["state"]) == (1, "repaired", "repaired")
    assert not (stopped.state_dir / "run" / "event-listener.pid").exists()
    relative = {**stopped.settings, "state_dir": "state"}
    stopped.config_path.write_text(yaml.safe_dump(relative))
    found, status = findings(stopped)
    assert (status, next(iter(found))) == (1, "state_dir")
    assert "relative" in found["state_dir"]["text"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_another_owner(tmp_path):
    """Somebody ran a command as root: the files are given back to the service user."""
    state, logs = tmp_path / "state", tmp_path / "logs"
    for folder in (tmp_path.parent, tmp_path, state, logs):
        folder.mkdir(exist_ok=True)
    nobody = pwd.getpwnam("nobody")
    stray = state / "stray"
    stray.write_text("")
    config = tmp_path / "config.yml"
    sinks = {name: {"directory": str(logs)} for name in ("text_log", "json_lines")}
    settings = {"state_dir": str(state), "user": "nobody", "ingest": {"plain_http": True}, "sinks": sinks}
    config.write_text(yaml.safe_dump(settings))
    running = types.SimpleNamespace(config_path=config)
    found, status = findings(running)
    assert status == 1
    assert "nobody can't write" in found["state_dir"]["text"]
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    os.chown(logs, nobody.pw_uid, nobody.pw_gid)
    place = [line.split(":")[0] for line in run(running).stdout.splitlines()]
    assert "WRONG     owners" in place
    run(running, "--repair")
    assert stray.stat().st_uid == nobody.pw_uid
