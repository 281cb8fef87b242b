# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one task by the real ansible-playbook against a simulated fleet, through either adapter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from redfish_simulator.client import Fleet

ROOT = Path(__file__).resolve().parents[2]
ADAPTERS = ("worker", "module")
CONNECTION = {
    "baseuri": "{{ redfish_baseuri }}",
    "username": "{{ redfish_username }}",
    "password": "{{ redfish_password }}",
    "login_type": "{{ redfish_login_type }}",
    "tls_fingerprint": "{{ redfish_tls_fingerprint }}",
}
WRITES = ("POST", "PATCH", "PUT", "DELETE")


@dataclass
class Outcome:
    """What a run showed: results by host (of the last task), standard output and error, exit code."""

    results: dict[str, dict[str, Any]]
    output: str
    code: int
    by_task: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def __getitem__(self, host: str) -> dict[str, Any]:
        return self.results[host]


@dataclass
class Runner:
    """`fleet` is a running simulator, `directory` takes playbooks and results, `python` has the ansible-core to run."""

    fleet: Fleet
    directory: Path
    python: Path = Path(sys.executable)

    def task(self, module: str, adapter: str = "worker", hosts: str = "bmcs", **options: Any) -> Outcome:
        """Run one task. Options beginning with `_` are the run's: _check, _connection, _environ, _flags, _variables."""
        own = {name: value for name, value in options.items() if not name.startswith("_")}
        task: dict[str, Any] = {"name": module, f"redfleet.events.{module}": own}
        if adapter == "module":
            # A task with an environment of its own can't run in the worker.
            task["environment"] = {"REDFLEET_ADAPTER": "module"}
        return self.play([task], hosts, **{name: value for name, value in options.items() if name.startswith("_")})

    def play(
        self,
        tasks: list[dict[str, Any]],
        hosts: str = "bmcs",
        _check: bool = False,
        _connection: dict[str, Any] | None = None,
        _environ: dict[str, str] | None = None,
        _flags: tuple[str, ...] = (),
        _variables: dict[str, Any] | None = None,
    ) -> Outcome:
        """Run a play of these tasks, all hosts at once."""
        play = {
            "hosts": hosts,
            "gather_facts": False,
            "connection": "local",
            "vars": {"ansible_python_interpreter": str(self.python), **(_variables or {})},
            "module_defaults": {"group/redfleet.events.redfish": {**CONNECTION, **(_connection or {})}},
            "tasks": tasks,
        }
        playbook = self.directory / "playbook.yml"
        playbook.write_text(yaml.safe_dump([play]))
        results = self.directory / "results.jsonl"
        results.unlink(missing_ok=True)
        command = [str(self.python.with_name("ansible-playbook")), "-i", str(self.fleet.inventory_path)]
        command += [str(playbook), *(["--check"] if _check else []), *_flags]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=240, env=self._environ(results, _environ or {})
        )
        lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        by_task: dict[str, dict[str, Any]] = {}
        for line in lines:
            by_task.setdefault(line["task"], {})[line["host"]] = line["result"]
        output = done.stdout + done.stderr
        assert lines, f"ansible-playbook gave no results: {output}"
        return Outcome({line["host"]: line["result"] for line in lines}, output, done.returncode, by_task)

    def _environ(self, results: Path, more: dict[str, str]) -> dict[str, str]:
        link = self.directory / "collections" / "ansible_collections" / "redfleet" / "events"
        if not link.exists():
            link.parent.mkdir(parents=True)
            link.symlink_to(ROOT)
        config = self.directory / "ansible.cfg"
        config.touch()
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_HOME": str(self.directory / "home"),
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "temp"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.directory / "collections"),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "integration" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "record_results",
            "ANSIBLE_FORKS": "12",
            "ANSIBLE_NOCOLOR": "1",
            "REDFLEET_RESULTS": str(results),
            **more,
        }


def writes(fleet: Fleet) -> list[dict[str, Any]]:
    """Requests that change something on a BMC, without those that open and close sessions."""
    return [
        request
        for request in fleet.requests()
        if request["method"] in WRITES and "/SessionService/Sessions" not in request["path"]
    ]
