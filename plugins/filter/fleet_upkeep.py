# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter for the steps of the fleet's upkeep."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_upkeep
short_description: The steps of the fleet's upkeep
version_added: 0.1.0
description:
  - Takes a plan and what was registered so far and returns what the next step needs.
  - The registered names are C(bmc_subscription), C(bmc_logs) and C(bmc_test_event).
positional: step, hostvars
options:
  _input:
    description: The plan, from P(redfleet.events.fleet_upkeep_plan#filter).
    type: dict
    required: true
  step:
    description:
      - V(checked) and V(complete) return O(redfleet.events.listener_upkeep#module:sources).
      - V(incomplete) and V(prove) return names of hosts, V(report) the report of the run.
    type: str
    choices: [checked, incomplete, prove, complete, report]
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  backfill:
    description: With O(step=report), result of M(redfleet.events.listener_backfill).
    type: dict
  arrivals:
    description: With O(step=report), result of M(redfleet.events.listener_proof).
    type: dict
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Tell the listener
  redfleet.events.listener_upkeep:
    sources: "{{ bmc_plan | redfleet.events.fleet_upkeep('checked', hostvars) }}"
  delegate_to: listener1
  run_once: true
"""

RETURN = r"""
_value:
  description: As O(step) says.
  type: raw
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _upkeep


def fleet_upkeep(plan, step, hostvars, backfill=None, arrivals=None):
    """Return what the step needs (see RETURN)."""
    names = {"subscription": "bmc_subscription", "logs": "bmc_logs", "proof": "bmc_test_event"}
    results = {name: {host: hostvars[host].get(register) for host in plan["hosts"]} for name, register in names.items()}
    steps = {
        "checked": lambda: _upkeep.checked(plan, results["subscription"]),
        "incomplete": lambda: _upkeep.incomplete(plan, results["subscription"]),
        "prove": lambda: _upkeep.to_prove(plan, results["subscription"]),
        "complete": lambda: _upkeep.complete(plan, results["subscription"], results["logs"]),
        "report": lambda: _upkeep.outcome(plan, results, backfill, arrivals),
    }
    return steps[step]()


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_upkeep": fleet_upkeep}
