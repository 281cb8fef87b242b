# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes readings for the listener of the message registries of the fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_registries
short_description: The message registries that were read from the fleet, for the listener
version_added: 0.1.0
description:
  - Makes one reading of each BMC whose message registries could be read.
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
    description: Name under which M(redfleet.events.message_registries_info) registered its result.
    type: str
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: The listener knows the registries
  redfleet.events.listener_message_registry:
    readings: "{{ ansible_play_batch | redfleet.events.fleet_registries(hostvars, 'bmc_registries') }}"
  delegate_to: listener1
  run_once: true
"""

RETURN = r"""
_value:
  description: Entries for O(redfleet.events.listener_message_registry#module:readings).
  type: list
  elements: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def fleet_registries(hosts, hostvars, register):
    """Return readings (see RETURN)."""
    return _fleet.readings({host: hostvars[host].get(register) for host in hosts})


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_registries": fleet_registries}
