# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that tells which test events to wait for at the listener."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_expectations
short_description: Which test events to wait for at the listener
version_added: 0.1.0
description:
  - Takes the hosts of a play and returns the O(redfleet.events.listener_event_info#module:wait_for) of those whose BMC
    accepted a test event.
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
    description: Name under which M(redfleet.events.submit_test_event) registered its result.
    type: str
    required: true
  after:
    description: The listener's last sequence number before the events were sent.
    type: int
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Wait for the test events
  redfleet.events.listener_event_info:
    wait_for: "{{ ansible_play_hosts | redfleet.events.fleet_expectations(hostvars, 'sent', after=before.head) }}"
  delegate_to: listener1
  run_once: true
"""

RETURN = r"""
_value:
  description: One entry per BMC with C(source), C(marker), C(message_key) and C(after).
  type: list
  elements: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def fleet_expectations(hosts, hostvars, register, after=None):
    """Return what to wait for (see RETURN)."""
    return _fleet.expectations({host: hostvars[host].get(register) for host in hosts}, after)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_expectations": fleet_expectations}
