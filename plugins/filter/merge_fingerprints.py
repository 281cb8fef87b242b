# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that merges collected TLS fingerprints into the known ones."""

from __future__ import annotations

DOCUMENTATION = r"""
name: merge_fingerprints
short_description: Merge collected TLS fingerprints into the known ones
version_added: 0.1.0
description:
  - A fingerprint that differs from the known one is kept as it was unless O(replace) is true, and reported as failed.
positional: known
options:
  _input:
    description: Fingerprint by host, as collected.
    type: dict
    required: true
  known:
    description: Fingerprint by host, as known so far.
    type: dict
    required: true
  failures:
    description: Why hosts did not answer, by host.
    type: dict
  replace:
    description: Take the collected one where they differ.
    type: bool
    default: false
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: What is new
  ansible.builtin.debug:
    msg: "{{ (scan.fingerprints | redfleet.events.merge_fingerprints(redfish_tls_fingerprints)).report.lines }}"
"""

RETURN = r"""
_value:
  description: C(pins) has all fingerprints by host; C(report) is as from P(redfleet.events.fleet_verdicts#filter).
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def merge_fingerprints(found, known, failures=None, replace=False):
    """Return the merged fingerprints (see RETURN)."""
    return _fleet.merge_pins(known, found, failures, replace)


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"merge_fingerprints": merge_fingerprints}
