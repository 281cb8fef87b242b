# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscribing a fleet: ours, the peer's module and a bare task, side by side on one simulated fleet in one run.

    .venv/bin/python tests/benchmarks/fleet.py [--bmcs 100] [--forks 20] [--rounds 3] [--latency 0]

The peer is dellemc.openmanage.redfish_event_subscription, which only works with iDRACs, so the fleet is one of iDRACs.
It comes with the large `ansible` package, which is installed into .build/peer. The floor is a play of one debug task on
as many hosts. Reported are medians of wall time, and the ratios that the project promises.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
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


def main() -> int:
    """Run the comparison and print it."""
    options = parse()
    install_peer()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bench = Bench(directory, options)
        with Fleet(count=options.bmcs, mix={"idrac9": options.bmcs}, directory=directory / "fleet") as fleet:
            if options.latency:
                fleet.set_fault("slow", seconds=options.latency)
            for _round in range(options.rounds):
                for label, taken in bench.round(fleet):
                    seconds.setdefault(label, []).append(taken)
                    print(f"  {label:18} {taken:7.2f} s", flush=True)
    report(seconds, options)
    return 0


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bmcs", type=int, default=100)
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0, help="seconds that each BMC takes per request")
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
            "event_subscription": {"destination": DESTINATION, "event_types": ["Alert"]},
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
            held = [len(bmc.subscriptions()) for bmc in fleet.bmcs]
            if held != [1] * self.options.bmcs:
                raise SystemExit(f"{name} did not subscribe every BMC: {held}")
            fleet.clear_requests()
            yield f"{name} no change", self.run(playbook, fleet)
            print(f"  {name}: {len(fleet.requests()) / self.options.bmcs:.1f} requests per BMC without change")
        if (left := fleet.counters()["sessions"]) and self.options.no_peer:
            raise SystemExit(f"{left} sessions were left behind")

    def run(self, playbook: Path, fleet: Fleet) -> float:
        """Seconds of one run; a run that fails ends the benchmark."""
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
        began = time.monotonic()
        done = subprocess.run(
            [*command, "-e", f"@{variables}"], capture_output=True, text=True, env=environ, timeout=1800
        )
        if done.returncode:
            wrong = [line for line in done.stdout.splitlines() if line.startswith(("fatal", "failed", "ERROR"))]
            raise SystemExit("\n".join([f"{playbook} failed:", *wrong[:3], done.stderr[-1000:]]))
        return time.monotonic() - began

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


def report(seconds: dict[str, list[float]], options: argparse.Namespace) -> None:
    """Medians and ratios."""
    median = {label: statistics.median(taken) for label, taken in seconds.items()}
    print(
        f"\n{options.bmcs} BMCs, forks {options.forks}, {options.latency:g} s per request, medians of {options.rounds}"
    )
    print("| run | seconds | times the floor | the peer takes |\n|---|---|---|---|")
    for label, taken in median.items():
        peer = median.get(label.replace("ours", "peer")) if label.startswith("ours") else None
        against = f"{peer / taken:.1f} times as long" if peer else ""
        print(f"| {label} | {taken:.1f} | {taken / median['floor']:.2f} | {against} |")


if __name__ == "__main__":
    raise SystemExit(main())
