# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes the listener's sources of the fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_sources
short_description: The fleet as sources of the listener's registry
version_added: 0.1.0
description:
  - Makes one source per host from the inventory (its address and the variable C(event_source)) and from what the BMC
    told of itself when it was subscribed. Fields that nobody knows are left out.
positional: hostvars, register
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
    description: Name under which M(redfleet.events.event_destination) registered its result.
    type: str
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Tell the listener its sources
  redfleet.events.listener_source:
    sources: "{{ ansible_play_batch | redfleet.events.fleet_sources(hostvars, 'subscribed') }}"
  delegate_to: listener1
  run_once: true
"""

RETURN = r"""
_value:
  description: Entries for O(redfleet.events.listener_source#module:sources).
  type: list
  elements: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def fleet_sources(hosts, hostvars, register):
    """Return the hosts as sources (see RETURN)."""
    return [_fleet.source(host, hostvars[host], hostvars[host].get(register)) for host in hosts]


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_sources": fleet_sources}
