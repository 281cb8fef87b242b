# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's inventory: what a user writes by hand, with passwords made up on the spot."""

from __future__ import annotations

import os
import pwd
import secrets
from pathlib import Path
from typing import Any

import yaml
from redfish_simulator.mix import DEFAULT_MIX


def vendors() -> list[str]:
    """Return the personalities of the simulated fleet."""
    return list(DEFAULT_MIX)


def write(inventory: Path, listener: Path, bmcs: Path, ports: list[int], python: str) -> None:
    """Write the inventory folder; bmcs is what the simulator wrote, ports are ingest's and manage's."""
    url = f"https://127.0.0.1:{ports[0]}"
    username, password = "bmc-events", secrets.token_urlsafe(16)
    (inventory / "group_vars").mkdir(parents=True, exist_ok=True)
    save(inventory / "bmcs.yml", without_fingerprints(bmcs))
    save(inventory / "listeners.yml", listeners(listener, ports, python))
    common = {
        "event_listener_url": url,
        "event_listener_credentials": [{"name": "bmcs", "username": username, "password": password}],
        "event_listener_tokens": [{"name": "playbooks", "token": secrets.token_urlsafe(24)}],
    }
    save(inventory / "group_vars" / "all.yml", common)
    subscription = {
        "destination": "{{ event_listener_url }}/events/{{ inventory_hostname }}",
        "context": "redfleet demo",
        "delivery_retry_policy": "RetryForever",
        "credential": "bmcs",
        "http_headers": {
            "Authorization": "Basic {{ (event_listener_credentials[0].username ~ ':' ~ "
            "event_listener_credentials[0].password) | b64encode }}"
        },
    }
    (inventory / "group_vars" / "bmcs").mkdir()
    save(inventory / "group_vars" / "bmcs" / "subscription.yml", {"event_subscription": subscription})


def without_fingerprints(path: Path) -> dict[str, Any]:
    """Return the simulator's inventory less what the playbook pin is there to collect."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    for variables in found["bmcs"]["hosts"].values():
        variables.pop("redfish_tls_fingerprint", None)
    return found


def listeners(listener: Path, ports: list[int], python: str) -> dict[str, Any]:
    """Return the inventory of one listener that runs as ourselves, below the checkout."""
    account = pwd.getpwuid(os.getuid()).pw_name
    variables = {
        "ansible_become": False,
        "event_listener_service_manager": "process",
        "event_listener_python": python,
        "event_listener_user": account,
        "event_listener_install_dir": str(listener / "programs"),
        "event_listener_config_dir": str(listener / "configuration"),
        "event_listener_state_dir": str(listener / "data"),
        "event_listener_log_dir": str(listener / "logs"),
        "event_listener_bind": [f"127.0.0.1:{ports[0]}"],
        "event_listener_manage_bind": f"127.0.0.1:{ports[1]}",
        "event_listener_tls_names": ["127.0.0.1"],
        "event_listener_ca_dir": str(listener.parent / "fleet-ca"),
        "event_listener_ca_passphrase": secrets.token_urlsafe(24),
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    return {"event_listeners": {"hosts": {"listener": local}, "vars": variables}}


def save(path: Path, content: dict[str, Any]) -> None:
    """Write YAML that only we can read, because it holds passwords."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
