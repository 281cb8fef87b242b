# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill who launches scans again and again, at any moment: each address is scanned, and none twice without being told.

`scans.py [--kills N] [--scans N] [--seed N] [--minutes N]`. A simulated Qualys answers as the documentation says, and
of launches four in ten not at all. A third of the kills come in the middle of a launch, a third in any request, the
others at any time; new changes come, and scans end, all along. Ends with status 1 and the first broken promise.
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
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

from event_listener.event import Event
from event_listener.store import Store, open_store

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
KEYS = ("ScanScheduled", "ScanStarted", "ScanCompleted")
LIFE_SECONDS = 5.0  # at most, before it is killed: there may be nothing to ask


class Run:
    """A scanner, the scans that are asked of it, and the process that launches them."""

    def __init__(self, options: argparse.Namespace, base: Path, peer: Qualys, store: Store) -> None:
        self.options, self.peer, self.store = options, peer, store
        self.rng = random.Random(options.seed)
        fast = {"timeout": 0.5, "poll_interval": 0.2, "max_scans_per_day": 100_000}
        self.scanning = Scanning(store, qualys_settings(peer.url, base, **fast))
        self.config = base / "config.yml"
        section = msgspec.to_builtins(self.scanning.settings)
        self.config.write_text(json.dumps({"state_dir": str(base / "state"), "sinks": {"qualys": [section]}}))
        self.working: subprocess.Popen[bytes] | None = None
        self.asked, self.in_flight = 0, Counter[str]()
        self.deadline = time.monotonic() + options.minutes * 60

    def __call__(self) -> str:
        """Kill, and return what happened. Raises AssertionError."""
        for number in range(self.options.kills):
            self._ask(self.options.scans * (number + 1) // self.options.kills)
            self._end_some()
            self._live_and_die()
            if number % 10 == 9:
                self._tell(f"{number + 1} kills")
        self.peer.faults = []
        self._start()
        try:
            self._finish()
        finally:
            self._kill()
        return self._judged()

    def _ask(self, through: int) -> None:
        """Changes up to that number are told to the sink."""
        for number in range(self.asked, through):
            change(self.store, number, [f"192.0.2.{number % 250 + 1}"])
            self.scanning.tell()
        self.asked = through

    def _end_some(self) -> None:
        for reference in list(self.peer.states):
            if self.rng.random() < 0.5:
                self.peer.states[reference] = "Finished"

    def _start(self) -> None:
        """A process with the worker, which ends with us."""
        self.working = subprocess.Popen([sys.executable, "-c", WORKING, str(self.config), str(os.getpid())])

    def _kill(self) -> None:
        if self.working is not None:
            self.working.kill()
            self.working.wait()

    def _live_and_die(self) -> None:
        """Kill it in a launch, in any request, or some time after its first one. Raises AssertionError."""
        before, moment = len(self.peer.calls), self.rng.choice(["launch", "request", "time"])
        left = [self.rng.randrange(1, 3 if moment == "launch" else 6)]

        def arrived() -> None:
            launch = self.peer.calls[-1][2].get("action") == "launch"
            if launch and self.rng.random() < 0.4:
                self.peer.faults = [Cut(self.rng.random() < 0.5)]
            left[0] -= moment == "request" or (moment == "launch" and launch)
            if left[0] == 0 and self.working is not None and self.working.poll() is None:
                self.working.kill()
                self.in_flight[moment] += 1

        self.peer.in_flight = arrived
        self._start()
        assert self.working is not None
        end = time.monotonic() + LIFE_SECONDS
        while self.working.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
            if moment == "time" and len(self.peer.calls) > before:
                time.sleep(self.rng.random() * 0.5)
                break
        self._kill()
        self.peer.in_flight = lambda: None
        assert time.monotonic() < self.deadline, "it takes too long"

    def _tell(self, what: str) -> None:
        states = {state: len(self.store.scans.list(states=[state])) for state in ("launching", "running", "completed")}
        print(f"{what}; {self.asked} asked for, {len(self.peer.scans)} launched, {states}", flush=True)

    def _finish(self) -> None:
        """Let all scans end. Raises AssertionError."""
        while len(self.store.scans.list(states=["completed"], limit=self.options.scans + 1)) < self.options.scans:
            assert time.monotonic() < self.deadline, "scans don't end"
            for reference in list(self.peer.states):
                self.peer.states[reference] = "Finished"
            time.sleep(0.2)

    def _events(self) -> Iterator[Event]:
        after = 0
        while page := self.store.log.read_events_after(after, 1000):
            yield from page
            after = page[-1].seq

    def _judged(self) -> str:
        """Every scan was launched, and more than once only after an event that said so."""
        launched = [scan.title.split()[1].partition(".")[0] for scan in self.peer.launches()]
        scans, events = set(launched), list(self._events())
        unsure = [event.start_id for event in events if event.type == "RedfleetEvents.ScanUnsure"]
        untold = [one for one in scans if launched.count(one) > 1 + unsure.count(one)]
        told = {key: [one.start_id for one in events if one.type == f"RedfleetEvents.{key}"] for key in KEYS}
        print(f"scans asked for          {self.options.scans}")
        print(f"launched at Qualys       {len(scans)} ({self.options.scans - len(scans)} never)")
        print(f"launched again           {len(launched) - len(scans)}, {len(untold)} of them without being told")
        print(f"told unsure              {len(unsure)}")
        print(f"events                   { {key: len(ids) for key, ids in told.items()} }", flush=True)
        assert len(scans) == self.options.scans, "an address was never scanned"
        assert not untold, untold
        for key, ids in told.items():
            assert sorted(ids) == sorted(scans), f"{key} wasn't told once for each scan"
        return (
            f"{self.options.kills} kills, {self.in_flight} of them in the middle of a request: all {len(scans)} scans"
        )


def main() -> int:
    """Run and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--minutes", type=float, default=15, help="give up after so many")
    options = parser.parse_args()
    print(f"scans: {options}", flush=True)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="scans-") as directory,
        Qualys() as peer,
        open_store(Path(directory) / "state") as store,
    ):
        try:
            result = Run(options, Path(directory), peer, store)()
        except AssertionError as error:
            print(f"BROKEN: {error}")
            return 1
    print(f"scans: {result}; {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
