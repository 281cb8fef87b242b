# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the relay is: events/s from the journal into event log, text log and JSON lines, and how far behind.

Two runs, each a real `event-listener relay` of its own:
  pace    2,000 payloads/s arrive for some seconds: how long until each is in both files (asked of it: at most 1 s)
  flood   everything is in the journal already: the most it can do
The floor in the same run is SQLite itself: the same payloads inserted into one table, one synced commit per batch.

In the first second of both, 2,000 files are new. For minutes after a file was removed, ext4 without a journal doesn't
give its inode away again, and looks at all of those each time it seeks one: a new file near them then takes 1 ms of a
processor instead of 0.01. So each run is in a place of its own, and what a new file takes there is measured before it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from event_listener.journal import Entry, Journal
from event_listener.store import open_store

FLOOD = 30_000
RATE, SECONDS = 2_000, 10
SOURCES = 1_000
LIMIT = 60.0
FILES = 200


def payload(number: int) -> bytes:
    """An event as a BMC sends it, about 600 bytes."""
    record = {
        "EventType": "Alert", "EventId": str(number), "MessageId": "NetworkDevice.1.0.3.CableRemoved",
        "MessageSeverity": "Warning", "Message": "A cable has been removed from network adapter 1 port 1.",
        "MessageArgs": ["1", "1"], "EventTimestamp": "2026-11-22T02:54:34+00:00",
        "OriginOfCondition": {"@odata.id": "/redfish/v1/Chassis/1/NetworkAdapters/1/Ports/1"},
    }  # fmt: skip
    return json.dumps({"@odata.type": "#Event.v1_7_0.Event", "Id": "1", "Name": "Event", "Events": [record]}).encode()


def entries(first: int, count: int) -> list[Entry]:
    """Journal entries of random sources."""
    names = [random.randrange(SOURCES) for _number in range(count)]
    return [
        Entry(time.time_ns(), f"bmc{name}", f"10.0.{name // 250}.{name % 250}", "c", "application/json", "ok", "", body)
        for name, body in zip(names, (payload(first + number) for number in range(count)), strict=True)
    ]


class Relay:
    """A relay in a directory of its own in ``parent``."""

    def __init__(self, parent: Path) -> None:
        self.path = Path(tempfile.mkdtemp(dir=parent))
        self.new_file = new_file(self.path)
        self.journal = Journal(self.path / "state")
        self._store = open_store(self.path / "state")
        config = {
            "state_dir": str(self.path / "state"), "user": "root",
            "sinks": {name: {"directory": str(self.path / "logs")} for name in ("text_log", "json_lines")},
        }  # fmt: skip
        (self.path / "config.yml").write_text(json.dumps(config))

    def __enter__(self) -> Relay:
        return self

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "event_listener", "relay", "--config", str(self.path / "config.yml")]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def size(self) -> tuple[int, int]:
        """How many units are in the text logs and in the JSON lines, confirmed: what survives a power cut."""
        cursors = self._store.cursors.all()
        return cursors.get("sink:text_log", 0), cursors.get("sink:json_lines", 0)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self.journal.close()
        self._store.close()


def new_file(directory: Path) -> float:
    """Milliseconds that the file system takes to begin a file near there."""
    (directory / "new").mkdir()
    began = time.monotonic()
    for number in range(FILES):
        os.close(os.open(directory / "new" / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    return (time.monotonic() - began) / FILES * 1000


def floor(parent: Path) -> float:
    """Rows/s that SQLite takes with one synced commit per 500."""
    with sqlite3.connect(parent / "x.db") as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE x (seq INTEGER PRIMARY KEY, body BLOB)")
        began = time.monotonic()
        for batch in range(0, FLOOD, 500):
            connection.executemany("INSERT INTO x (body) VALUES (?)", [(payload(batch + one),) for one in range(500)])
            connection.commit()
        return FLOOD / (time.monotonic() - began)


def flood(parent: Path) -> float:
    """Events/s until all are in both files, durably."""
    with Relay(parent) as relay:
        for first in range(0, FLOOD, 1000):
            relay.journal.append(entries(first, 1000))
        relay.start()
        while not any(relay.size()):
            time.sleep(0.01)
        began, before = time.monotonic(), min(relay.size())
        while (size := min(relay.size())) < FLOOD and time.monotonic() - began < LIMIT:
            time.sleep(0.02)
        return (size - before) / (time.monotonic() - began)


def pace(parent: Path) -> tuple[list[float], float]:
    """Seconds that each tenth of a second's payloads took into both files, and the milliseconds of a new file."""
    with Relay(parent) as relay:
        relay.start()
        relay.journal.append(entries(0, 1))
        while not min(relay.size()):  # what it takes to start isn't lag
            time.sleep(0.01)
        due: list[tuple[int, float]] = []
        lags: list[float] = []
        began, sent = time.monotonic(), 0
        while sent < RATE * SECONDS or due:
            now = time.monotonic()
            if now - began > LIMIT:
                sys.exit(f"the relay didn't keep up: {relay.size()} of {sent}")
            if sent < RATE * SECONDS and now - began >= sent / RATE:
                relay.journal.append(entries(sent, RATE // 10))
                sent += RATE // 10
                due.append((sent + 1, time.monotonic()))
            done = min(relay.size())
            while due and due[0][0] <= done:
                lags.append(time.monotonic() - due.pop(0)[1])
            time.sleep(0.005)
        return lags, relay.new_file


def main() -> None:
    """Run, print, fail where it is too slow."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as directory:
        parent = Path(directory)
        # A directory in it is far from its neighbours then, where the file system is ext4.
        subprocess.run(["chattr", "+T", directory], check=False, stderr=subprocess.DEVNULL)
        (lags, new), rate, bare = pace(parent), flood(parent), floor(parent)
    lags.sort()
    middle, high, worst = lags[len(lags) // 2], lags[len(lags) * 99 // 100], lags[-1]
    print(f"relay flood  {rate:8.0f} events/s into event log, text log and JSON lines ({SOURCES} sources)")
    print(f"relay floor  {bare:8.0f} rows/s by SQLite alone; ratio {rate / bare:.2f}")
    print(f"relay lag    {middle:8.3f} s median, {high:.3f} s p99, {worst:.3f} s worst at {RATE} payloads/s")
    print(f"relay file   {new:8.3f} ms for a new file, by the file system alone")
    if rate < RATE or high > 1.0:
        sys.exit(f"too slow: at least {RATE} events/s and at most 1 s behind are asked for")


if __name__ == "__main__":
    main()
