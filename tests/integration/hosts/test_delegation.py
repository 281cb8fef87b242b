# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks delegated over SSH to a bastion, a booted Debian with its own Python: same results, and no secret in sight."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from redfish_simulator.client import Fleet

from tests.integration.hosts.deployment import BIN

pytestmark = [pytest.mark.root, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
HEADER = "Basic ZGVsZWdhdGVkOnNlY3JldC1vZi10aGUtbGlzdGVuZXI="
PYTHON = "/home/deploy/redfish/bin/python"
OPTIONS: dict[str, Any] = {
    "destination": "https://192.0.2.10/events/{{ inventory_hostname }}",
    "context": "through the bastion",
    "http_headers": {"Authorization": HEADER},
    "identify": "always",
}


@dataclass
class Processes:
    """What all processes of controller and hosts show of themselves, sampled while it is entered.

    The hosts' processes are in namespaces below ours, so the kernel shows them here, too.
    """

    secrets: list[str]
    seen: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)

    def __enter__(self) -> Processes:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        text = (process / name).read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    except OSError:
                        continue  # it ended meanwhile
                    if text.startswith(PYTHON):
                        self.seen.add(text)
                    self.shown |= {f"{name}: {text}" for secret in self.secrets if secret in text}


class Bastion:
    """The booted host as a bastion, and a fleet that it reaches."""

    def __init__(self, estate: Any, fleet: Fleet, collections: Path, directory: Path) -> None:
        self.estate, self.fleet, self.directory = estate, fleet, directory
        self.inventory = estate.write_inventory(ansible_python_interpreter=PYTHON)
        self.environ = {
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "integration" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "record_results",
            "ANSIBLE_LOG_PATH": str(directory / "ansible.log"),
            "ANSIBLE_NOCOLOR": "1",
            "REDFLEET_RESULTS": str(directory / "results.jsonl"),
        }

    def play(self, module: str, here: bool = False, flags: tuple[str, ...] = (), **options: Any) -> tuple[dict, str]:
        """Run a module for every BMC, here or on the bastion; results by host, and the output."""
        where = {"connection": "local"} if here else {"delegate_to": self.estate.hosts[0].name}
        task = {"name": module, f"redfleet.events.{module}": options, **where, "ignore_errors": True}
        playbook = self.directory / "play.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "bmcs", "gather_facts": False, "tasks": [task]}]))
        results = self.directory / "results.jsonl"
        results.unlink(missing_ok=True)
        sources = ["-i", self.fleet.inventory_path, "-i", self.inventory]
        done = self.estate.run([BIN / "ansible-playbook", *sources, playbook, *flags], env=self.environ)
        assert results.exists(), done.stdout
        lines = [json.loads(line) for line in results.read_text().splitlines()]
        return {line["host"]: line["result"] for line in lines}, done.stdout

    def both(self, module: str, **options: Any) -> dict[str, Any]:
        """The results, after here and there gave the same."""
        here, _ = self.play(module, here=True, **options)
        there, output = self.play(module, **options)
        assert there == here, output
        return here


@pytest.fixture(scope="session")
def bastion(estate, collections, tmp_path_factory):
    """A virtual environment with the library on the host, from wheels; BMCs in the estate's network."""
    host, directory = estate.hosts[0], tmp_path_factory.mktemp("bastion")
    version = host.ssh("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip()
    wheels = directory / "wheels"
    platforms = [f"--platform=manylinux{glibc}_x86_64" for glibc in ("_2_28", "2014", "_2_17")]
    target = [f"--python-version={version}", "--implementation=cp", "--only-binary=:all:", *platforms]
    pip = [BIN / "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", wheels]
    subprocess.run([*pip, *target, "redfish>=3.4.1"], check=True, timeout=300)
    archive = shutil.make_archive(str(directory / "wheels"), "tar", wheels)
    copied = estate.run(["scp", "-q", "-F", estate.directory / "ssh_config", archive, f"{host.name}:wheels.tar"])
    assert copied.returncode == 0, copied.stdout
    host.ssh("mkdir wheels && tar xf wheels.tar -C wheels && python3 -m venv redfish", timeout=180)
    host.ssh("redfish/bin/pip install --quiet --no-index --find-links wheels redfish", timeout=180)
    fleet = Fleet(mix="openbmc=1,plain=1,idrac9=1", directory=directory, network=estate.bmc_network, port=8443)
    with estate.network():
        fleet.start()
    yield Bastion(estate, fleet, collections, directory)
    fleet.stop()


def test_the_bastion_gives_the_same_json(bastion):
    """Check mode, create, no change, list, remove, a refused password: as in the worker, to the last key."""
    created, output = bastion.play("event_destination", **OPTIONS)
    assert {result["action"] for result in created.values()} == {"create"}, output
    unchanged = bastion.both("event_destination", **OPTIONS)
    assert {result["changed"] for result in unchanged.values()} == {False}
    assert all(result["service"]["serial"] for result in unchanged.values())
    listed = bastion.both("event_destination_info")
    assert {len(result["subscriptions"]) for result in listed.values()} == {1}
    refused = bastion.both("event_destination", **{**OPTIONS, "password": "wrong", "login_type": "basic"})
    assert {result["reason"] for result in refused.values()} == {"credentials"}
    removed, output = bastion.play("event_destination", **{**OPTIONS, "state": "absent"})
    assert {result["action"] for result in removed.values()} == {"delete"}, output
    with bastion.estate.network():
        assert bastion.fleet.counters()["sessions"] == 0


def test_no_secret_shows_on_controller_or_bastion(bastion):
    """While the module runs there: not in any command line or environment, nor in output or log at -vvv."""
    secrets = [bmc.password for bmc in bastion.fleet.bmcs] + [HEADER.split()[1]]
    with bastion.estate.network():
        bastion.fleet.set_fault("slow", seconds=0.3)
    try:
        with Processes(secrets) as processes:
            results, output = bastion.play("event_destination", flags=("-vvv", "--diff"), **OPTIONS)
    finally:
        with bastion.estate.network():
            bastion.fleet.clear_faults()
    assert all(not result.get("failed") for result in results.values()), output
    assert processes.seen, "the bastion's Python was never seen, so this proves nothing"
    assert processes.shown == set()
    log = (bastion.directory / "ansible.log").read_text()
    journal = bastion.estate.hosts[0].ssh("journalctl --no-pager", root=True)
    assert [secret for secret in secrets if secret in output + log + journal] == []
