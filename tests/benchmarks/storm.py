# SPDX-License-Identifier: GPL-3.0-or-later
"""The power event: every BMC of a fleet speaks at once, each event on a new TLS connection. Alone, and behind nginx.

    PYTHONPATH=. python tests/benchmarks/storm.py [--sources 10000] [--events 5] [--connections 400] [--way alone]

The whole listener runs: what is acknowledged is looked for in the event log afterwards. What got a 503 is sent again
after 30 s, as bmcweb does by default (three attempts in all). The load is wrk, which shares the machine; its part of
the CPU time is printed. Sources are told apart by their path. It takes two minutes.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import trustme
from event_listener import store

from tests.integration.listener_process import RunningListener, children

TARGETS = {"nginx": 30.0, "alone": 45.0}
ATTEMPTS = 3
RETRY_SECONDS = 30.0
# Each line of a file, "source event", once; then GETs, whose 405 isn't counted, until the last event was answered.
SCRIPT = """
local todo, sent, stored, refused = {{}}, -1, 0, 0  -- wrk itself takes the first request
for source, event in io.open("{todo}"):read("a"):gmatch("(%d+) (%d+)") do todo[#todo + 1] = {{source, event}} end
local headers = {{["Content-Type"] = "application/json", ["Connection"] = "close", ["Authorization"] = "Basic {basic}"}}
function request()
  if sent < 0 or sent == #todo then
    sent = math.max(sent, 0)
    return wrk.format("GET", "/", headers)
  end
  sent = sent + 1
  local source, event = todo[sent][1], todo[sent][2]
  local body = string.format([==[{{"Id": "%s", "Name": "Event Array", "Context": "storm", "Events": [{{
    "EventType": "Alert", "EventId": "%s-%s", "MemberId": "0", "Severity": "Critical", "MessageArgs": [],
    "EventTimestamp": "2026-01-01T00:00:00Z", "Message": "The resource has been powered off.",
    "MessageId": "ResourceEvent.1.3.ResourcePoweredOff",
    "OriginOfCondition": {{"@odata.id": "/redfish/v1/Systems/437XR1138R2"}}}}]}}]==], event, source, event)
  return wrk.format("POST", "/events/storm-" .. source, headers, body)
end
function response(status)
  if status == 200 then stored = stored + 1 elseif status ~= 405 then refused = refused + 1 end
  if stored + refused >= #todo then
    io.stdout:write(string.format("stored %d refused %d\\n", stored, refused))
    io.stdout:flush()
    wrk.thread:stop()
  end
end
"""


@dataclass
class Outcome:
    """What a storm came to. `refused` got a 503 at first; `kept` are events in the event log.

    Seconds, pauses before what is sent again included; `share` is wrk's of all CPU time, 0 to 1.
    """

    seconds: float
    stored: int
    refused: int
    kept: int
    errors: str
    p99: str
    share: float


def storm(
    running: RunningListener,
    sources: int,
    events: int,
    connections: int,
    retry_seconds: float = RETRY_SECONDS,
    limit: int = 300,
) -> Outcome:
    """Let it come over a running listener, and wait until the event log has it. Each attempt ends after `limit` s."""
    for _ in range(20):  # who has shown credentials may have many connections; real BMCs have an address each
        assert running.post({}, timeout=60).status_code == 200
    before, family = cpu_seconds(running), resource.getrusage(resource.RUSAGE_CHILDREN)
    every = [(source, event) for event in range(events) for source in range(sources)]
    attempt = send(running, every, connections, limit)
    first, stored, took = attempt, attempt.stored, attempt.seconds
    for _ in range(ATTEMPTS - 1):
        if stored >= len(every):
            break
        again = time.monotonic() + retry_seconds
        kept(running, stored)
        missing = sorted(set(every) - in_the_log(running))
        if not missing:  # stored after the 503
            break
        time.sleep(max(0.0, again - time.monotonic()))
        attempt = send(running, missing, connections, limit)
        stored, took = len(every) - len(missing) + attempt.stored, took + retry_seconds + attempt.seconds
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    load = used.ru_utime + used.ru_stime - family.ru_utime - family.ru_stime
    ours = cpu_seconds(running) - before
    found = kept(running, len(every) if stored >= len(every) else stored)
    return Outcome(took, max(stored, found), first.refused, found, first.errors, first.p99, load / (load + ours))


@dataclass
class Attempt:
    """One run of wrk over a list of events."""

    seconds: float
    stored: int
    refused: int
    errors: str
    p99: str


def send(running: RunningListener, events: list[tuple[int, int]], connections: int, limit: int) -> Attempt:
    """Send (source, event) pairs, each on a new connection; returns when the last one was answered."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("wrk is missing; on Debian: apt-get install wrk")
    script, todo = running.directory / "storm.lua", running.directory / "storm.txt"
    todo.write_text("".join(f"{source} {event}\n" for source, event in events))
    basic = base64.b64encode(":".join(running.credentials).encode()).decode()
    script.write_text(SCRIPT.format(todo=todo, basic=basic))
    at_once = min(connections, len(events))
    command = [program, "-t1", f"-c{at_once}", f"-d{limit}s", "--timeout", "30s", "--latency", "-s", str(script)]
    began = time.monotonic()
    with subprocess.Popen([*command, running.url], stdout=subprocess.PIPE, text=True) as wrk:
        lines = []
        for line in wrk.stdout:
            lines.append(line)
            if line.startswith("stored"):
                seconds = time.monotonic() - began
                wrk.send_signal(signal.SIGINT)  # it would sleep until its time is up
    output = "".join(lines)
    if "stored" not in output:
        sys.exit(f"not every event was answered within {limit} s:\n{output}")
    stored, refused = map(int, re.search(r"stored (\d+) refused (\d+)", output).groups())
    errors, p99 = re.search(r"Socket errors: .*", output), re.search(r"99%\s+(\S+)", output)
    return Attempt(seconds, stored, refused, errors[0] if errors else "", p99[1] if p99 else "?")


def in_the_log(running: RunningListener) -> set[tuple[int, int]]:
    """The events of storms that the event log holds."""
    query = "SELECT DISTINCT event_id FROM event WHERE source LIKE 'storm-%'"
    try:
        with contextlib.closing(sqlite3.connect(store.sqlite_path(running.state_dir))) as log:
            return {(int(source), int(event)) for (name,) in log.execute(query) for source, event in [name.split("-")]}
    except sqlite3.OperationalError:  # on a busy machine the relay, which makes it, begins later than the storm
        return set()


def kept(running: RunningListener, expected: int, patience: float = 300) -> int:
    """Return how many different events of storms the event log holds, once it holds `expected` or time is up."""
    deadline = time.monotonic() + patience
    while (count := len(in_the_log(running))) < expected and time.monotonic() < deadline:
        time.sleep(0.5)
    return count


def cpu_seconds(running: RunningListener) -> float:
    """Return the CPU time of the listener's processes, nginx's included."""
    family = [pid for part in ("ingest", "manage", "relay", "nginx") for pid in running.pids(part)]
    for pid in family:
        family.extend(children(pid))
    ticks = 0
    for pid in family:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def listener(directory: Path, way: str) -> RunningListener:
    """Return a listener that isn't started, with a certificate of its own."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    paths = {name: directory / f"{name}.pem" for name in ("ca", "certificate", "key")}
    authority.cert_pem.write_to_path(str(paths["ca"]))
    issued.private_key_pem.write_to_path(str(paths["key"]))
    paths["certificate"].write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return RunningListener(directory, paths, {"nginx": {}} if way == "nginx" else {}, host="127.0.0.1", arguments=[])


def main() -> None:
    """Let the storm come; exit status 1 when it took too long or an event is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, default=10000)
    parser.add_argument("--events", type=int, default=5)
    parser.add_argument("--connections", type=int, default=400, help="at once; a BMC sends its events one by one")
    parser.add_argument("--retry-seconds", type=float, default=RETRY_SECONDS, help="before a 503 is sent again")
    parser.add_argument("--way", choices=list(TARGETS), action="append")
    options = parser.parse_args()
    good = True
    for way in options.way or TARGETS:
        with tempfile.TemporaryDirectory() as directory, listener(Path(directory), way).start() as running:
            found = storm(running, options.sources, options.events, options.connections, options.retry_seconds)
        total = options.sources * options.events
        good = good and found.stored == found.kept == total and found.seconds <= TARGETS[way]
        print(
            f"{way}: {found.stored:,} of {total:,} events acknowledged in {found.seconds:.1f} s (aim {TARGETS[way]:g})"
        )
        rate = f"{found.stored / found.seconds:,.0f}/s, p99 {found.p99}"
        print(f"  {rate}, {found.refused} of them after a 503, {found.errors or 'no errors'}")
        print(f"  {found.kept:,} in the event log; {found.share:.0%} of the CPU time was the load's", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
