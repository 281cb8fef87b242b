# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill parts of the listener two hundred times during traffic; what is acknowledged must be stored exactly once.

`crash.py [--kills N] [--events N] [--seed N] [--postgresql]`, or `crash.py --power-cuts N` for a disk that forgets what
was not fsynced. Ends with status 1 and the first broken promise.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faultfs.disk import FaultDisk
from tests.integration.crash_traffic import EVENTS, Traffic, check, cut_power, database, kill_parts, register
from tests.integration.listener_process import RunningListener, issue_certificates, wait_for
from tests.services.postgresql import PostgreSQL


def kills(options: argparse.Namespace, base: Path) -> str:
    """Kill, and return what happened."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(PostgreSQL(durable=True)) if options.postgresql else None
        settings = database(server, base) if server else {}
        running = RunningListener(base, issue_certificates(base), settings, host="127.0.0.1", arguments=[])
        stack.enter_context(running.start())
        register(running)
        with Traffic(running) as traffic:
            killed = kill_parts(running, traffic, options.kills, random.Random(options.seed), server)
            wait_for(lambda: traffic.total() * EVENTS >= options.events, 3600)
        check(running, traffic)
    share = ", ".join(f"{name} {number}" for name, number in sorted(killed.items()))
    return f"{sum(killed.values())} kills ({share}): {told(traffic)}"


def power_cuts(options: argparse.Namespace, base: Path) -> str:
    """Cut the power, and return what happened."""
    rng = random.Random(options.seed)
    with FaultDisk(base / "fault") as disk:
        logs = {"directory": str(disk.path / "logs")}
        settings = {"state_dir": str(disk.path / "state"), "sinks": {"text_log": logs, "json_lines": logs}}
        running = RunningListener(base, issue_certificates(base), settings, host="127.0.0.1", arguments=[])
        with running.start():
            register(running)
            with Traffic(running) as traffic:
                lost = [
                    cut_power(running, disk, traffic, rng, random_part=bool(number % 2))
                    for number in range(options.power_cuts)
                ]
            check(running, traffic)
    return f"{len(lost)} power cuts, which forgot {sum(lost)} pages and names: {told(traffic)}"


def told(traffic: Traffic) -> str:
    """Return the sentence about what the traffic was answered."""
    refused = sum(traffic.refused.values())
    return f"{traffic.total() * EVENTS} events acknowledged, none lost, none twice; {refused} POSTs told to come again"


def main() -> None:
    """Run and print one line of result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--events", type=int, default=200_000, help="go on until so many were acknowledged")
    parser.add_argument("--postgresql", action="store_true", help="the event log in a PostgreSQL, which is killed too")
    parser.add_argument("--power-cuts", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"crash: seed {options.seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-") as directory:
        result = (power_cuts if options.power_cuts else kills)(options, Path(directory))
    print(f"crash: {result}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
