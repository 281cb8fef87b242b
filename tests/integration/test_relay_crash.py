# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of the relay at random moments while entries arrive: every event once, in order, counts without a gap."""

import json
import random
import re
import subprocess
import sys
import threading
import time

import pytest
import requests
from event_listener import status
from event_listener.event import as_json
from event_listener.journal import Entry, Journal
from event_listener.registry import changes
from event_listener.store import Query, open_store

SOURCES = 12
HEAD = re.compile(
    r"Time:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})? Count:(\d+)\nHost IP:([^\n]+)\nEvent Details:([^\n]+)\n"
)


class Traffic:
    """Posts from several threads until told to stop; remembers per source and in order what was sent.

    What got no 2xx (a busy machine: 503 after `commit_timeout`, or no answer) may be stored all the same.
    """

    def __init__(self, running):
        self.running, self.stop = running, threading.Event()
        self.sent = {f"bmc{number}": [] for number in range(SOURCES)}
        self.threads = [threading.Thread(target=self._post, args=(name,)) for name in self.sent]
        for thread in self.threads:
            thread.start()

    def _post(self, name):
        with requests.Session() as session:
            session.trust_env = False
            session.auth, session.verify = self.running.credentials, str(self.running.ca_path)
            count = 0
            while not self.stop.is_set():
                count += 1
                marks = [f"{name}-{count}-{index}" for index in range(count % 3 + 1)]
                body = {"Id": str(count), "Events": [{"EventId": mark, "MessageId": "A.1.0.B"} for mark in marks]}
                self.sent[name].append((marks, self._acknowledged(session, name, body)))
                time.sleep(0.005)

    def _acknowledged(self, session, name, body):
        try:
            answer = session.post(f"{self.running.url}/events/{name}", json=body, timeout=30)
        except requests.RequestException:
            return False
        assert answer.status_code in (200, 503), answer.text
        return answer.ok

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
        return self.sent


@pytest.fixture
def running(listener):
    """A listener that knows the sources: each has an address, so a text log, of its own."""
    with listener({"sinks": {"text_log": {"max_open_files": 8}, "json_lines": {"max_open_files": 8}}}) as running:
        sources = [{"name": f"bmc{number}", "address": address_of(f"bmc{number}")} for number in range(SOURCES)]
        headers = {"Authorization": f"Bearer {running.api_token}"}
        url = f"{running.manage_url}/api/v1/sources"
        assert requests.patch(url, json={"sources": sources}, headers=headers, timeout=60).status_code == 200
        snapshot = running.state_dir / "registry.json"
        until(lambda: snapshot.exists() and "bmc0" in snapshot.read_text())
        yield running


def until(ask, seconds=60):
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def wait_all_written(running):
    """Until nothing waits in the journal or for a sink."""

    def nothing_waits():
        metrics = requests.get(running.manage_url + "/metrics", timeout=60).text
        waiting = re.findall(r"^event_listener_(?:journal_depth|sink_lag\S*) (\S+)$", metrics, re.MULTILINE)
        return len(waiting) == 3 and all(float(number) == 0 for number in waiting)

    until(nothing_waits)


def events_of(running, source):
    found, after = [], 0
    while after is not None:
        page = running.api("/api/v1/events", source=source, order="asc", limit=1000, after=after).json()
        found += page["events"]
        after = page["next"]
    return found


def without_unstored(running, sent):
    """What was acknowledged, and of the rest what is stored, in the order of sending."""
    found = {}
    for source, payloads in sent.items():
        stored = {event["event_id"] for event in events_of(running, source)}
        found[source] = [marks for marks, acknowledged in payloads if acknowledged or marks[0] in stored]
    return found


def address_of(source):
    return f"192.0.2.{source.removeprefix('bmc')}"


def check_everything(running, acknowledged, ask=None):
    """Acknowledged is what each of the three outputs has, once and in order."""
    for source, sent in acknowledged.items():
        events = ask(source) if ask else events_of(running, source)
        assert [event["event_id"] for event in events] == [mark for payload in sent for mark in payload]
        address = address_of(source)
        lines = (running.log_dir / f"Events_{address}.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == events
        text = (running.log_dir / f"Events_{address}.txt").read_text()
        entries = list(HEAD.finditer(text))
        assert "".join(entry[0] for entry in entries) == text
        assert [int(entry[2]) for entry in entries] == list(range(1, len(sent) + 1))
        assert {entry[3] for entry in entries} == {address}
        assert [[record["EventId"] for record in json.loads(entry[4])["Events"]] for entry in entries] == sent


def test_killed_relay(listener):
    """The relay alone, killed at random moments, also right after its start, while the journal fills."""
    running = listener(start=False)
    rng, written = random.Random(7), {f"bmc{number}": [] for number in range(SOURCES)}
    command = [sys.executable, "-m", "event_listener", "relay", "--config", str(running.config_path)]
    journal, stop = Journal(running.state_dir), threading.Event()
    filler = threading.Thread(target=fill, args=(journal, written, stop))
    with open_store(running.state_dir) as store:
        store.sources.upsert(changes([{"name": name, "address": address_of(name)} for name in written]))
        filler.start()
        for number in range(12):
            with subprocess.Popen(command) as relay:
                if number % 3:
                    time.sleep(rng.choice([0.4, 0.8, 1.6]) + rng.random() * 0.4)
                else:  # however slow the machine is, some are killed at work
                    before = store.log.head()
                    until(lambda before=before: store.log.head() > before)
                    time.sleep(rng.random() * 0.2)
                relay.kill()
        stop.set()
        filler.join()
        assert store.log.head() > 0  # they were killed at work, not before
        with subprocess.Popen(command) as relay:
            until(lambda: delivered(running, store))
            relay.terminate()
            assert relay.wait(20) == 0
        found = {name: [as_json(event) for event in all_events(store, name)] for name in written}
    assert sum(map(len, written.values())) > 500
    check_everything(running, written, found.__getitem__)


def fill(journal, written, stop):
    """Appends small batches of all sources, as ingest does."""
    count = 0
    while not stop.is_set():
        count += 1
        entries = []
        for name, sent in written.items():
            marks = [f"{name}-{count}-{index}" for index in range(count % 3 + 1)]
            body = {"Id": str(count), "Events": [{"EventId": mark, "MessageId": "A.1.0.B"} for mark in marks]}
            entries.append(Entry(time.time_ns(), name, "192.0.2.99", "c", "", "ok", "", json.dumps(body).encode()))
            sent.append(marks)
        journal.append(entries)
        time.sleep(0.01)
    journal.close()


def delivered(running, store):
    """Whether nothing waits in the journal or for a sink."""
    # The journal first: what is indexed between the two looks then counts as lag, else it would be seen by neither.
    depth = status.journal_depth(str(running.state_dir), store)
    found = status.sinks(store)
    return len(found) == 2 and depth + sum(sink.lag for sink in found) == 0


def all_events(store, source):
    found, after = [], 0
    while after is not None:
        page = store.queries.find(Query(source=(source,), order="asc", limit=1000, after=after))
        found += page.events
        after = page.next
    return found


def test_stopped_and_started(running):
    """A clean stop settles everything; the next start goes on with the counts."""
    rounds = []
    for last in (False, True):
        traffic = Traffic(running)
        time.sleep(1)
        rounds.append(traffic.end())
        if not last:
            assert running.stop() == 0
            running.start()
    wait_all_written(running)
    assert all(any(acknowledged for _, acknowledged in sent) for sent in rounds[1].values())
    both = {source: rounds[0][source] + rounds[1][source] for source in rounds[0]}
    check_everything(running, without_unstored(running, both))


def test_only_one_relay_runs(running):
    """A second one ends, saying who holds the files."""
    command = [sys.executable, "-m", "event_listener", "relay", "--config", str(running.config_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "another relay runs" in done.stderr


def test_an_unwritable_sink_delays_itself_alone(running):
    """A text log is a symbolic link: degraded and explained; JSON lines go on; once repaired, all is there."""
    outside = running.directory / "outside"
    outside.write_text("precious")
    link = running.log_dir / "Events_192.0.2.0.txt"
    link.symlink_to(outside)
    for number in range(5):
        assert running.post({"Events": [{"EventId": str(number)}]}, "/events/bmc0").status_code == 200

    def ready():
        return requests.get(running.manage_url + "/health/ready", timeout=60)

    until(lambda: ready().json()["status"] == "degraded")
    answer = ready()
    assert answer.status_code == 200
    (check,) = [check for check in answer.json()["checks"] if check["name"] == "sink text_log"]
    assert "symbolic link" in check["reason"]
    until((running.log_dir / "Events_192.0.2.0.jsonl").exists)
    assert outside.read_text() == "precious"
    link.unlink()
    wait_all_written(running)
    assert link.read_text().count("Host IP:192.0.2.0\n") == 5
