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
  - Compares the test events that the BMCs accepted with those that arrived at the listener.
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
    description: Result of M(redfleet.events.listener_event_info).
    type: dict
    required: true
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
      and C(exact).
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def fleet_proof(hosts, hostvars, register, arrived):
    """Return the report of the proof (see RETURN)."""
    return _fleet.proof({host: hostvars[host].get(register) for host in hosts}, arrived)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_proof": fleet_proof}
