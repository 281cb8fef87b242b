# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes one report of a task's results over the fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_verdicts
short_description: One report of a task's results over the fleet
version_added: 0.1.0
description:
  - Takes the hosts of a play and returns what became of a registered task on each of them, sorted so that what needs
    attention comes last.
positional: hostvars, register
options:
  _input:
    description: Names of the hosts to report on, normally C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  register:
    description: Name under which the task registered its result.
    type: str
    required: true
  audit:
    description: Call what would change V(drifted) instead of V(changed).
    type: bool
    default: false
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Summary
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | redfleet.events.fleet_verdicts(hostvars, 'subscribed')).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(rows) has C(host), C(verdict) and C(detail) of each host, C(lines) the same as text, C(counts) the number of
      hosts by verdict, C(bad) the hosts that are not as declared, C(refused) those that refused the credentials.
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def fleet_verdicts(hosts, hostvars, register, audit=False):
    """Return the report of the registered task (see RETURN)."""
    return _fleet.verdicts({host: hostvars[host].get(register) for host in hosts}, audit)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_verdicts": fleet_verdicts}
