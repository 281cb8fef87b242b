# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a DMTF `config.ini` says to variables of an inventory. Pure; the inventory plugin shares it by a link.

Values that come from the file are plain data; those of the class Template are Jinja of ours. No value is a secret:
where one belongs, the caller says by which template it is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from event_listener.dmtf_config import DmtfConfig, Server

CREDENTIAL_NAME = "bmcs"
DEFAULT_USERNAME = "bmc-events"
LISTENER = "listener"
_BASIC = (
    "Basic {{ (event_listener_credentials[0].username ~ ':' ~ event_listener_credentials[0].password) | b64encode }}"
)


class Template(str):
    """A text that Ansible is to evaluate."""

    __slots__ = ()


def origin_of(destination: str) -> str:
    """`scheme://host[:port]` of a Destination, in lower case."""
    parts = urlsplit(destination)
    return f"{parts.scheme}://{parts.netloc}".lower()


def common(config: DmtfConfig, password: Template, token: Template) -> dict[str, Any]:
    """Variables of all hosts: what BMCs and listener have to agree on."""
    credential = {"name": CREDENTIAL_NAME, "username": config.username or DEFAULT_USERNAME, "password": password}
    return {
        "event_listener_url": origin_of(config.destination),
        "event_listener_credentials": [credential],
        "event_listener_tokens": [{"name": "playbooks", "token": token}],
    }


def subscription(config: DmtfConfig) -> dict[str, Any]:
    """The variable event_subscription: what the tool subscribed, by a path that names the source.

    The Destination that the tool used is retired: its subscriptions have headers that can't be read back and no name
    in the path, so they are replaced, new ones first. delivery_retry_policy keeps BMCs from deleting the subscription
    while the listener is away; where it isn't known it is left out.
    """
    return {
        "destination": Template("{{ event_listener_url }}/events/{{ inventory_hostname }}"),
        "retired_destinations": [config.destination],
        **config.subscription,
        "delivery_retry_policy": "RetryForever",
        "credential": CREDENTIAL_NAME,
        "http_headers": {"Authorization": Template(_BASIC)},
    }


def bmc(server: Server, password: Template) -> dict[str, Any]:
    """Variables of one BMC."""
    return {
        "redfish_baseuri": server.baseuri,
        "redfish_username": server.username,
        "redfish_password": password,
        "redfish_login_type": server.login_type,
    }


def listener(config: DmtfConfig, locate: Callable[[str], str]) -> dict[str, Any]:
    """Variables of the role event_listener; `locate` makes a path of the file absolute."""
    host = f"[{config.address}]" if ":" in config.address else config.address
    variables: dict[str, Any] = {
        "event_listener_bind": [f"{host}:{config.port}"],
        "event_listener_tls": "files" if config.tls else "none",
        "event_listener_tls_names": [urlsplit(config.destination).hostname],
    }
    if config.tls:
        variables["event_listener_tls_certificate"] = locate(config.certificate)
        variables["event_listener_tls_key"] = locate(config.key)
    return variables
