# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that sums up a backfill of the fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_backfill
short_description: What a backfill found on each BMC, and what of it was missing
version_added: 0.1.0
description:
  - Without O(outcome), returns the sources for M(redfleet.events.listener_backfill), those that could be read.
  - With O(outcome), returns the report of the run.
positional: hostvars, register, outcome
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
    description: Name under which M(redfleet.events.log_entries_info) registered its result.
    type: str
    required: true
  outcome:
    description: Result of M(redfleet.events.listener_backfill).
    type: dict
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Append what was missed
  redfleet.events.listener_backfill:
    sources: "{{ ansible_play_batch | redfleet.events.fleet_backfill(hostvars, 'bmc_logs') }}"
  delegate_to: listener1
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - Entries for O(redfleet.events.listener_backfill#module:sources), or the report with C(rows), C(lines), C(counts),
      C(bad).
  type: raw
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def fleet_backfill(hosts, hostvars, register, outcome=None):
    """Return sources or report (see RETURN)."""
    results = {host: hostvars[host].get(register) for host in hosts}
    if outcome is None:
        return _fleet.log_sources(results)
    return _fleet.backfilled(results, outcome)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_backfill": fleet_backfill}
