# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's folder on the controller: inventory with variables, site.yml, ansible.cfg, the installed collection."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import yaml
from redfish_simulator.client import Fleet

from tests.integration.hosts.deployment import BIN, CREDENTIAL, TOKEN, Run
from tests.integration.hosts.estate import Estate
from tests.integration.hosts.shared_address import ADDRESS

CONFIGURATION = """\
[defaults]
inventory = inventory
collections_path = collections
forks = 50
gathering = explicit
callback_result_format = yaml
log_path = ansible.log

[ssh_connection]
pipelining = true
"""
SITE = """\
---
- name: Switch on what keeps BMCs silent
  ansible.builtin.import_playbook: redfleet.events.repair

- name: Database, listeners, their address, subscriptions, proof
  ansible.builtin.import_playbook: redfleet.events.site
"""
HEADER = "Basic {{ '" + ":".join(CREDENTIAL) + "' | b64encode }}"
# They can send no header, so what they show is in the path; docs/listener.md.
WITHOUT_HEADERS = ("idrac8",)
PASSPHRASE = "estate-authority-passphrase"


class PlaybookError(Exception):
    """A playbook that failed, or changed what it should not; with the end of its output."""


class Project:
    """The folder, and the playbooks that are run in it."""

    def __init__(self, estate: Estate, directory: Path, collections: Path) -> None:
        self._estate, self.directory = estate, directory
        self.authority = directory / "fleet-ca"
        (directory / "inventory" / "group_vars").mkdir(parents=True)
        (directory / "ansible.cfg").write_text(CONFIGURATION)
        (directory / "site.yml").write_text(SITE)
        self.install(collections)
        shutil.copy(estate.inventory_path, directory / "inventory" / "hosts.yml")

    def install(self, collections: Path) -> None:
        """Have this release of the collection, instead of the one before."""
        link = self.directory / "collections"
        link.unlink(missing_ok=True)
        link.symlink_to(collections)

    def declare(self, variables: dict[str, Any], wheels: Path) -> None:
        """Write what all hosts share."""
        common = {
            "event_listener_wheels": str(wheels),
            "event_listener_credentials": [{"name": "fleet", "username": CREDENTIAL[0], "password": CREDENTIAL[1]}],
            "event_listener_tokens": [{"name": "playbooks", "token": TOKEN}],
            "event_listener_ca_dir": str(self.authority),
            "event_listener_ca_passphrase": PASSPHRASE,
        }
        self._write("group_vars/all.yml", {**common, **variables})

    def make_authority(self) -> Path:
        """Make the fleet's authority, which the BMCs are to know; returns its certificate."""
        made = {"ca_dir": str(self.authority), "passphrase": PASSPHRASE, "name": "estate", "names": [ADDRESS]}
        done = self._estate.run(
            [BIN / "ansible", "localhost", "-m", "redfleet.events.fleet_certificate", "-a", json.dumps(made)],
            cwd=self.directory,
        )
        if done.returncode:
            raise PlaybookError(done.stdout)
        return self.authority / "ca.pem"

    def declare_fleet(self, fleet: Fleet) -> None:
        """Write the fleet's inventory and its subscriptions."""
        hosts = yaml.safe_load(fleet.inventory_path.read_text())["bmcs"]["hosts"]
        subscription: dict[str, Any] = {
            "destination": f"https://{ADDRESS}/events/{{{{ inventory_hostname }}}}",
            "context": "estate",
            "delivery_retry_policy": "RetryForever",
            "http_headers": {"Authorization": HEADER},
        }
        for bmc in fleet.bmcs:
            if bmc.vendor in WITHOUT_HEADERS:
                secret = f"secret-{bmc.uuid.replace('-', '')}"
                hosts[bmc.name]["event_source"] = {
                    "path_secrets": [{"id": "estate", "networks": [f"{bmc.address}/32"], "secret": secret}]
                }
                own = {name: value for name, value in subscription.items() if name != "http_headers"}
                hosts[bmc.name]["event_subscription"] = {**own, "destination": f"{own['destination']}/{secret}"}
        self._write("group_vars/bmcs.yml", {"event_subscription": subscription})
        self._write("bmcs.yml", {"bmcs": {"hosts": hosts}})

    def play(self, *arguments: str) -> Run:
        """Run `ansible-playbook ARGUMENTS` here; raises PlaybookError if it fails."""
        started = time.monotonic()
        done = self._estate.run(
            [BIN / "ansible-playbook", *arguments], cwd=self.directory, env={"ANSIBLE_NOCOLOR": "1"}, timeout=900
        )
        run = Run(done.returncode, done.stdout, time.monotonic() - started)
        if run.returncode:
            shown = [line for line in run.output.splitlines() if not line.startswith(("ok: ", "skipping: "))]
            raise PlaybookError("\n".join([f"ansible-playbook {' '.join(arguments)} failed:", *shown[-150:]]))
        return run

    def unchanged(self, *arguments: str) -> Run:
        """The same, and it has to find everything as it should be."""
        run = self.play(*arguments)
        if run.recap("changed"):
            raise PlaybookError(f"The second run changed something: {run.changed_tasks}\n{run.output[-8000:]}")
        return run

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.directory / "inventory" / name).write_text(yaml.safe_dump(content, sort_keys=False, width=10_000))
