# SPDX-License-Identifier: GPL-3.0-or-later
"""Does memory stay flat over a million events? All processes of a listener, from the POST to the text log.

    PYTHONPATH=. python tests/benchmarks/memory.py [--events 1000000] [--minutes 30]

Prints what each process holds (USS: what it has for itself) at each tenth. Flat is: at the end less than a quarter more
than at the third tenth, or 32 MiB more. It takes ten minutes or more, and 4 GB of disk.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks._flood import Flooded
from tests.integration.listener_process import RunningListener, children, is_writer

BURST_SECONDS = 5
MOST_BEHIND = 50_000  # payloads in the journal: the load waits for the relay
SLACK = 32 << 20


def uss(pid: int) -> int:
    """Return the bytes that a process has for itself."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def held(running: RunningListener) -> dict[str, int]:
    """Return what each part has, its children included."""
    found = {}
    for part in ("ingest", "manage", "relay"):
        family = running.pids(part)
        for pid in family:
            family.extend(child for child in children(pid) if not is_writer(child))
        found[part] = sum(uss(pid) for pid in family)
    return found


def counted(running: RunningListener) -> tuple[int, int]:
    """Return how many payloads were acknowledged so far, and how many of them wait to be indexed."""
    with running.journal() as journal:
        done = journal.head()
        waiting = journal.read_after(0, 1)
        return done, done - waiting[0][0] + 1 if waiting else 0


def main() -> None:
    """Send and look; exit status 1 when a process grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=30, help="ends then, however many there were")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        running = Flooded(Path(name), {})
        looks: list[dict[str, int]] = []
        ends = time.monotonic() + options.minutes * 60
        with running.start():
            while (found := counted(running))[0] < options.events and time.monotonic() < ends:
                if found[1] > MOST_BEHIND:
                    time.sleep(1)
                    continue
                running.flood(BURST_SECONDS)
                if counted(running)[0] >= options.events / 10 * (len(looks) + 1):
                    looks.append(held(running))
                    shown = ", ".join(f"{part} {size >> 20} MiB" for part, size in looks[-1].items())
                    print(f"{counted(running)[0]:,} events: {shown}", flush=True)
            looks.append(held(running))
    if len(looks) < 4:
        sys.exit("too few events for a judgement; give it more minutes")
    grown = {part: looks[-1][part] - looks[2][part] for part in looks[2]}
    good = all(more <= max(SLACK, looks[2][part] // 4) for part, more in grown.items())
    print(f"since the third look: {', '.join(f'{part} {more >> 20:+d} MiB' for part, more in grown.items())}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
