# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill who launches scans again and again, at any moment: each address is scanned, and none twice without being told.

    .venv/bin/python tests/benchmarks/scans.py [--kills N] [--scans N] [--seed N]

A simulated Qualys answers as the documentation says, and sometimes not at all. Ends with the first broken promise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

from event_listener.store import open_store

from tests.services.qualys import Cut, Qualys
from tests.unit.listener.scan_harness import Scanning, change, qualys_settings

WORKING = """\
import sys, threading
from event_listener import config_file
from event_listener.process import die_with_parent
from event_listener.scans.worker import workers
from event_listener.store import open_store
die_with_parent(int(sys.argv[2]))
settings = config_file.load(sys.argv[1])
with open_store(settings.state_dir) as store:
    for thread in workers([], settings, store, threading.Event()):
        thread.start()
        thread.join()
"""


def main(options: argparse.Namespace, base: Path) -> str:
    """Kill, and return what happened. Raises AssertionError."""
    rng = random.Random(options.seed)
    with Qualys() as peer, open_store(base / "state") as store:
        changes = {"timeout": 0.5, "poll_interval": 0.2, "max_scans_per_day": 100_000}
        scanning = Scanning(store, qualys_settings(peer.url, base, **changes))
        config = base / "config.yml"
        section = msgspec.to_builtins(scanning.settings)
        config.write_text(json.dumps({"state_dir": str(base / "state"), "sinks": {"qualys": [section]}}))
        for number in range(options.scans):
            change(store, number, [f"192.0.2.{number % 250 + 1}"])
            scanning.tell()
        for _ in range(options.kills):
            peer.faults = [Cut(rng.random() < 0.5)] if rng.random() < 0.3 else []
            working = start(config)
            time.sleep(rng.uniform(0.8, 3.0))
            working.kill()
            working.wait()
        peer.faults = []
        working = start(config)
        try:
            finish(peer, store, options.scans)
        finally:
            working.kill()
            working.wait()
        return judged(peer, scanning, options)


def start(config: Path) -> subprocess.Popen[bytes]:
    """A process with the worker, which ends with us."""
    return subprocess.Popen([sys.executable, "-c", WORKING, str(config), str(os.getpid())])


def finish(peer: Qualys, store, scans: int) -> None:
    """Let all scans end."""
    deadline = time.monotonic() + 600
    while len(store.scans.list(states=["completed"], limit=scans + 1)) < scans:
        assert time.monotonic() < deadline, "scans don't end"
        for reference in peer.states:
            peer.states[reference] = "Finished"
        time.sleep(0.2)


def judged(peer: Qualys, scanning: Scanning, options: argparse.Namespace) -> str:
    """Every scan was launched, and more than once only after an event that said so."""
    launched = [scan.title.split()[1].partition(".")[0] for scan in peer.launches()]
    twice = len(launched) - len(set(launched))
    events, after = [], 0
    while page := scanning.store.log.read_events_after(after, 1000):
        events += page
        after = page[-1].seq
    unsure = [event.start_id for event in events if event.type == "RedfleetEvents.ScanUnsure"]
    assert len(set(launched)) == options.scans
    assert all(launched.count(one) <= 1 + unsure.count(one) for one in set(launched))
    for key in ("ScanScheduled", "ScanStarted", "ScanCompleted"):
        told = [event.start_id for event in events if event.type == f"RedfleetEvents.{key}"]
        assert sorted(told) == sorted(set(launched)), key
    return f"{options.kills} kills: {options.scans} scans, {twice} launched twice, {len(unsure)} times told unsure"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    with tempfile.TemporaryDirectory() as directory:
        print(main(parser.parse_args(), Path(directory)))
