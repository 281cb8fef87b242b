# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that plans the upkeep of the fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_upkeep_plan
short_description: Which BMCs are due, and for what
version_added: 0.1.0
description:
  - Decides from what the listener knows which BMCs are to be checked now, whose events may be incomplete, and whose
    proof is too old.
positional: known, settings
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  known:
    description: Result of M(redfleet.events.listener_upkeep).
    type: dict
    required: true
  settings:
    description:
      - Those that differ from the defaults, C(every) (1h), C(settle) (3m), C(outage) (60s), C(look_back) (7d),
        C(prove_every) (7d), C(prove_at_most) (20).
    type: dict
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Plan
  ansible.builtin.set_fact:
    bmc_plan: "{{ groups.bmcs | redfleet.events.fleet_upkeep_plan(upkeep, {'every': '30m'}) }}"
"""

RETURN = r"""
_value:
  description: C(until) and, by name of the host, C(hosts) with C(start), C(gap) and C(prove).
  type: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.redfleet.events.plugins.plugin_utils import _upkeep


def fleet_upkeep_plan(hosts, known, settings=None):
    """Return the plan (see RETURN)."""
    try:
        return _upkeep.plan(hosts, known, settings or {})
    except ValueError as error:
        raise AnsibleFilterError(f"The upkeep can't be planned: {error}") from error


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_upkeep_plan": fleet_upkeep_plan}
