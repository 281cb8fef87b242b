# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that says how far the fleet is with a new credential."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_rotation
short_description: How far the fleet is with a new credential
version_added: 0.1.0
description:
  - Takes the hosts of a play, what M(redfleet.events.event_destination) registered on them, and what the listener
    knows of its sources.
positional: hostvars, register, known, credential
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
  known:
    description: Result of M(redfleet.events.listener_source_info).
    type: dict
    required: true
  credential:
    description: Name of the new credential.
    type: str
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Who does not have the new credential
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | redfleet.events.fleet_rotation(hostvars, 'given', known, 'new')).pending }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - The report with C(rows), C(lines), C(counts), C(bad), C(refused), as P(redfleet.events.fleet_verdicts#filter).
    - C(pending) are the hosts that are not recorded with the credential, C(unheard) those that were given it in this
      run but not heard with it, C(remaining) lines that say whether the other credentials may go.
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _rotation


def fleet_rotation(hosts, hostvars, register, known, credential):
    """Return the state of the rotation (see RETURN)."""
    results = {host: hostvars[host].get(register) for host in hosts}
    others = [name for name in known["credentials"] if name != credential]
    return {
        **_rotation.rotation(results, known["sources"], credential),
        "remaining": _rotation.remaining(known.get("needs") or [], credential, others) if others else [],
    }


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_rotation": fleet_rotation}
