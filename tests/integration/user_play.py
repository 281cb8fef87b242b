# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the project's playbooks as a user in a clone does: the real ansible-playbook with the clone's ansible.cfg."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """A finished run: its exit status and everything that it printed."""

    status: int
    output: str

    def recap(self, host: str) -> dict[str, int]:
        """The counts of the host in the last lines."""
        line = re.search(rf"^{re.escape(host)}\s+: (.*)$", self.output, re.MULTILINE)
        assert line, self.output
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line[1])}

    def changed(self) -> int:
        """Changes on all hosts."""
        return sum(int(count) for count in re.findall(r"^\S+\s+: .*changed=(\d+)", self.output, re.MULTILINE))

    def summary(self) -> dict[str, str]:
        """Verdict and detail by host, from the last summary."""
        block = re.findall(r"^TASK \[Summary\].*?\n(.*?)\n\n", self.output, re.MULTILINE | re.DOTALL)[-1]
        rows = (line.strip().split(None, 1) for line in block.splitlines())
        return {row[0]: row[1] for row in rows if len(row) == 2 and row[0].startswith("bmc")}


def write(path: Path, content: object) -> Path:
    """Write YAML, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def play(
    playbook: str, inventory: Path, *arguments: str, timeout: float = 300, python: Path = Path(sys.executable)
) -> Done:
    """Run the ansible-playbook beside `python` from the root of the checkout; timeout in seconds."""
    link = ROOT / ".build" / "dev" / "ansible_collections" / "redfleet" / "events"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to("../../../..", target_is_directory=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment.update(ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1")
    command = [str(python.with_name("ansible-playbook")), playbook, "-i", str(inventory), *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    return Done(done.returncode, done.stdout)
