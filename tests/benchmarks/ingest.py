# SPDX-License-Identifier: GPL-3.0-or-later
"""Events per second: acknowledged durably, with the journal off, and bare Flask; same load, interleaved, medians.

    PYTHONPATH=. python tests/benchmarks/ingest.py [--rounds 3] [--seconds 3] [--state-dir DIR] [--sync-ms 5]
        [--dmtf DIR]      # a checkout of github.com/DMTF/Redfish-Event-Listener, measured beside it

The load is wrk, which shares the machine with the servers. A run in which one of the two workers did less than half of
the other's work is not counted: keep-alive connections can pile up on one. It takes about three minutes.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import trustme
import yaml
from event_listener import config_file, probe
from event_listener.settings import Settings

from tests.integration.listener_process import children, free_port, is_writer

STACKS = ("durable", "off", "bare")
BEHIND = "behind nginx"  # the product with its nginx, where every event is a new TLS connection
BARE_BEHIND = "bare behind nginx"  # what Python can reach there at most
FREE = "an ingest that costs nothing"  # there: all processors for nginx and the load, which are on this machine, too
DMTF = "dmtf"
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
    ("keep-alive, 32 connections", DMTF): 1.2,
    ("new TLS connection per event", DMTF): 1.3,
}
BEHIND_TARGET = 3.2  # times the DMTF listener
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
        self._prepare(stack, mode, directory)
        config = self.directory / "config.yml"
        loaded = self._configure(config, certificates)
        program = Path(__file__).with_name("_ingest_stacks.py")
        inner = {BEHIND: "durable", BARE_BEHIND: "bare"}.get(stack, stack)
        commands = [[sys.executable, str(program), inner, str(config), str(slow)]]
        if loaded.nginx.enabled:
            commands.append([sys.executable, "-m", "event_listener", "nginx", "--config", str(config)])
        self._start(commands, lambda: probe.ingest_answers(loaded))

    def _prepare(self, stack: str, mode: str, directory: Path) -> None:
        self.stack, self.mode, self.tls = stack, mode, MODES[mode]["tls"]
        self.directory = (
            directory / f"{stack.replace(' ', '-')}-{'tls' if self.tls else 'plain'}-{MODES[mode]['connections']}"
        )
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.cpu: list[list[float]] = []  # ms per event of each of its processes and their children, and of the load
        close = 'wrk.headers["Connection"] = "close"' if self.tls else ""
        credentials = base64.b64encode(f"bmc:{PASSWORD}".encode()).decode()
        self.script = self.directory / "post.lua"
        self.script.write_text(SCRIPT.format(body=json.dumps(EVENT), credentials=credentials, close=close))

    def _configure(self, path: Path, certificates: dict[str, str]) -> Settings:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        credential = {"name": "b", "username": "bmc", "password": {"file": str(password)}}
        bind = f"127.0.0.1:{self.port}"
        ingest = {"bind": [bind], "credentials": [credential], "plain_http": not self.tls, "tls": certificates}
        settings = {"state_dir": str(self.directory), "user": "root", "ingest": ingest}
        if self.stack in (BEHIND, BARE_BEHIND):
            settings["nginx"] = {"enabled": True, "bind": [bind]}
            inside = f"unix:{self.directory}/ingest.sock"
            ingest |= {"bind": [inside], "plain_http": True, "trusted_proxies": ["unix"]}
        path.write_text(yaml.safe_dump(settings))
        return config_file.load(path)

    def _listens(self) -> bool:
        # The DMTF listener serves one connection after the other: this one is closed at once.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def _start(self, commands: list[list[str]], answers: Callable[[], bool]) -> None:
        with (self.directory / "log").open("w") as log:
            self.processes = [
                subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory) for command in commands
            ]
        deadline = time.monotonic() + 30
        while not answers():
            if time.monotonic() > deadline:
                self.stop()
                sys.exit(f"{self.stack} doesn't answer:\n{(self.directory / 'log').read_text()}")
            time.sleep(0.1)

    def measure(self, seconds: int) -> float | None:
        """Return acknowledged events per second; None when one worker did most of it."""
        workers = [pid for pid in children(self.processes[0].pid) if not is_writer(pid)]
        before = [cpu_ticks(pid) for pid in workers]
        spent = self._spent()
        scheme = "https" if self.tls else "http"
        command = ["wrk", "-t1", f"-c{MODES[self.mode]['connections']}", f"-d{seconds}s", "-s", str(self.script)]
        done = subprocess.run(
            [*command, f"{scheme}://127.0.0.1:{self.port}/"], capture_output=True, text=True, check=True
        )
        if "Non-2xx" in done.stdout:
            sys.exit(f"{self.stack} refused events:\n{done.stdout}")
        shares = sorted(cpu_ticks(pid) - ticks for pid, ticks in zip(workers, before, strict=True))
        rate = float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1])
        self.cpu.append([(now - then) * 1000 / rate / seconds for now, then in zip(self._spent(), spent, strict=True)])
        return rate if not shares or shares[0] * 2 >= shares[-1] else None

    def _spent(self) -> list[float]:
        load = os.times()  # the servers are children that nobody waited for yet
        return [*(seconds_of(process.pid) for process in self.processes), load.children_user + load.children_system]

    def stop(self) -> None:
        """End it."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


class Dmtf(Server):
    """The DMTF listener of a checkout, with the same credentials; it appends to a file and never syncs."""

    def __init__(self, mode: str, directory: Path, certificates: dict[str, str], checkout: Path) -> None:
        self._prepare(DMTF, mode, directory)
        config = self.directory / "config.ini"
        config.write_text(
            f"[SystemInformation]\nListenerIP = 127.0.0.1\nListenerPort = {self.port}\nUseSSL = {self.tls}\n"
            f"[CertificateDetails]\ncertfile = {certificates['certificate']}\nkeyfile = {certificates['key']}\n"
            "[SubscriptionDetails]\nDestination = https://127.0.0.1/\n"
            f"[ListenerAuthentication]\nUserName = bmc\nPassword = {PASSWORD}\n"
            "[ServerInformation]\nServerIPs = []\nUserNames = []\nPasswords = []\n"
        )
        program = checkout.resolve() / "RedfishEventListener_v1.py"
        self._start([[sys.executable, str(program), "-c", str(config)]], self._listens)


def cpu_ticks(pid: int) -> int:
    """Return the CPU time of a process, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def seconds_of(pid: int) -> float:
    """Return the CPU time of a process and of those it started."""
    return cpu_ticks(pid) / os.sysconf("SC_CLK_TCK") + sum(map(seconds_of, children(pid)))


def measure_mode(
    mode: str, directory: Path, certificates: dict[str, str], options: argparse.Namespace
) -> dict[str, float]:
    """Return the median of each stack; the stacks take turns, so that a busy machine is busy for all."""
    stacks = (*STACKS, BEHIND, BARE_BEHIND) if MODES[mode]["tls"] else STACKS
    servers = [Server(stack, mode, directory, certificates, options.sync_ms) for stack in stacks]
    if options.dmtf is not None:
        servers.append(Dmtf(mode, directory, certificates, options.dmtf))
    found: dict[str, list[float]] = {server.stack: [] for server in servers}
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
    for server in servers:
        if server.stack == BEHIND:
            ingest, nginx, load = map(statistics.median, zip(*server.cpu[1:], strict=True))
            print(f"  (CPU of an event {BEHIND}: ingest {ingest:.2f} ms, nginx {nginx:.2f} ms, the load {load:.2f} ms)")
            found[FREE] = [(os.cpu_count() or 1) * 1000 / (nginx + load)]
    return {stack: statistics.median(rates) for stack, rates in found.items() if rates}


def report(mode: str, medians: dict[str, float]) -> bool:
    """Print one mode; return whether its targets are met."""
    print(f"{mode}: " + ", ".join(f"{stack} {rate:,.0f}/s" for stack, rate in medians.items()))
    good = True
    pairs = [("durable", other, TARGETS.get((mode, other))) for other in ("off", "bare", DMTF)]
    pairs += [
        (BEHIND, DMTF, BEHIND_TARGET),
        (BARE_BEHIND, DMTF, None),
        (BEHIND, BARE_BEHIND, None),
        (FREE, DMTF, None),
    ]
    for ours, other, target in pairs:
        if ours not in medians or other not in medians:
            continue
        ratio = medians[ours] / medians[other]
        verdict = "" if target is None else f" (target {target}: {'met' if ratio >= target else 'MISSED'})"
        good = good and (target is None or ratio >= target)
        print(f"  {ours} / {other} = {ratio:.2f}{verdict}")
    return good


def main() -> None:
    """Measure all modes; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--state-dir", type=Path, help="where the journals go; default: the temporary directory")
    parser.add_argument("--dmtf", type=Path, help="a checkout of the DMTF Redfish Event Listener, to measure it too")
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
