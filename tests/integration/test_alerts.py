# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs and alerts of a real listener: from a BMC's POST to a sink, and through kills of the relay."""

import json
import random
import subprocess
import sys
import time

from event_listener.alert_rules import Rulebook
from event_listener.event import as_json
from event_listener.jobs import Job
from event_listener.journal import Entry, Journal
from event_listener.settings_alerts import DEFAULT_RULES, AlertSettings
from event_listener.store import AlertQuery, JobQuery, Query, open_store, schema
from sqlalchemy import delete

TASK = "/redfish/v1/TaskService/Tasks/7"


def until(ask, seconds=60):
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return found


def task(key, *arguments):
    return {
        "MessageId": f"TaskEvent.1.0.{key}",
        "MessageArgs": ["7", *arguments],
        "OriginOfCondition": {"@odata.id": TASK},
    }


def test_a_task_that_hangs_reaches_a_sink(listener):
    """Nothing is heard of it: a job that hangs, an alert, an event for every sink; it ends, and all is well again."""
    with listener({"job": {"hanging_after": 1}, "alert": {"default_rules": ["job-hangs"]}}) as running:

        def post(*found):
            assert running.post({"Events": list(found)}, "/events/bmc1").status_code == 200

        def alerts():
            return running.api("/api/v1/alerts", rule="job-hangs").json()["alerts"]

        def sent():
            path = running.log_dir / "Events_event-listener.jsonl"
            lines = path.read_text().splitlines() if path.exists() else []
            return [event["type"] for event in map(json.loads, lines) if event["type"].startswith("RedfleetEvents.")]

        post(task("TaskStarted"), task("TaskProgressChanged", "40"))
        (job,) = until(lambda: running.api("/api/v1/jobs").json()["jobs"])
        assert (job["state"], job["percent"], job["start_id"]) == ("progress", 40, TASK)
        (alert,) = until(alerts)
        assert (alert["state"], alert["source"]) == ("open", "bmc1")
        assert running.api("/api/v1/jobs", hanging="true").json()["jobs"][0]["id"] == job["id"]
        until(lambda: sent() == ["RedfleetEvents.JobHangs", "RedfleetEvents.AlertRaised"])
        post(task("TaskCompletedOK"))
        until(lambda: alerts()[0]["state"] == "resolved")
        assert running.api(f"/api/v1/jobs/{job['id']}").json()["state"] == "completed"
        until(lambda: sent()[2:] == ["RedfleetEvents.JobGoesOn", "RedfleetEvents.AlertCleared"])


def entries(rng, count):
    """What BMCs send whose fans fail and recover, and whose tasks begin and end."""
    found = []
    for number in range(count):
        source, fan = f"bmc{rng.randrange(4)}", f"/redfish/v1/Chassis/1/Fans/{rng.randrange(3)}"
        event = rng.choice(
            [
                {"MessageId": "V.1.0.FanFailed", "MessageSeverity": "Critical", "OriginOfCondition": fan},
                {"MessageId": "V.1.0.FanFailed", "MessageSeverity": "Critical", "OriginOfCondition": fan},
                {"MessageId": "ResourceEvent.1.0.ResourceStatusChangedOK", "OriginOfCondition": fan},
                task(rng.choice(["TaskStarted", "TaskProgressChanged", "TaskCompletedOK"])),
            ]
        )
        body = json.dumps({"Events": [{"EventId": str(number), **event}]}).encode()
        found.append(Entry(time.time_ns(), source, "192.0.2.1", "c", "", "ok", "", body))
    return found


def state(store):
    """All that is known of alerts and jobs, and how many events told of alerts."""
    found = store.alerts.find(AlertQuery(limit=9999))[0]
    alerts = [[getattr(one, name) for name in ("id", "state", "count", "sent")] for one in found]
    names = [name for name in Job.__struct_fields__ if name != "seq"]
    jobs = [[getattr(one, name) for name in names] for one in store.jobs.find(JobQuery(limit=9999))[0]]
    told = ("RedfleetEvents.AlertRaised", "RedfleetEvents.AlertCleared")
    return sorted(alerts), sorted(jobs, key=str), len(store.queries.find(Query(type=told, limit=1000)).events)


def read_all(store):
    reader = store.alerts.reader(Rulebook(AlertSettings()))
    while any([reader.follow(), store.jobs.follow()]):
        pass
    return state(store)


def test_killed_while_it_reads(listener):
    """kill -9 at any moment: what the log says when it is read once and undisturbed, told once each."""
    running = listener({"alert": {"default_rules": list(DEFAULT_RULES)}}, start=False)
    command = [sys.executable, "-m", "event_listener", "relay", "--config", str(running.config_path)]
    rng, journal = random.Random(6), Journal(running.state_dir)
    with open_store(running.state_dir) as store:
        store.jobs.reader.begin()
        store.alerts.reader(Rulebook(AlertSettings())).reader.begin()
        for _kill in range(3):
            known = state(store)[2]
            journal.append(entries(rng, 60))
            with subprocess.Popen(command) as relay:
                until(lambda known=known: state(store)[2] > known)
                time.sleep(rng.random() * 0.1)
                relay.kill()
        journal.append(entries(rng, 10))
        head = store.log.head()
        with subprocess.Popen(command) as relay:
            until(lambda: store.log.head() > head)
            relay.terminate()
            assert relay.wait(30) == 0
        found = read_all(store)
        assert found[2] >= 15
        with store._backend.write() as connection:
            for table in (schema.alert, schema.job):
                connection.execute(delete(table))
            readers = schema.cursor.c.name.startswith("reader:")
            connection.execute(schema.cursor.update().where(readers).values(position=0))
    journal.close()
    with open_store(running.state_dir) as store:
        assert read_all(store) == found
        raised = store.queries.find(Query(type=("RedfleetEvents.AlertRaised",), limit=1000)).events
        assert len({as_json(event)["resource_id"] for event in raised}) == len(raised) == len(found[0])
