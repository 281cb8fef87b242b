# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts: a disk that drops what was not fsynced, and a listener whose state and logs are on it."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from event_listener.journal import Journal, JournalReader, JournalUnavailableError
from event_listener.store import Arrival, StoreBrokenError, StoreUnavailableError, open_store
from event_listener.store.backend import SQLiteBackend
from sqlalchemy import text

from tests.faultfs.disk import FaultDisk, unusable
from tests.integration.crash_traffic import Traffic, check, cut_power, register
from tests.integration.listener_process import RunningListener, wait_for

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(unusable()), reason=unusable())]
CUTS = 3


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultDisk]:
    with FaultDisk(tmp_path) as disk:
        yield disk


def on(disk: FaultDisk) -> dict:
    """Everything on the disk. Without TLS: urllib3 leaks sockets whose handshake a kill breaks off."""
    logs = str(disk.path / "logs")
    return {
        "ingest": {"plain_http": True},
        "state_dir": str(disk.path / "state"),
        "sinks": {"text_log": {"directory": logs}, "json_lines": {"directory": logs}},
    }


def test_acknowledged_survives_power_cuts(listener: Callable[..., RunningListener], disk: FaultDisk):
    """Cut at random moments, in the middle of an fsync too, and with what a disk may have written by itself."""
    rng = random.Random(5)
    running = listener(on(disk), start=False)
    running.start()
    register(running)
    with Traffic(running) as traffic:
        lost = [cut_power(running, disk, traffic, rng, random_part=bool(number % 2)) for number in range(CUTS)]
    assert sum(lost) > 0, "the disk forgot nothing, so nothing was tested"
    check(running, traffic)
    assert running.stop() == 0


def test_a_failed_fsync_ends_ingest(listener: Callable[..., RunningListener], disk: FaultDisk):
    """What it was for is not acknowledged; the next process goes on with what the disk has."""
    with listener(on(disk)) as running:
        assert running.post(event("before")).status_code == 200
        running.freeze_relay()  # it mustn't get the failing fsync
        master = running.pids("ingest")
        disk.set(failing_syncs=1)
        assert not stored(running, "failed")
        wait_for(lambda: running.pids("ingest") not in ([], master), 60)
        wait_for(lambda: stored(running, "after"), 60)
        assert "fsync of the journal" in running.output()
        running.kill("relay", signal.SIGCONT)
        wait_for(lambda: {"before", "after"} <= set(logged(running)), 60)


def test_a_failed_fsync_of_the_event_log_ends_its_writer(disk: FaultDisk):
    """Not the same as a full disk, which is waited for; afterwards the log has all or nothing of the batch."""
    entry = Arrival(
        journal_id="a" * 12, journal_seq=1, received_ns=1, source="s", address="192.0.2.1", peer="192.0.2.1",
        credential="c", content_type="", body=b"{}",
    )  # fmt: skip
    with open_store(disk.path / "state") as store:
        disk.set(failing_syncs=1)
        with pytest.raises(StoreBrokenError, match="fsync of the event log"):
            store.log.write([entry], "journal:a", 1)
    with open_store(disk.path / "state") as store:
        store.make_durable()
        assert store.log.payload_head() == (store.cursors.get("journal:a") or 0)


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_disk_that_takes_nothing(listener: Callable[..., RunningListener], disk: FaultDisk, trouble: str):
    """503 with Retry-After, a readiness that says why, no restart when it takes again, and a record of the refused."""
    # Without a reserve: it would be freed, and take what is to be refused here.
    settings = {"ingest": {"plain_http": True, "retry_after": 7}, "disk": {"interval": 0.2, "reserve": 0}}
    with listener(on(disk) | settings) as running:
        assert running.post(event("before")).status_code == 200
        # What is cut off in mid-commit ends its process, as another test shows; here all is at rest before.
        wait_for(lambda: "before" in logged(running), 60)
        with running.journal() as journal:
            wait_for(lambda: journal.read_after(0) == [], 60)
        workers = running.pids("worker")
        disk.set(**({"capacity": disk.state()["used"]} if trouble == "full" else {"read_only": True}))
        wait_for(lambda: running.post(event("lost", "x" * 50_000), timeout=60).status_code == 503, 60)
        assert running.post(event("lost", "x" * 50_000)).headers["Retry-After"] == "7"
        said = "full" if trouble == "full" else "read-?only|I/O error"
        wait_for(lambda: any(re.search(said, reason, re.I) for reason in unready(running)), 60)
        disk.heal()
        wait_for(lambda: stored(running, "after"), 60)
        assert sorted(running.pids("worker")) == sorted(workers)
        wait_for(lambda: requests.get(f"{running.manage_url}/health/ready", timeout=20).status_code == 200, 60)
        wait_for(lambda: {"before", "after"} <= set(logged(running)), 60)

        def told() -> list[dict]:
            return running.api("/api/v1/events", type="RedfleetEvents.EventsRefused").json()["events"]

        # One record or several: how long the disk takes nothing depends on the machine.
        wait_for(lambda: sum(int(one["message_args"][0]) for one in told()) >= 2, 60)
        assert all(str(disk.path) in one["message"] for one in told())


def test_who_read_while_the_disk_was_read_only_keeps_nobody_from_writing(disk: FaultDisk):
    """A process shares how SQLite opened a file: a connection for reading only would make all others such."""
    state = disk.path / "state"
    with open_store(state) as store, JournalReader(state) as first, JournalReader(state) as second:
        store.cursors.beat("relay")
        writer = Journal(state)
        writer.append([], note=("a note", "to forget"))
        writer.close()
        assert first.notes("a") == second.notes("a") != {}
        with held_by_another_process(state / "log" / "events.db", state / "journal" / "journal.db"):
            second.close()
            disk.set(read_only=True)
            with pytest.raises(StoreUnavailableError):
                store.cursors.beat("relay")
            with pytest.raises(JournalUnavailableError):
                first.forget_note("a note")
            with contextlib.ExitStack() as stack:
                with contextlib.suppress(StoreUnavailableError):
                    connection = stack.enter_context(SQLiteBackend(state / "log" / "events.db").read())
                    connection.execute(text("SELECT count(*) FROM cursor")).scalar()
                with contextlib.suppress(JournalUnavailableError):
                    assert first.notes("a")
                disk.heal()
                store.cursors.beat("relay")
                second.forget_note("a note")


@contextlib.contextmanager
def held_by_another_process(*databases: Path) -> Iterator[None]:
    """As by ingest and manage: who comes later needn't recover the log."""
    program = "import sqlite3, sys\nopen_ = [sqlite3.connect(path) for path in sys.argv[1:]]\n"
    program += (
        "print([one.execute('SELECT count(*) FROM sqlite_schema').fetchone() for one in open_], flush=True)\ninput()"
    )
    holder = [sys.executable, "-c", program, *map(str, databases)]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield
        process.communicate(b"\n")


def unready(running: RunningListener) -> list[str]:
    """Why the listener says that it isn't ready; nothing while it says it is."""
    answer = requests.get(f"{running.manage_url}/health/ready", timeout=60)
    if answer.status_code != 503:
        return []
    return [check["reason"] for check in answer.json()["checks"] if check["status"] == "unready"]


def event(mark: str, text: str = "") -> dict:
    return {"Id": mark, "Events": [{"EventId": mark, "MessageId": "Test.1.0.Disk", "Message": text}]}


def stored(running: RunningListener, mark: str) -> bool:
    try:
        return running.post(event(mark), timeout=30).status_code == 200
    except requests.RequestException:
        return False


def logged(running: RunningListener) -> list[str]:
    answer = running.api("/api/v1/events", order="asc", limit=1000)
    return [found["event_id"] for found in answer.json()["events"]] if answer.status_code == 200 else []
