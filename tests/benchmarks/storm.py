# SPDX-License-Identifier: GPL-3.0-or-later
"""The power event: every BMC of a fleet speaks at once, each event on a new TLS connection. Alone, and behind nginx.

    PYTHONPATH=. python tests/benchmarks/storm.py [--sources 10000] [--events 5] [--connections 400] [--way alone]

The whole listener runs: what is acknowledged is looked for in the event log afterwards. The load is wrk, which shares
the machine; its part of the CPU time is printed. Sources are told apart by their path. It takes two minutes.
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
# Each event once; then GETs, whose 405 isn't counted, until the last event was answered.
SCRIPT = """
local sources, events, sent, stored, refused = {sources}, {events}, -1, 0, 0  -- wrk itself takes the first request
local headers = {{["Content-Type"] = "application/json", ["Connection"] = "close", ["Authorization"] = "Basic {basic}"}}
function request()
  if sent < 0 or sent == sources * events then
    sent = math.max(sent, 0)
    return wrk.format("GET", "/", headers)
  end
  local source, event = sent % sources, math.floor(sent / sources)
  sent = sent + 1
  local body = string.format([==[{{"Id": "%d", "Name": "Event Array", "Context": "storm", "Events": [{{
    "EventType": "Alert", "EventId": "%d-%d", "MemberId": "0", "Severity": "Critical", "MessageArgs": [],
    "EventTimestamp": "2026-01-01T00:00:00Z", "Message": "The resource has been powered off.",
    "MessageId": "ResourceEvent.1.3.ResourcePoweredOff",
    "OriginOfCondition": {{"@odata.id": "/redfish/v1/Systems/437XR1138R2"}}}}]}}]==], event, source, event)
  return wrk.format("POST", "/events/storm-" .. source, headers, body)
end
function response(status)
  if status == 200 then stored = stored + 1 elseif status ~= 405 then refused = refused + 1 end
  if stored + refused >= sources * events then
    io.stdout:write(string.format("stored %d refused %d\\n", stored, refused))
    io.stdout:flush()
    wrk.thread:stop()
  end
end
"""


@dataclass
class Outcome:
    """What a storm came to. Seconds; `kept` are events in the event log; `share` is wrk's of all CPU time, 0 to 1."""

    seconds: float
    stored: int
    refused: int
    kept: int
    errors: str
    p99: str
    share: float


def storm(running: RunningListener, sources: int, events: int, connections: int, limit: int = 300) -> Outcome:
    """Let it come over a running listener, and wait until the event log has it. It ends after `limit` seconds."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("wrk is missing; on Debian: apt-get install wrk")
    script = running.directory / "storm.lua"
    basic = base64.b64encode(":".join(running.credentials).encode()).decode()
    script.write_text(SCRIPT.format(sources=sources, events=events, basic=basic))
    for _ in range(20):  # who has shown credentials may have many connections; real BMCs have an address each
        assert running.post({}, timeout=60).status_code == 200
    before, family = cpu_seconds(running), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [program, "-t1", f"-c{connections}", f"-d{limit}s", "--timeout", "30s", "--latency", "-s", str(script)]
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
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    load = used.ru_utime + used.ru_stime - family.ru_utime - family.ru_stime
    ours = cpu_seconds(running) - before
    stored, refused = map(int, re.search(r"stored (\d+) refused (\d+)", output).groups())
    errors, p99 = re.search(r"Socket errors: .*", output), re.search(r"99%\s+(\S+)", output)
    return Outcome(
        seconds=seconds,
        stored=stored,
        refused=refused,
        kept=kept(running, stored),
        errors=errors[0] if errors else "",
        p99=p99[1] if p99 else "?",
        share=load / (load + ours),
    )


def kept(running: RunningListener, expected: int, patience: float = 300) -> int:
    """Return how many different events of storms the event log holds, once it holds `expected` or time is up."""
    deadline = time.monotonic() + patience
    query = "SELECT count(DISTINCT source || ' ' || event_id) FROM event WHERE source LIKE 'storm-%'"
    while True:
        with contextlib.closing(sqlite3.connect(store.sqlite_path(running.state_dir))) as log:
            count = int(log.execute(query).fetchone()[0])
        if count >= expected or time.monotonic() > deadline:
            return count
        time.sleep(0.5)


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
    parser.add_argument("--way", choices=list(TARGETS), action="append")
    options = parser.parse_args()
    good = True
    for way in options.way or TARGETS:
        with tempfile.TemporaryDirectory() as directory, listener(Path(directory), way).start() as running:
            found = storm(running, options.sources, options.events, options.connections)
        total = options.sources * options.events
        good = good and found.stored == found.kept == total and found.seconds <= TARGETS[way]
        print(
            f"{way}: {found.stored:,} of {total:,} events acknowledged in {found.seconds:.1f} s (aim {TARGETS[way]:g})"
        )
        rate = f"{found.stored / found.seconds:,.0f}/s, p99 {found.p99}"
        print(f"  {rate}, {found.refused} refused, {found.errors or 'no errors'}")
        print(f"  {found.kept:,} in the event log; {found.share:.0%} of the CPU time was the load's", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
