# SPDX-License-Identifier: GPL-3.0-or-later
"""What sinks cost those who send: events acknowledged per second with four more sinks, and with the two files alone.

    .venv/bin/python tests/benchmarks/sinks_ingest.py [--rounds 5] [--seconds 5]

The whole listener runs, and wrk sends as much as goes over 32 connections that stay open. RabbitMQ, Kafka, rsyslog
(TLS) and an HTTP receiver are real ones and share the machine, with what they do for each event: the CPU time of each
process is printed per event acknowledged, theirs as well as ours (`benchmark` is the HTTP receiver). How many events
each sink had confirmed when the load ended is printed too. Asked of it: 0.9. It takes three minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._flood import Flooded
from tests.benchmarks.ingest import cpu_ticks
from tests.integration.bus.everywhere import Everywhere
from tests.integration.listener_process import RunningListener, children, command_line, wait_for
from tests.services.kafka import Kafka
from tests.services.rabbitmq import RabbitMQ
from tests.services.rsyslog import Rsyslog

TARGET = 0.9
PEERS = ("rabbitmq", "kafka", "rsyslog", "benchmark")


# By what their command lines hold; the rest of our descendants is left out.
_PARTS = {
    "ingest": "\0ingest\0", "relay": "\0relay\0", "manage": "\0manage\0",
    "rabbitmq": "beam.smp", "kafka": "kafka.Kafka", "rsyslog": "rsyslogd\0",
}  # fmt: skip


def measure(sinks: dict[str, Any], seconds: int) -> tuple[float, dict[str, int], dict[str, int]]:
    """Return the events acknowledged per second, how far each sink was when the load ended, and `spent` meanwhile."""
    with (
        tempfile.TemporaryDirectory(prefix="sinks-") as name,
        Flooded(Path(name), {"sinks": sinks}).start() as running,
    ):
        wait_for(lambda: len(positions(running)) == 2 + len(sinks), 120)  # all lanes run
        running.flood(2)
        before = cpu_seconds()
        rate = running.flood(seconds)
        spent = dict.fromkeys([*_PARTS, "wrk", "benchmark"], 0.0)
        for (part, pid), used in cpu_seconds().items():
            spent[part] += used - before.get((part, pid), 0.0)
        reached = positions(running)
        # A sink that never works would cost nothing.
        wait_for(lambda: all(positions(running).values()), 120)
        return rate, reached, {part: round(used * 1e6 / (rate * seconds)) for part, used in spent.items()}


def cpu_seconds() -> dict[tuple[str, int], float]:
    """Return the CPU time so far of each process of each part; what has ended is left out."""
    ended, ours = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    found = {("wrk", 0): ended.ru_utime + ended.ru_stime, ("benchmark", 0): ours.ru_utime + ours.ru_stime}
    waiting = [os.getpid()]
    while waiting:
        family = children(waiting.pop())
        waiting += family
        for pid in family:
            line = command_line(pid)
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                used = cpu_ticks(pid) / os.sysconf("SC_CLK_TCK")
                found |= {(part, pid): used for part, mark in _PARTS.items() if mark in line}
    return found


def direct(everywhere: Everywhere) -> dict[str, Any]:
    """Return the four sinks, straight at their peers: the tests' proxies would take processors, too."""
    addresses = {name: peer.target()[0] for name, peer in everywhere.peers.items()}
    addresses["kafka"] = everywhere.peers["kafka"].service.address
    return {
        name: [{**peer.settings(addresses[name]), "name": name, "timeout": 5}]
        for name, peer in everywhere.peers.items()
    }


def positions(running: RunningListener) -> dict[str, int]:
    """Return the last event that each sink has confirmed."""
    return {sink["name"]: sink["position"] for sink in running.api("/api/v1/sinks").json()["sinks"]}


def main() -> None:
    """Measure in turns; exit status 1 when the aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"files alone": [], "four more": []}
    costs: dict[str, list[dict[str, int]]] = {way: [] for way in rates}
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(service()) for service in (RabbitMQ, Kafka, Rsyslog)]
        everywhere = Everywhere(*services)
        stack.callback(everywhere.http.close)
        for _ in range(options.rounds):
            for way, sinks in (("files alone", {}), ("four more", direct(everywhere))):
                rate, reached, spent = measure(sinks, options.seconds)
                rates[way].append(rate)
                costs[way].append(spent)
                print(f"  {way:12} {rate:7,.0f}/s, events at the sinks {reached}")
                print(f"               µs of CPU per event acknowledged {spent}", flush=True)
    alone, more = (statistics.median(found) for found in rates.values())
    print(f"load {os.getloadavg()[0]:.1f}: files alone {alone:,.0f}/s, with four more sinks {more:,.0f}/s")
    print(f"  ratio {more / alone:.2f} (target {TARGET}: {'met' if more / alone >= TARGET else 'MISSED'})")
    for what, left_out in (("", ()), (" without the peers'", PEERS)):
        ours, theirs = (
            statistics.median(sum(used for part, used in one.items() if part not in left_out) for one in found)
            for found in costs.values()
        )
        print(f"  CPU time per event{what}: {ours:,.0f} and {theirs:,.0f} µs, a ratio of {ours / theirs:.2f}")
    sys.exit(0 if more / alone >= TARGET else 1)


if __name__ == "__main__":
    main()
