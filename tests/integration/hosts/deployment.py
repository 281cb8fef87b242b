# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of a deployment: the collection from its tarball, wheels for hosts without internet, runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.integration.hosts.estate import Estate, Host

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
SERVICES = ("ingest", "manage", "relay")
CREDENTIAL = ("fleet", "estate-test-password")
TOKEN = "estate-test-token-0123456789"


def install_collection(directory: Path) -> Path:
    """Build the collection and install it as a user does; returns the collections path."""
    _galaxy(directory, "build", ROOT)
    (tarball,) = directory.glob("redfleet-events-*.tar.gz")
    _galaxy(directory, "install", "--offline", "--collections-path", directory / "collections", tarball)
    return directory / "collections"


def _galaxy(directory: Path, *command: str | Path) -> None:
    done = subprocess.run(
        [BIN / "ansible-galaxy", "collection", *command], capture_output=True, text=True,
        # Away from the clone's ansible.cfg: where the collection is in reach already, nothing is installed.
        cwd=directory, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def download_wheels(directory: Path, collections: Path, target: str, extras: Sequence[str] = ()) -> Path:
    """Have the playbook fill a folder with wheels for hosts like "3.11 x86_64"; returns the folder."""
    play_wheels(directory, collections, target, extras)
    return directory / "wheels"


def play_wheels(directory: Path, collections: Path, target: str, extras: Sequence[str] = ()) -> str:
    """The playbook's output. It runs outside of the estate, which has no internet: no host is asked."""
    inventory = directory / "hosts.yml"
    variables = {
        "event_listener_wheels": str(directory / "wheels"),
        "event_listener_extras": [*extras],
        "wheels_for": [target],
        "ansible_become": False,
    }
    inventory.write_text(yaml.safe_dump({"event_listeners": {"hosts": {"unreachable": variables}}}))
    command = [BIN / "ansible-playbook", "-i", inventory, "redfleet.events.wheels"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=directory, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Run:
    """What an `ansible-playbook` did: output as one text, seconds it took."""

    returncode: int
    output: str
    seconds: float

    def recap(self, name: str) -> int:
        """Sum of a figure of the PLAY RECAP over all hosts: ok, changed, failed, ..."""
        _, _, recap = self.output.rpartition("PLAY RECAP")
        return sum(int(number) for number in re.findall(rf"\b{name}=(\d+)", recap))

    @property
    def changed_tasks(self) -> list[str]:
        """Names of the tasks and handlers that changed something."""
        changed, name = [], ""
        for line in self.output.splitlines():
            if found := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\]", line):
                name = found[1].removeprefix("redfleet.events.event_listener : ")
            elif line.startswith("changed: ") and name not in changed:
                changed.append(name)
        return changed


class Deployment:
    """Playbooks of the installed collection, run against an estate with what its hosts need."""

    def __init__(self, estate: Estate, directory: Path, collections: Path, wheels: Path) -> None:
        self.estate = estate
        self.directory = directory
        self._environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_NOCOLOR": "1",
        }
        self.variables: dict[str, Any] = {
            "event_listener_wheels": str(wheels),
            "event_listener_credentials": [{"name": "fleet", "username": CREDENTIAL[0], "password": CREDENTIAL[1]}],
            "event_listener_tokens": [{"name": "playbooks", "token": TOKEN}],
            "event_listener_ca_dir": str(directory / "fleet-ca"),
            "event_listener_ca_passphrase": "estate-test-passphrase",
        }

    def play(self, playbook: str, *arguments: str | Path, **variables: Any) -> Run:
        """Run `redfleet.events.<playbook>` with variables over the usual ones, as group variables."""
        inventory = self.estate.write_inventory(**{**self.variables, **variables})
        started = time.monotonic()
        done = self.estate.run(
            [BIN / "ansible-playbook", "-i", inventory, f"redfleet.events.{playbook}", "--diff", *arguments],
            cwd=self.directory,
            env=self._environment,
        )
        return Run(done.returncode, done.stdout, time.monotonic() - started)

    def good(self, playbook: str, *arguments: str | Path, **variables: Any) -> Run:
        """The same, and it has to succeed."""
        run = self.play(playbook, *arguments, **variables)
        assert run.returncode == 0, run.output
        return run


@dataclass(frozen=True)
class Deployed:
    """A host with the listener, and what each run on the way there did."""

    deployment: Deployment
    host: Host
    before: set[str]
    preview: Run
    after_preview: set[str]
    first: Run
    second: Run
    check: Run
