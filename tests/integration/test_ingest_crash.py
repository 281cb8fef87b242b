# SPDX-License-Identifier: GPL-3.0-or-later
"""Acknowledged means on disk: whatever is killed, and when, what got a 2xx is in the journal or already beyond it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from event_listener.turnstile import Turnstile

from tests.integration.listener_process import RunningListener, wait_for

THREADS = 6
RELAY_OFF = {"ingest": {"plain_http": True}}


class Storm:
    """Threads that post as fast as they can, and remember what was acknowledged; a context manager."""

    def __init__(self, running: RunningListener) -> None:
        self._running = running
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(THREADS)]
        self.acknowledged: dict[str, list[int]] = {f"bmc-{number}": [] for number in range(THREADS)}
        self.statuses: set[int] = set()

    def _post(self, number: int) -> None:
        source, sent = f"bmc-{number}", 0
        with requests.Session() as session:
            session.auth = self._running.credentials
            while not self._ended.is_set():
                sent += 1
                payload = {
                    "Id": str(sent),
                    "Name": source,
                    "Events": [{"MessageId": "Test.1.0.Storm", "EventId": str(sent)}],
                }
                try:
                    answer = session.post(f"{self._running.url}/events/{source}", json=payload, timeout=20)
                except requests.RequestException:
                    continue
                self.statuses.add(answer.status_code)
                if answer.ok:
                    self.acknowledged[source].append(sent)

    def total(self) -> int:
        """Return how many were acknowledged so far."""
        return sum(len(numbers) for numbers in self.acknowledged.values())

    def __enter__(self) -> Storm:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def journalled(running: RunningListener) -> dict[str, list[int]]:
    """Return the numbers of each source in the journal, in its order."""
    found: dict[str, list[int]] = {}
    with running.journal() as reader:
        for _, entry in reader.read_after(0, 10**6):
            found.setdefault(entry.source or "", []).append(int(json.loads(entry.body)["Id"]))
    return found


@pytest.fixture
def no_relay(listener: Callable[..., RunningListener]) -> Iterator[RunningListener]:
    """A listener whose relay is stopped, so that the journal keeps everything to be looked at."""
    with listener(RELAY_OFF) as running:
        stopped = running.freeze_relay()
        yield running
        os.kill(stopped, signal.SIGKILL)


@pytest.mark.parametrize("victim", ["worker", "writer", "ingest", "supervisor"])
def test_acknowledged_is_journalled_after_kill_9(no_relay: RunningListener, victim: str):
    """Of a worker, the journal's writer, the master, all: acknowledged is in the journal, each source in order."""
    running = no_relay
    with Storm(running) as storm:
        for _ in range(1 if victim == "supervisor" else 3):
            before = storm.total()
            wait_for(lambda before=before: storm.total() > before + 100)
            running.kill(victim)
        if victim == "supervisor":
            running.process.wait()
        else:
            before = storm.total()
            wait_for(lambda: storm.total() > before + 100, 30)
    kept = journalled(running)
    assert storm.total() > 100
    for source, numbers in storm.acknowledged.items():
        assert set(numbers) <= set(kept.get(source, []))
        # A repeat of the same POST isn't sent by this storm, so the order is strict.
        assert kept[source] == sorted(set(kept[source]))
    # Who waited for the writer when it was killed is asked to come again.
    assert storm.statuses <= ({200, 503} if victim == "writer" else {200})


def test_connections_wait_while_ingest_is_replaced(no_relay: RunningListener):
    """The supervisor keeps the socket open: a BMC that comes meanwhile is served late, not refused."""
    killed = no_relay.kill("ingest")
    # The orphaned workers go within a second; from then on only the supervisor has the socket.
    began = time.monotonic()
    while time.monotonic() < began + 4:
        assert no_relay.post({}, timeout=20).status_code == 200
    assert no_relay.pids("ingest") not in ([], [killed])
    assert "ingest ended with signal 9; starting it again" in no_relay.output()


def test_every_part_is_started_again(listener: Callable[..., RunningListener]):
    """And an orphan is never left: the parts end with their supervisor."""
    with listener(RELAY_OFF) as running:
        killed = {name: running.kill(name) for name in ("ingest", "manage", "relay")}
        for name, pid in killed.items():
            wait_for(lambda name=name, pid=pid: running.pids(name) not in ([], [pid]))
        wait_for(lambda: answers(running.manage_url + "/health/live"))
        family = [pid for name in ("ingest", "worker", "writer", "manage", "relay") for pid in running.pids(name)]
        running.kill("supervisor")
        running.process.wait()
        wait_for(lambda: not [pid for pid in family if alive(pid)])


def answers(url: str) -> bool:
    """Whether there is an answer, whatever it says."""
    with contextlib.suppress(requests.RequestException):
        requests.get(url, timeout=2)
        return True
    return False


def alive(pid: int) -> bool:
    """Whether a process is there and not merely unburied."""
    try:
        return "\tZ" not in Path(f"/proc/{pid}/status").read_text().split("State:")[1][:4]
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_unwritable_journal_is_503_and_recovers(listener: Callable[..., RunningListener]):
    """Never 2xx; no restart needed when the disk is back."""
    with listener({"ingest": {"plain_http": True, "retry_after": 3}}) as running:
        assert running.post({}).status_code == 200
        running.freeze_relay()
        pids = running.pids("worker")
        journal = running.state_dir / "journal"
        journal.rename(journal.with_name("away"))
        answer = running.post({})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
        journal.with_name("away").rename(journal)
        assert running.post({}).status_code == 200
        assert running.pids("worker") == pids
        running.kill("relay", signal.SIGCONT)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_503_and_recovers(listener: Callable[..., RunningListener]):
    """A real one, of 8 MiB; what was acknowledged before is still there."""
    running = listener({"ingest": {"plain_http": True, "max_body": 1000000}}, start=False)
    running.state_dir.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(running.state_dir)])
    if mount.returncode != 0:
        pytest.skip("this machine doesn't let root mount a small disk")
    try:
        with running.start():
            running.freeze_relay()
            (running.state_dir / "filler").write_bytes(b"")
            statuses = [running.post({"Message": "x" * 300_000}).status_code for _ in range(60)]
            assert statuses[0] == 200
            assert statuses[-1] == 503
            with running.journal() as reader:
                assert len(reader.read_after(0)) == statuses.count(200)
            filled = running.pids("worker")
            running.kill("relay", signal.SIGCONT)
            subprocess.run(["mount", "-o", "remount,size=200m", str(running.state_dir)], check=True)
            wait_for(lambda: running.post({}).status_code == 200)
            assert running.pids("worker") == filled
    finally:
        subprocess.run(["umount", "--lazy", str(running.state_dir)], check=True)


def test_a_slow_disk_is_503_in_time(listener: Callable[..., RunningListener]):
    """The lock is held by another: after commit_timeout the BMC is asked to come again, well within its 30 s."""
    with listener({"ingest": {"plain_http": True, "commit_timeout": 1}}) as running:
        wait_for(lambda: running.post({}).status_code == 200)
        running.freeze_relay()
        with Turnstile(running.state_dir / "journal"):
            began = time.monotonic()
            assert running.post({}).status_code == 503
            assert 0.9 < time.monotonic() - began < 20
        wait_for(lambda: running.post({}).status_code == 200)
        running.kill("relay", signal.SIGCONT)
