# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that compares inventory, subscriptions and senders."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_coverage
short_description: Who sends, who doesn't, and to whom
version_added: 0.1.0
description:
  - Compares the hosts of the inventory with the subscriptions that their BMCs hold and the senders that the listener
    heard.
positional: hostvars, register, heard
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
    description: Name under which M(redfleet.events.event_destination_info) registered its result.
    type: str
    required: true
  heard:
    description: Result of M(redfleet.events.listener_source_info).
    type: dict
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Who else receives my events
  ansible.builtin.debug:
    msg: "{{ (groups.bmcs | redfleet.events.fleet_coverage(hostvars, 'held', heard)).findings.foreign_destination }}"
"""

RETURN = r"""
_value:
  description:
    - As from P(redfleet.events.fleet_verdicts#filter), and C(findings), C(asked), C(free_slots) for
      M(redfleet.events.listener_coverage), and C(sections) for P(redfleet.events.fleet_report#filter).
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _coverage


def fleet_coverage(hosts, hostvars, register, heard):
    """Return the report (see RETURN)."""
    found = {host: hostvars[host].get(register) for host in hosts}
    declared = {host: (hostvars[host].get("event_subscription") or {}).get("destination") for host in hosts}
    return _coverage.coverage(found, declared, heard)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_coverage": fleet_coverage}
