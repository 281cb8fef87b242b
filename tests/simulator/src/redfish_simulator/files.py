# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet writes for others: state file and Ansible inventory. Both hold passwords: mode 0600, atomically."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

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


def inventory(bmcs: Sequence[Json]) -> str:
    """A YAML inventory with the group `bmcs`."""
    hosts = {
        bmc["name"]: {
            "ansible_host": bmc["address"],
            "redfish_baseuri": bmc["baseuri"],
            "redfish_username": bmc["username"],
            "redfish_password": bmc["password"],
            "redfish_login_type": bmc["login_type"],
            "redfish_tls_fingerprint": bmc["tls_fingerprint"],
        }
        for bmc in bmcs
    }
    text: str = yaml.safe_dump({"bmcs": {"hosts": hosts}}, sort_keys=False)
    return "# Written by redfish-simulator.\n" + text
