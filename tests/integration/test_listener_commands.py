# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that look at the event log: events, sources, quarantine, sinks."""

import json
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from event_listener.cli import main

from tests.integration.listener_process import wait_for


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


def call(running, *arguments, status=0, given=None):
    """The same within this process, which is faster."""
    done = CliRunner().invoke(main, ["--config", str(running.config_path), *arguments], input=given)
    assert done.exit_code == status, done.output
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


def test_sources_of_a_file(filled):
    """All or none, as over the API; and one, or those of a health, are shown as there."""
    wanted = {"sources": [{"name": "load1", "service": "HPE", "heartbeat_minutes": 5}, {"name": "load2"}]}
    checked = call(filled, "sources", "load", "-", "--check", given=json.dumps(wanted)).stdout
    assert checked.splitlines() == ["load1: would be registered", "load2: would be registered", "0 unchanged"]
    assert "load1" not in call(filled, "sources", "list").stdout
    assert "load1: registered" in call(filled, "sources", "load", "-", given=json.dumps(wanted)).stdout
    assert call(filled, "sources", "load", "-", given=json.dumps(wanted)).stdout == "2 unchanged\n"
    wrong = {"sources": [{"name": "load3"}, {"name": "a/b"}]}
    assert "a/b" in call(filled, "sources", "load", "-", given=json.dumps(wrong), status=1).stderr
    assert "holds no JSON object" in call(filled, "sources", "load", "-", given="[]", status=1).stderr
    assert "load3" in call(filled, "sources", "show", "load3", status=1).stderr
    assert "changed" in call(filled, "sources", "set", "load1", "--heartbeat-minutes", "0").stdout
    shown = json.loads(call(filled, "sources", "show", "load1").stdout)
    assert shown == filled.api("/api/v1/sources/load1").json()
    assert (shown["service"], shown["heartbeat_minutes"]) == ("HPE", 0)
    assert call(filled, "sources", "list", "--health", "silent", "--json").stdout == ""
    call(filled, "sources", "remove", "load1", "load2")


def test_one_event(filled):
    """As the API shows it, and byte for byte as it came."""
    last = json.loads(call(filled, "events", "--json", "--source", "cmd1").stdout.splitlines()[-1])
    for line in (["events", "show"], ["events", "--config", filled.config_path, "show"]):
        assert json.loads(call(filled, *map(str, line), last["id"]).stdout) == last
    elsewhere = ["events", "--config", "/nowhere", "show", last["id"], "--config", str(filled.config_path)]
    assert json.loads(call(filled, *elsewhere).stdout) == last
    raw = call(filled, "events", "show", last["id"], "--raw").stdout_bytes
    assert raw == filled.api(f"/api/v1/events/{last['id']}/raw").content
    for name in ("nothing", last["id"]):
        arguments = () if name == "nothing" else ("--archived", "true")
        assert "there is no event" in call(filled, "events", "show", name, *arguments, status=1).stderr
    assert call(filled, "events", "archive", "--id", last["id"]).stdout == "1 events archived\n"
    path = f"/api/v1/events/{last['id']}/trace"
    assert filled.api(path).status_code == 404
    assert "--archived all" in call(filled, "trace", last["id"], status=1).stderr
    traced = json.loads(call(filled, "trace", last["id"], "--archived", "all", "--json").stdout)
    assert traced == filled.api(path, archived="true").json()
    assert (traced["id"], traced["archived"]) == (last["id"], True)
    assert json.loads(call(filled, "events", "show", last["id"], "--archived", "true").stdout) == last
    assert call(filled, "events", "--site", "nowhere", "--resource-type", "Fan").stdout == ""


def test_resources(filled):
    """What the API shows, in pages."""
    names = ["/redfish/v1/Chassis/1", "/redfish/v1/Chassis/2"]
    records = [
        {"EventId": f"r{number}", "MessageId": "ResourceEvent.1.3.0.ResourceStatusChangedCritical",
         "MessageSeverity": "Critical", "OriginOfCondition": {"@odata.id": name}}
        for number, name in enumerate(names)
    ]  # fmt: skip
    assert filled.post({"Events": records}, "/events/res1").status_code == 200
    wait_for(lambda: len(filled.api("/api/v1/resources", source="res1").json()["resources"]) == 2, 60)
    found = call(filled, "resources", "--source", "res1", "--aspect", "health", "--state", "Critical", "--json")
    shown = [json.loads(line) for line in found.stdout.splitlines()]
    assert shown == filled.api("/api/v1/resources", source="res1").json()["resources"]
    first = call(filled, "resources", "--source", "res1", "-n", "1")
    assert first.stdout.splitlines()[1].split() == [
        "res1",
        "health",
        "Critical",
        shown[0]["since"][:19] + "Z",
        names[0],
    ]
    after = first.stderr.split("'")[1]
    assert names[1] in call(filled, "resources", "--source", "res1", "-n", "1", "--after", after).stdout
    assert "isn't the `next`" in call(filled, "resources", "--after", "x", status=1).stderr


def test_proofs(filled):
    """Announced here, sent by a BMC, seen here."""
    assert "proofs: " in call(filled, "proofs", "announce", "a/b", status=1).stderr
    announced = json.loads(call(filled, "proofs", "announce", "proof1", "--seconds", "600", "--json").stdout)
    assert "no proofs x" in call(filled, "proofs", "show", "x", status=1).stderr
    record = {"EventId": announced["proofs"][0]["marker"], "MessageId": "A.1.0.Test"}
    filled.post({"Events": [record]}, "/events/proof1")
    batch = announced["batch"]
    wait_for(lambda: filled.api(f"/api/v1/proofs/{batch}").json()["proofs"][0]["received"], 60)
    assert "  marker  " in call(filled, "proofs", "show", batch).stdout


def test_upkeep_and_coverage(filled):
    """Told and shown, as the API does."""
    call(filled, "sources", "set", "care1")
    told = {"sources": [{"name": "care1", "verdict": "ok", "repaired": True}]}
    assert call(filled, "upkeep", "tell", "-", given=json.dumps(told)).stdout == "told of 1 sources\n"
    shown = json.loads(call(filled, "upkeep", "show", "--json").stdout)["sources"]["care1"]
    assert shown == filled.api("/api/v1/upkeep").json()["sources"]["care1"]
    assert shown["verdict"] == "ok"
    assert "care1" in call(filled, "upkeep", "show").stdout
    assert "upkeep: " in call(filled, "upkeep", "tell", "-", given='{"sources": [{}]}', status=1).stderr
    call(filled, "sources", "remove", "care1")
    assert "nobody looked" in call(filled, "coverage", "show", status=1).stderr
    found = {"asked": 7, "free_slots": 2, "findings": {"never_sent": ["bmc1", "bmc2"]}}
    call(filled, "coverage", "tell", "-", given=json.dumps(found))
    assert json.loads(call(filled, "coverage", "show", "--json").stdout) == filled.api("/api/v1/coverage").json()
    assert "never_sent  2      bmc1 bmc2" in call(filled, "coverage", "show").stdout
    wrong = json.dumps({**found, "findings": {"nonsense": []}})
    assert "nonsense is no finding" in call(filled, "coverage", "tell", "-", given=wrong, status=1).stderr


def test_backfill(filled):
    """What the log lacks is added, once."""
    entry = {"Created": "2026-01-01T00:00:00Z", "MessageId": "A.1.0.Filled", "Message": "filled", "Severity": "OK"}
    given = json.dumps({"sources": [{"source": "fill1", "entries": [entry]}]})
    for arguments, head, row in (
        (["--check"], "MISSING", "fill1   1        0      1        0"),
        ([], "ADDED", "fill1   1        0      1      0"),
        ([], "ADDED", "fill1   1        1      0      0"),
    ):
        lines = call(filled, "backfill", "-", *arguments, given=given).stdout.splitlines()
        assert head in lines[0]
        assert lines[1] == row

    def ended():
        found = call(filled, "jobs", "--resource-id", "none", "--json").stdout
        assert found == ""
        jobs = [json.loads(line) for line in call(filled, "jobs", "--state", "completed", "--json").stdout.splitlines()]
        return [one for one in jobs if one["start_id"].startswith("backfill:")]

    (job,) = wait_for(ended, 60)  # a look and what adds nothing are none
    assert job["message"] == "1 entries of the logs of 1 BMCs are added to the event log."
    assert json.loads(call(filled, "jobs", "--id", job["id"], "--json").stdout) == job
    assert "backfill: " in call(filled, "backfill", "-", given='{"sources": 1}', status=1).stderr


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
