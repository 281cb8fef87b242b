# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes the targets of a TLS scan from the fleet's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_targets
short_description: Name, address and port of the fleet's BMCs
version_added: 0.1.0
description:
  - Makes one target per host from C(redfish_baseuri), or from C(ansible_host) where that is missing.
positional: hostvars
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
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Read the certificates
  redfleet.events.tls_fingerprint_info:
    targets: "{{ groups.bmcs | redfleet.events.fleet_targets(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Entries for O(redfleet.events.tls_fingerprint_info#module:targets).
  type: list
  elements: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def fleet_targets(hosts, hostvars):
    """Return the hosts as targets (see RETURN)."""
    return [
        _fleet.target(host, hostvars[host].get("redfish_baseuri") or hostvars[host].get("ansible_host") or host)
        for host in hosts
    ]


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_targets": fleet_targets}
