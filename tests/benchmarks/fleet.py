# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscribing a fleet: ours, the peer's module and a bare task, side by side on one simulated fleet in one run.

    .venv/bin/python tests/benchmarks/fleet.py [--bmcs 100] [--forks 20] [--rounds 3] [--latency 0]
        [--identify on_change] [--no-peer]

The peer is dellemc.openmanage.redfish_event_subscription, which only works with iDRACs, so the fleet is one of iDRACs.
It comes with the large `ansible` package, which is installed into .build/peer. The floor is a play of one debug task on
as many hosts. Reported are medians of wall time and of the controller's CPU time, the ratios that the project promises,
the largest amount of memory (proportional set size of ansible-playbook and its workers), and requests per BMC.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from redfish_simulator.client import Fleet

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / ".build" / "peer"
DESTINATION = "https://127.0.0.1:9/events/{{ inventory_hostname }}"
PEER_TASK = {
    "dellemc.openmanage.redfish_event_subscription": {
        "baseuri": "{{ redfish_baseuri | regex_replace('^https://', '') }}",
        "username": "{{ redfish_username }}",
        "password": "{{ redfish_password }}",
        "validate_certs": False,
        "destination": DESTINATION,
        "event_type": "Alert",
        "event_format_type": "Event",
    }
}


@dataclass(frozen=True)
class Taken:
    """What one run took: seconds by the clock, of the controller's CPU, and MB of memory at its largest."""

    wall: float
    cpu: float
    memory: float


def main() -> int:
    """Run the comparison and print it."""
    options = parse()
    install_peer()
    seconds: dict[str, list[Taken]] = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bench = Bench(directory, options)
        with Fleet(count=options.bmcs, mix={"idrac9": options.bmcs}, directory=directory / "fleet") as fleet:
            if options.latency:
                fleet.set_fault("slow", seconds=options.latency)
            for _round in range(options.rounds):
                for label, taken in bench.round(fleet):
                    seconds.setdefault(label, []).append(taken)
                    print(f"  {label:18} {taken.wall:7.2f} s, CPU {taken.cpu:.2f} s, {taken.memory:.0f} MB", flush=True)
    report(seconds, options)
    return 0


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bmcs", type=int, default=100)
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0, help="seconds that each BMC takes per request")
    parser.add_argument(
        "--identify", default="on_change", help="event_destination's option; the peer does what it does with never"
    )
    parser.add_argument("--no-peer", action="store_true", help="leave the peer out")
    return parser.parse_args()


def install_peer() -> None:
    """The package that brings the peer, in an environment of its own."""
    if not (PEER / "bin" / "ansible-playbook").exists():
        print("installing the peer (the large `ansible` package) into .build/peer", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        subprocess.run([str(PEER / "bin" / "pip"), "install", "--quiet", "ansible", "redfish", "jmespath"], check=True)


class Bench:
    """The playbooks of one comparison, and how they are run: the same ansible-core, configuration and inventory."""

    def __init__(self, directory: Path, options: argparse.Namespace) -> None:
        self.directory, self.options = directory, options
        self.variables = {
            "event_subscription": {"destination": DESTINATION, "event_types": ["Alert"], "identify": options.identify},
            "redfish_login_type": "session",
        }
        self.floor = self._play("floor", {"ansible.builtin.debug": {"msg": "{{ redfish_baseuri }}"}})
        self.peer = self._play("peer", PEER_TASK)
        self.ours = ROOT / "subscribe.yml"
        self.unsubscribe = ROOT / "playbooks" / "unsubscribe.yml"
        (directory / "ansible.cfg").touch()
        collections = directory / "collections" / "ansible_collections" / "redfleet"
        collections.mkdir(parents=True)
        (collections / "events").symlink_to(ROOT)

    def round(self, fleet: Fleet):
        """Create and no change, each way; the fleet is emptied before each."""
        yield "floor", self.run(self.floor, fleet)
        ways = [("ours", self.ours), *([] if self.options.no_peer else [("peer", self.peer)])]
        for name, playbook in ways:
            for bmc in fleet.bmcs:
                bmc.seed_subscriptions()
            yield f"{name} create", self.run(playbook, fleet)
            inside = fleet.counters()
            if inside["subscriptions"] != self.options.bmcs:
                raise SystemExit(f"{name} did not subscribe every BMC: {inside['subscriptions']} subscriptions")
            if inside["sessions"] and name == "ours":
                raise SystemExit(f"{inside['sessions']} sessions were left behind")
            fleet.clear_requests()
            yield f"{name} no change", self.run(playbook, fleet)
            print(f"  {name}: {len(fleet.requests()) / self.options.bmcs:.1f} requests per BMC without change")

    def run(self, playbook: Path, fleet: Fleet) -> Taken:
        """One run; one that fails ends the benchmark."""
        command = [str(PEER / "bin" / "ansible-playbook"), "-i", str(fleet.inventory_path), str(playbook)]
        variables = self.directory / "variables.yml"
        variables.write_text(yaml.safe_dump(self.variables))
        environ = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{self.directory / 'collections'}:{PEER}/lib",
            "ANSIBLE_FORKS": str(self.options.forks),
            "ANSIBLE_HOME": str(self.directory / "home"),
            "ANSIBLE_NOCOLOR": "1",
        }
        before, began = os.times(), time.monotonic()
        with (self.directory / "output").open("w+") as output, Memory() as memory:
            with subprocess.Popen(
                [*command, "-e", f"@{variables}"], stdout=output, stderr=output, env=environ
            ) as process:
                memory.watch(process.pid)
                status = process.wait(1800)
            wall, after = time.monotonic() - began, os.times()
            if status:
                output.seek(0)
                wrong = [line for line in output if line.startswith(("fatal", "failed", "ERROR", "[ERROR"))]
                raise SystemExit("".join([f"{playbook} failed:\n", *wrong[:3]]))
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return Taken(wall, cpu, memory.largest / 1024)

    def _play(self, name: str, task: dict) -> Path:
        path = self.directory / f"{name}.yml"
        play = {
            "hosts": "bmcs",
            "gather_facts": False,
            "connection": "local",
            "vars": {"ansible_python_interpreter": str(PEER / "bin" / "python")},
            "tasks": [{"name": name, **task}],
        }
        path.write_text(yaml.safe_dump([play]))
        return path


class Memory:
    """The largest sum of the proportional set sizes of a process and its children, in kB, looked at twice a second."""

    def __init__(self) -> None:
        self.largest = 0
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        if self._thread:
            self._thread.join()

    def watch(self, pid: int) -> None:
        self._thread = threading.Thread(target=self._watch, args=(pid,), daemon=True)
        self._thread.start()

    def _watch(self, pid: int) -> None:
        while not self._end.wait(0.5):
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                return  # it has ended
            self.largest = max(self.largest, sum(map(proportional, [str(pid), *children])))


def proportional(pid: str) -> int:
    """A process's memory in kB, what is shared divided by those who share it; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def report(runs: dict[str, list[Taken]], options: argparse.Namespace) -> None:
    """Medians and ratios."""
    wall = {label: statistics.median(run.wall for run in taken) for label, taken in runs.items()}
    cpu = {label: statistics.median(run.cpu for run in taken) for label, taken in runs.items()}
    print(
        f"\n{options.bmcs} BMCs, forks {options.forks}, {options.latency:g} s per request, medians of {options.rounds}"
    )
    print(f"load of the machine over the last five minutes: {os.getloadavg()[1]:.0f}, processors: {os.cpu_count()}\n")
    print("| run | seconds | CPU | MB | times the floor | the peer takes |\n|---|---|---|---|---|---|")
    for label, seconds in wall.items():
        peer = wall.get(label.replace("ours", "peer")) if label.startswith("ours") else None
        against = f"{peer / seconds:.1f} times as long" if peer else ""
        memory = max(run.memory for run in runs[label])
        times = f"{seconds / wall['floor']:.2f} (CPU {cpu[label] / cpu['floor']:.2f})"
        print(f"| {label} | {seconds:.1f} | {cpu[label]:.1f} | {memory:.0f} | {times} | {against} |")


if __name__ == "__main__":
    raise SystemExit(main())
