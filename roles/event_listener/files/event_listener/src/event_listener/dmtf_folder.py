# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory folder from what a DMTF `config.ini` says: contents of files by path, secrets in one of them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from event_listener import dmtf_inventory as shape
from event_listener.dmtf_config import DmtfConfig
from event_listener.dmtf_inventory import Template

SECRETS = "group_vars/all/vault.yml"
_PASSWORD = Template("{{ vault_bmc_passwords[inventory_hostname] }}")
_HEADS = {
    "hosts.yml": "Made by `event-listener import-config`.",
    "group_vars/all/main.yml": "What BMCs and listener have to agree on.",
    SECRETS: "The secrets. Encrypt this file: ansible-vault encrypt group_vars/all/vault.yml",
    "group_vars/bmcs/connection.yml": "How the playbooks reach a BMC. The rest is in hosts.yml.",
    "group_vars/bmcs/subscription.yml": "What every BMC is to hold. Subscriptions to retired destinations are removed.",
    "group_vars/event_listeners.yml": "Variables of the role redfleet.events.event_listener.",
}


class _Dumper(yaml.SafeDumper):
    """Writes our templates as they are, and marks what the file says where Ansible would take it for one."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    if "{{" in value or "{%" in value or "{#" in value:
        return dumper.represent_scalar("!unsafe", value, style="'")
    return dumper.represent_scalar("tag:yaml.org,2002:str", value)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Template, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", str(value)))


def folder(config: DmtfConfig, locate: Callable[[str], str], make_secret: Callable[[], str]) -> dict[str, str]:
    """Contents by path. `locate` makes a path of the configuration absolute, `make_secret` makes up a secret."""
    hosts = {server.name: shape.bmc(server, _PASSWORD) for server in config.servers}
    for variables in hosts.values():
        del variables["redfish_password"]
    documents: dict[str, Any] = {
        "hosts.yml": {
            "bmcs": {"hosts": hosts},
            "event_listeners": {"hosts": {shape.LISTENER: {"ansible_connection": "local"}}},
        },
        "group_vars/all/main.yml": shape.common(
            config, Template("{{ vault_listener_password }}"), Template("{{ vault_listener_token }}")
        ),
        SECRETS: {
            "vault_bmc_passwords": {server.name: server.password for server in config.servers},
            "vault_listener_password": config.password or make_secret(),
            "vault_listener_token": make_secret(),
        },
        "group_vars/bmcs/connection.yml": {"redfish_password": _PASSWORD},
        "group_vars/bmcs/subscription.yml": {"event_subscription": shape.subscription(config)},
        "group_vars/event_listeners.yml": {
            "ansible_python_interpreter": Template("{{ ansible_playbook_python }}"),
            **shape.listener(config, locate),
        },
    }
    return {path: _document(_HEADS[path], content) for path, content in documents.items()}


def _document(head: str, content: Any) -> str:
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"# {head}\n---\n{text}"


def changes(config: DmtfConfig) -> list[str]:
    """What is different from the DMTF tool, and why; sentences."""
    told = [
        (
            f"BMCs are subscribed with {shape.origin_of(config.destination)}/events/NAME, so that events are filed "
            f"right behind NAT; subscriptions to {config.destination} are removed, since nobody can read their headers."
        ),
        "BMC certificates are verified now. Most are self-signed: run the playbook redfleet.events.pin next.",
        "delivery_retry_policy is RetryForever, so that BMCs keep the subscription while the listener is away.",
        f"Passwords are in {SECRETS}, readable by you alone. Encrypt it: ansible-vault encrypt DIR/{SECRETS}",
    ]
    return [*told, *config.notes]
