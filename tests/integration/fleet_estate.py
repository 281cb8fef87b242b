# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated fleet, a real listener, and the inventory folder of both, for tests of playbooks."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.integration.user_play import Done, play, write


class Estate:
    """A fleet, a listener, and the inventory folder of both."""

    def __init__(self, directory: Path, fleet, listener):
        self.fleet, self.listener, self.inventory = fleet, listener, directory / "inventory"
        self.write_bmcs()
        username, password = listener.credentials
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        write(self.inventory / "listeners.yml", {"event_listeners": {"hosts": {"listener1": local}}})
        write(
            self.inventory / "group_vars" / "all.yml",
            {
                "event_listener_url": listener.url,
                "event_listener_credentials": [{"name": "basic", "username": username, "password": password}],
                "event_listener_tokens": [{"name": "playbooks", "token": listener.api_token}],
                "event_listener_manage_bind": listener.manage_url.removeprefix("http://"),
                "redfish_retries": 0,
                "redfish_timeout": 5,
            },
        )
        self.declare(context="as declared")

    def write_bmcs(self, **changes: dict) -> None:
        """Write the fleet's inventory; changes is {name: variables}."""
        content = yaml.safe_load(self.fleet.inventory_path.read_text())
        for name, variables in changes.items():
            content["bmcs"]["hosts"][name].update(variables)
        write(self.inventory / "bmcs.yml", content)

    def declare(self, **options: str) -> None:
        """Declare the fleet's subscription."""
        account = "event_listener_credentials[0]"
        header = f"Basic {{{{ ({account}.username ~ ':' ~ {account}.password) | b64encode }}}}"
        subscription = {
            "destination": "{{ event_listener_url }}/events/{{ inventory_hostname }}",
            "delivery_retry_policy": "RetryForever",
            "http_headers": {"Authorization": header},
            **options,
        }
        write(self.inventory / "group_vars" / "bmcs" / "subscription.yml", {"event_subscription": subscription})

    def play(self, playbook: str, *arguments: str) -> Done:
        """Run a playbook of the collection."""
        return play(playbook, self.inventory, *arguments)

    def showing_context(self) -> list:
        """The BMCs on which a changed Context can be seen: iLO doesn't tell it, and what isn't told is no drift."""
        return [bmc for bmc in self.fleet.bmcs if bmc.vendor != "ilo5"]

    def ours(self, bmc) -> list[dict]:
        """The BMC's subscriptions to our listener."""
        return [one for one in bmc.subscriptions() if str(one.get("Destination", "")).startswith(self.listener.url)]
