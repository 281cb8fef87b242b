# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that look at the event log: events, sources, quarantine, sinks."""

import json
import subprocess
import sys
import time

import pytest


@pytest.fixture(scope="module")
def running(listener):
    with listener() as running:
        yield running


@pytest.fixture(scope="module")
def filled(running):
    """Three events, one of them with an escape sequence, and a payload that is none."""
    bodies = [
        {"Context": "ctx", "Events": [{"EventId": "1", "EventType": "Alert", "MessageId": "A.1.0.First",
                                       "MessageSeverity": "Critical", "Message": "one"},
                                      {"EventId": "2", "MessageId": "A.1.0.Second"}]},
        {"Events": [{"EventId": "3", "MessageId": "A.1.0.Third", "Message": "\x1b[31mred\x1b[0m"}]},
        b"no event",
    ]  # fmt: skip
    for body in bodies:
        assert running.post(body, "/events/cmd1").status_code == 200
    end = time.monotonic() + 20
    while '"event_id": "3"' not in command(running, "events", "--json").stdout:
        assert time.monotonic() < end
        time.sleep(0.1)
    return running


def command(running, *arguments, status=0, text=True):
    # Groups take --config after the inner command.
    inner = 2 if arguments[0] in ("sources", "quarantine") else 1
    line = [
        sys.executable,
        "-m",
        "event_listener",
        *arguments[:inner],
        "--config",
        str(running.config_path),
        *arguments[inner:],
    ]
    done = subprocess.run(line, capture_output=True, text=text, timeout=60)
    assert done.returncode == status, done.stderr
    return done


def test_events_are_printed(filled):
    lines = command(filled, "events").stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].split(maxsplit=2)[2] == "ERROR cmd1 A.First - one"
    assert "\x1b" not in "".join(lines)


def test_events_are_filtered(filled):
    assert len(command(filled, "events", "--level", "ERROR", "--since", "1h").stdout.splitlines()) == 1
    assert command(filled, "events", "--source", "nobody").stdout == ""
    assert command(filled, "events", "-n", "1").stdout.count("\n") == 1
    assert "none of INFO, WARN, ERROR" in command(filled, "events", "--level", "loud", status=1).stderr


def test_events_are_filtered_by_topic(filled):
    """Patterns as in routes; the limit counts what fits, so older events are looked through for it."""
    assert len(command(filled, "events", "--topic", "cmd1.#").stdout.splitlines()) == 3
    lines = command(
        filled, "events", "-n", "1", "--topic", "#.A-First.#", "--topic", "*.AlertEvent.#"
    ).stdout.splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines] == ["ERROR cmd1 A.First - one"]
    assert command(filled, "events", "--topic", "cmd1").stdout == ""


def test_events_as_json(filled):
    found = [json.loads(line) for line in command(filled, "events", "--json").stdout.splitlines()]
    assert [event["event_id"] for event in found] == ["1", "2", "3"]


def test_events_as_the_dmtf_listener_prints_them(filled):
    """Per payload, with the count of its host (facts: RedfishEventListener_v1.py 1.1.7, do_POST)."""
    assert command(filled, "events", "--dmtf").stdout.splitlines()[:14] == [
        "",
        "Event received from 127.0.0.1",
        "  EventType: Alert",
        "  MessageId: A.1.0.First",
        "  EventId: 1",
        "  MessageSeverity: Critical",
        "  Message: one",
        "  Context: ctx",
        "",
        "  EventType: None",
        "  MessageId: A.1.0.Second",
        "  EventId: 2",
        "  Context: ctx",
        "",
    ]
    assert "Event Counter for Host 127.0.0.1 = 2" in command(filled, "events", "--dmtf").stdout


def test_events_are_followed(filled):
    """-f prints what was there, then what arrives."""
    line = [
        sys.executable,
        "-m",
        "event_listener",
        "events",
        "--config",
        str(filled.config_path),
        "--json",
        "-f",
        "-n",
        "1",
    ]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(process.stdout.readline())["event_id"] == "3"
            filled.post({"Events": [{"EventId": "late"}]}, "/events/cmd2")
            assert json.loads(process.stdout.readline())["event_id"] == "late"
        finally:
            process.terminate()


def test_sources(filled):
    assert (
        "set1: registered"
        in command(filled, "sources", "set", "set1", "--address", "192.0.2.1", "--label", "a=b").stdout
    )
    assert "set1: unchanged" in command(filled, "sources", "set", "set1", "--address", "192.0.2.1").stdout
    assert "set1: changed" in command(filled, "sources", "set", "set1", "--address", "", "--state", "retired").stdout
    listed = [json.loads(line) for line in command(filled, "sources", "list", "--json").stdout.splitlines()]
    (found,) = [source for source in listed if source["name"] == "set1"]
    assert (found["address"], found["state"], found["labels"]) == (None, "retired", {"a": "b"})
    table = command(filled, "sources", "list").stdout
    assert "unregistered" in table
    assert table.splitlines()[0].startswith("NAME")
    command(filled, "sources", "remove", "set1")
    assert "set1" in command(filled, "sources", "remove", "set1", status=1).stderr
    assert "a/b" in command(filled, "sources", "set", "a/b", status=1).stderr


def test_quarantine(filled):
    rows = command(filled, "quarantine", "list").stdout.splitlines()
    assert len(rows) == 2
    seq = rows[1].split()[0]
    assert command(filled, "quarantine", "show", seq, text=False).stdout == b"no event"
    assert "0 of 1" in command(filled, "quarantine", "retry", "--all").stdout
    command(filled, "quarantine", "retry", seq, status=1)
    command(filled, "quarantine", "show", "99", status=1)


def test_sinks(filled):
    rows = command(filled, "sinks").stdout.splitlines()
    assert [row.split()[:2] for row in rows[1:]] == [["json_lines", "ok"], ["text_log", "ok"]]


def test_where_no_listener_is(tmp_path):
    config = tmp_path / "config.yml"
    config.write_text(f"state_dir: {tmp_path}/nothing\nuser: root\n")
    line = [sys.executable, "-m", "event_listener", "events", "--config", str(config)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "doesn't exist" in done.stderr
    assert not (tmp_path / "nothing").exists()
