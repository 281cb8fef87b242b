# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet writes for others: state file and Ansible inventory. Both hold passwords: mode 0600, atomically."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .answer import Json


def write_private(path: Path, text: str) -> None:
    """Write a file that appears whole and is readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def state(control: str, bmcs: Sequence[Json]) -> str:
    """The state file: {"pid", "control", "bmcs": [...]}."""
    return json.dumps({"pid": os.getpid(), "control": control, "bmcs": list(bmcs)}, indent=1) + "\n"


HOST_VARIABLES = {
    "ansible_host": "address",
    "redfish_baseuri": "baseuri",
    "redfish_username": "username",
    "redfish_password": "password",
    "redfish_login_type": "login_type",
    "redfish_tls_fingerprint": "tls_fingerprint",
}


def inventory(bmcs: Sequence[Json]) -> str:
    """A YAML inventory with the group `bmcs`. Values are JSON strings, which are YAML and fast to write."""
    lines = ["# Written by redfish-simulator.", "bmcs:", "  hosts:"]
    for bmc in bmcs:
        lines.append(f"    {bmc['name']}:")
        lines += [f"      {name}: {json.dumps(bmc[key])}" for name, key in HOST_VARIABLES.items()]
    return "\n".join(lines) + "\n"
