# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that judges a fleet before it is subscribed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_preflight
short_description: Whether the fleet's events could arrive
version_added: 0.1.0
description:
  - Takes the hosts of a play, what M(redfleet.events.destination_info) found, and the clocks that
    M(redfleet.events.event_service_info) registered on them.
positional: hostvars, register, looked
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  register:
    description: Name under which M(redfleet.events.event_service_info) registered its result, if it ran.
    type: str
    required: true
  looked:
    description: Result of M(redfleet.events.destination_info).
    type: dict
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: What speaks against it
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | redfleet.events.fleet_preflight(hostvars, 'bmc_clock', looked)).certain }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - The report with C(rows), C(lines), C(counts), C(bad), as P(redfleet.events.fleet_verdicts#filter).
    - C(destinations) are lines on the destinations, C(certain) reasons for which no event can arrive.
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet_preflight


def fleet_preflight(hosts, hostvars, register, looked):
    """Return the verdicts (see RETURN)."""
    subscriptions = {host: hostvars[host]["event_subscription"] for host in hosts}
    clocks = {host: hostvars[host].get(register) for host in hosts}
    return _fleet_preflight.preflight(looked, subscriptions, clocks)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_preflight": fleet_preflight}
