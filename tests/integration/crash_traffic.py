# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic while parts of the listener are killed, and what has to hold afterwards. For a test, and for a long run."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests

from tests.faultfs.disk import FaultDisk
from tests.integration.listener_process import RunningListener, wait_for
from tests.services.postgresql import PostgreSQL

SOURCES = 6
EVENTS = 4  # in each POST
VICTIMS = {"worker": 5, "writer": 3, "ingest": 1, "relay": 4, "manage": 2}  # and how likely
_UNIT = re.compile(r"Time:[^\n]* Count:(\d+)\nHost IP:([^\n]+)\nEvent Details:([^\n]+)\n")


class Traffic:
    """One thread per source posts numbered events; `acknowledged` are those that got a 2xx. A context manager.

    With a `pause` (seconds) after each POST it leaves processors for the relay; without one it sends all that goes.
    """

    def __init__(self, running: RunningListener, pause: float = 0.0) -> None:
        self._running = running
        self._pause = pause
        self._ended = threading.Event()
        self.acknowledged: dict[str, list[int]] = {f"crash-{number}": [] for number in range(SOURCES)}
        self.refused: Counter[int] = Counter()
        self.unanswered = 0
        self._threads = [threading.Thread(target=self._post, args=(name,)) for name in self.acknowledged]

    def _post(self, source: str) -> None:
        number = 0
        with requests.Session() as session:
            session.trust_env = False  # its CA bundle would replace ours
            session.auth, session.verify = self._running.credentials, str(self._running.ca_path)
            while not self._ended.is_set():
                number += 1
                records = [{"EventId": f"{number}.{part}", "MessageId": "Test.1.0.Crash"} for part in range(EVENTS)]
                body = {"Id": str(number), "Events": records}
                try:
                    answer = session.post(f"{self._running.url}/events/{source}", json=body, timeout=30)
                except requests.RequestException:
                    self.unanswered += 1
                    self._ended.wait(0.05)
                    continue  # no answer: it may be stored or not
                if answer.ok:
                    self.acknowledged[source].append(number)
                else:
                    self.refused[answer.status_code] += 1
                self._ended.wait(self._pause)

    def total(self) -> int:
        """Return how many POSTs were acknowledged."""
        return sum(map(len, self.acknowledged.values()))

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)


def kill_parts(
    running: RunningListener, traffic: Traffic, kills: int, rng: random.Random, server: PostgreSQL | None = None
) -> Counter[str]:
    """Kill random parts at random moments, the database too, with progress in between; return how often each."""
    killed: Counter[str] = Counter()
    victims = {**VICTIMS, "postgresql": 2} if server else VICTIMS
    once = rng.sample(sorted(victims), len(victims))  # each at least once
    while sum(killed.values()) < kills:
        before = traffic.total()
        # Who was killed often is started again after up to 30 s; another one is taken meanwhile, where there is one.
        there = wait_for(lambda: [name for name in victims if name == "postgresql" or running.pids(name)], 60)
        victim = once.pop() if once else rng.choices(there, [victims[name] for name in there])[0]
        if victim == "postgresql" and server:
            server.kill()
        else:
            running.kill(victim)
        killed[victim] += 1
        time.sleep(rng.random() * 1.5)
        wait_for(lambda before=before: traffic.total() > before, 120)
        if victim == "postgresql" and server:
            server.start()
    return killed


def outage(running: RunningListener, traffic: Traffic, server: PostgreSQL, seconds: float) -> float:
    """Keep the database down under load: every POST gets its 2xx. Returns the seconds it took to catch up."""
    wait_for(lambda: traffic.total() > 20, 60)
    refused, unanswered = traffic.refused.total(), traffic.unanswered
    server.kill()
    before, end = traffic.total(), time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            reached = traffic.total()
            wait_for(lambda reached=reached: traffic.total() > reached, 60)
            time.sleep(0.2)
        assert traffic.total() > before
        assert (traffic.refused.total(), traffic.unanswered) == (refused, unanswered), dict(traffic.refused)
    finally:
        server.start()
    began = time.monotonic()
    ready = f"{running.manage_url}/health/ready"
    wait_for(lambda: _depth(running) is not None and (_depth(running) or 0) < 1000, 1800)
    wait_for(lambda: requests.get(ready, timeout=30).status_code == 200, 300)
    return time.monotonic() - began


def _depth(running: RunningListener) -> float | None:
    """How many payloads wait in the journal; None while nobody can tell."""
    try:
        text = requests.get(running.manage_url + "/metrics", timeout=30).text
    except requests.RequestException:
        return None
    found = re.search(r"^event_listener_journal_depth (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def database(server: PostgreSQL, directory: Path) -> dict[str, Any]:
    """Return the settings of a listener whose event log is a new database there."""
    secret = directory / "database-password"
    secret.write_text(server.password)
    url = server.without_password(server.new_database())
    return {"event_log": {"url": url, "password": {"file": str(secret)}}}


def cut_power(
    running: RunningListener, disk: FaultDisk, traffic: Traffic, rng: random.Random, *, random_part: bool
) -> int:
    """Wait for traffic, cut the power in mid-fsync or anywhere, start again; return how much the disk forgot."""
    before = traffic.total()
    wait_for(lambda: traffic.total() > before + 20, 60)
    if rng.random() < 0.5:
        disk.set(cut_after_syncs=rng.randrange(100))
        wait_for(lambda: disk.state()["cut"], 60)
    else:
        time.sleep(rng.random())
        disk.cut_power()
    running.kill_all()
    lost = disk.restore(rng if random_part else None)
    running.start()
    return lost


def text_log(running: RunningListener, source: str) -> list[int]:
    """Return the numbers in a source's text log; asserts whole units and counts without a gap.

    The sources are registered with the addresses 192.0.2.<number>.
    """
    address = f"192.0.2.{source.rpartition('-')[2]}"
    text = (running.log_dir / f"Events_{address}.txt").read_text()
    units = list(_UNIT.finditer(text))
    assert "".join(unit[0] for unit in units) == text, f"a torn line in the text log of {address}"
    assert [int(unit[1]) for unit in units] == list(range(1, len(units) + 1))
    assert {unit[2] for unit in units} == {address}
    payloads = [json.loads(unit[3]) for unit in units]
    for payload in payloads:
        assert [record["EventId"] for record in payload["Events"]] == [f"{payload['Id']}.{i}" for i in range(EVENTS)]
    return [int(payload["Id"]) for payload in payloads]


def register(running: RunningListener) -> None:
    """Give each source an address, so a text log, of its own."""
    sources = [{"name": f"crash-{number}", "address": f"192.0.2.{number}"} for number in range(SOURCES)]
    headers = {"Authorization": f"Bearer {running.api_token}"}
    url = f"{running.manage_url}/api/v1/sources"
    assert requests.patch(url, json={"sources": sources}, headers=headers, timeout=60).ok
    snapshot = running.state_dir / "registry.json"
    wait_for(lambda: snapshot.exists() and f"crash-{SOURCES - 1}" in snapshot.read_text())


def check(running: RunningListener, traffic: Traffic) -> None:
    """Acknowledged is within stored, each exactly once and in order, in the text log whole and counted."""

    def settled() -> bool:
        metrics = requests.get(running.manage_url + "/metrics", timeout=60).text
        waiting = re.findall(r"^event_listener_(?:journal_depth|sink_lag\S*) (\S+)$", metrics, re.MULTILINE)
        return len(waiting) == 3 and not any(map(float, waiting))

    def quiet() -> bool:
        try:
            return settled()
        except requests.RequestException:
            return False

    wait_for(quiet, 900)  # a relay that was behind has to catch up
    assert set(traffic.refused) <= {503}
    for source, numbers in traffic.acknowledged.items():
        written = text_log(running, source)
        assert written == sorted(set(written)), f"{source}: an event twice, or out of order"
        assert set(numbers) <= set(written), f"{source}: acknowledged events are missing"
