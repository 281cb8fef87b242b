# SPDX-License-Identifier: GPL-3.0-or-later
"""Events per second: acknowledged durably, with the journal off, and bare Flask; same load, interleaved, medians.

    PYTHONPATH=. python tests/benchmarks/ingest.py [--rounds 3] [--seconds 3] [--state-dir DIR] [--sync-ms 5]

The load is wrk, which shares the machine with the servers. A run in which one of the two workers did less than half of
the other's work is not counted: keep-alive connections can pile up on one. It takes about two minutes.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trustme
import yaml
from event_listener import config_file, probe

from tests.integration.listener_process import children, free_port, is_writer

STACKS = ("durable", "off", "bare")
MODES = {
    "keep-alive, 32 connections": {"connections": 32, "tls": False},
    "keep-alive, 256 connections": {"connections": 256, "tls": False},
    "new TLS connection per event": {"connections": 32, "tls": True},
}
TARGETS = {
    ("keep-alive, 32 connections", "off"): 0.65,
    ("keep-alive, 256 connections", "off"): 0.8,
    ("keep-alive, 32 connections", "bare"): 0.6,
    ("new TLS connection per event", "bare"): 0.75,
}
EVENT = {
    "@odata.type": "#Event.v1_7_0.Event", "Id": "1", "Name": "Event Array", "Context": "rack-7",
    "Events": [{
        "EventType": "Alert", "EventId": "4711", "MemberId": "0", "Severity": "OK", "MessageSeverity": "OK",
        "EventTimestamp": "2026-01-01T00:00:00Z", "Message": "The resource has been created successfully.",
        "MessageId": "ResourceEvent.1.3.ResourceCreated", "MessageArgs": [],
        "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/437XR1138R2"},
    }],
}  # fmt: skip
PASSWORD = "benchmark"
SCRIPT = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Basic {credentials}"
{close}
"""


class Server:
    """One stack in one mode, started and warm."""

    def __init__(self, stack: str, mode: str, directory: Path, certificates: dict[str, str], slow: float = 0) -> None:
        self.stack, self.mode, self.tls = stack, mode, MODES[mode]["tls"]
        self.directory = directory / f"{stack}-{'tls' if self.tls else 'plain'}-{MODES[mode]['connections']}"
        self.directory.mkdir(parents=True)
        (self.directory / "password").write_text(PASSWORD)
        self.port = free_port()
        credential = {"name": "b", "username": "bmc", "password": {"file": str(self.directory / "password")}}
        ingest = {"bind": [f"127.0.0.1:{self.port}"], "credentials": [credential], "plain_http": not self.tls}
        settings = {"state_dir": str(self.directory), "user": "root", "ingest": ingest | {"tls": certificates}}
        config = self.directory / "config.yml"
        config.write_text(yaml.safe_dump(settings))
        close = 'wrk.headers["Connection"] = "close"' if self.tls else ""
        credentials = base64.b64encode(f"bmc:{PASSWORD}".encode()).decode()
        self.script = self.directory / "post.lua"
        self.script.write_text(SCRIPT.format(body=json.dumps(EVENT), credentials=credentials, close=close))
        program = Path(__file__).with_name("_ingest_stacks.py")
        with (self.directory / "log").open("w") as log:
            command = [sys.executable, str(program), stack, str(config), str(slow)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        loaded = config_file.load(config)
        deadline = time.monotonic() + 20
        while not probe.ingest_answers(loaded):
            if time.monotonic() > deadline:
                sys.exit(f"{stack} doesn't answer:\n{(self.directory / 'log').read_text()}")
            time.sleep(0.1)

    def measure(self, seconds: int) -> float | None:
        """Return acknowledged events per second; None when one worker did most of it."""
        workers = [pid for pid in children(self.process.pid) if not is_writer(pid)]
        before = [cpu_ticks(pid) for pid in workers]
        scheme = "https" if self.tls else "http"
        command = ["wrk", "-t1", f"-c{MODES[self.mode]['connections']}", f"-d{seconds}s", "-s", str(self.script)]
        done = subprocess.run(
            [*command, f"{scheme}://127.0.0.1:{self.port}/"], capture_output=True, text=True, check=True
        )
        if "Non-2xx" in done.stdout:
            sys.exit(f"{self.stack} refused events:\n{done.stdout}")
        shares = sorted(cpu_ticks(pid) - ticks for pid, ticks in zip(workers, before, strict=True))
        rate = float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1])
        return rate if shares[0] * 2 >= shares[-1] else None

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def cpu_ticks(pid: int) -> int:
    """Return the CPU time of a process, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def measure_mode(
    mode: str, directory: Path, certificates: dict[str, str], options: argparse.Namespace
) -> dict[str, float]:
    """Return the median of each stack; the stacks take turns, so that a busy machine is busy for all."""
    servers = [Server(stack, mode, directory, certificates, options.sync_ms) for stack in STACKS]
    found: dict[str, list[float]] = {stack: [] for stack in STACKS}
    skewed = 0
    try:
        for server in servers:
            server.measure(1)
        for _ in range(options.rounds):
            for server in servers:
                rate = server.measure(options.seconds)
                if rate is None:
                    skewed += 1
                else:
                    found[server.stack].append(rate)
    finally:
        for server in servers:
            server.stop()
    if skewed:
        print(f"  ({skewed} runs not counted: one worker did most of the work)")
    return {stack: statistics.median(rates) for stack, rates in found.items() if rates}


def report(mode: str, medians: dict[str, float]) -> bool:
    """Print one mode; return whether its targets are met."""
    print(f"{mode}: " + ", ".join(f"{stack} {rate:,.0f}/s" for stack, rate in medians.items()))
    good = True
    for other in ("off", "bare"):
        if "durable" not in medians or other not in medians:
            continue
        ratio, target = medians["durable"] / medians[other], TARGETS.get((mode, other))
        verdict = "" if target is None else f" (target {target}: {'met' if ratio >= target else 'MISSED'})"
        good = good and (target is None or ratio >= target)
        print(f"  durable / {other} = {ratio:.2f}{verdict}")
    return good


def main() -> None:
    """Measure all modes; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--state-dir", type=Path, help="where the journals go; default: the temporary directory")
    parser.add_argument("--sync-ms", type=float, default=0, help="what each transaction takes longer: a slower disk")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing; on Debian: apt-get install wrk")
    with tempfile.TemporaryDirectory(dir=options.state_dir) as name:
        directory = Path(name)
        issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
        certificates = {"certificate": str(directory / "certificate.pem"), "key": str(directory / "key.pem")}
        issued.private_key_pem.write_to_path(certificates["key"])
        for blob in issued.cert_chain_pems:
            blob.write_to_path(certificates["certificate"], append=True)
        results = [report(mode, measure_mode(mode, directory, certificates, options)) for mode in MODES]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
