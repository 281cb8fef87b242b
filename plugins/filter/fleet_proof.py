# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that judges which BMCs are proven to reach the listener."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_proof
short_description: Judge which BMCs are proven to reach the listener
version_added: 0.1.0
description:
  - With O(arrived), compares the test events that the BMCs accepted with those that arrived at the listener.
  - Without it, returns the names of the hosts whose BMC accepted one.
positional: hostvars, register, arrived
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
  arrived:
    description: Result of M(redfleet.events.listener_proof) with its option C(batch).
    type: dict
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Verdict
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | redfleet.events.fleet_proof(hostvars, 'sent', arrived)).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - As from P(redfleet.events.fleet_verdicts#filter). The rows of delivered events also have C(event_id), C(latency_s)
      by the listener's clock, and C(matched), V(marker) or V(sequence).
  type: raw
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def fleet_proof(hosts, hostvars, register, arrived=None):
    """Return who accepted, or the report of the proof (see RETURN)."""
    results = {host: hostvars[host].get(register) for host in hosts}
    return _fleet.accepted(results) if arrived is None else _fleet.proof(results, arrived)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_proof": fleet_proof}
