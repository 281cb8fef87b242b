#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_summary
short_description: Sum up what a task did on every BMC of the play
version_added: 0.1.0
description:
  - Reads the results that a task registered on the hosts of the play, and returns a line per host, sorted so that
    what needs attention comes last.
  - It changes nothing and asks no BMC. Use it with C(run_once), it is about the whole play.
author:
  - redfleet.events contributors (@redfleet)
options:
  register:
    description: Name under which a task of this collection registered its result.
    type: str
  hosts:
    description: The hosts whose results are summed up. Default are those of the batch. Needs O(register).
    type: list
    elements: str
  max_refused:
    description:
      - Fail where more BMCs than this refused the credentials, so that a wrong password in the inventory doesn't lock
        out accounts all over the fleet. Default is not to. Needs O(register).
    type: int
  waves:
    description:
      - Name under which earlier calls of this module registered their results, one per batch of a C(serial) play.
      - About all hosts of the play; those that no batch came to are V(not reached).
    type: str
attributes:
  check_mode:
    description: Does the same, since it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
notes:
  - It runs on the controller, as an action plugin. One call reads the results of thousands of hosts; the same by
    filters costs a load of all filters and a templated view of every host, each time.
"""

EXAMPLES = r"""
- name: Subscribe the BMCs
  hosts: bmcs
  gather_facts: false
  serial: ["1%", "100%"]
  tasks:
    - name: The subscription is as declared
      redfleet.events.event_destination:
        destination: https://192.0.2.10/events/{{ inventory_hostname }}
      connection: local
      register: subscribed
      ignore_errors: true

    - name: What became of the wave
      redfleet.events.fleet_summary:
        register: subscribed
        max_refused: 10
      register: wave
      run_once: true

- name: Summary
  hosts: bmcs
  gather_facts: false
  tasks:
    - name: What became of every BMC
      redfleet.events.fleet_summary:
        waves: wave
      register: summary
      run_once: true

    - name: Show it
      ansible.builtin.debug:
        msg: "{{ summary.lines }}"
      run_once: true
"""

RETURN = r"""
rows:
  description: C(host), C(verdict) and C(detail) of every host.
  returned: success
  type: list
  elements: dict
lines:
  description: The same as text, and last the number of hosts by verdict.
  returned: success
  type: list
  elements: str
counts:
  description: Number of hosts by verdict.
  returned: success
  type: dict
  sample: {"ok": 97, "unreachable": 3}
bad:
  description: Hosts that are not as declared.
  returned: success
  type: list
  elements: str
refused:
  description: Hosts that refused the credentials.
  returned: success
  type: list
  elements: str
gaps:
  description: Hosts that had no subscription while it was replaced, and since when.
  returned: success
  type: dict
  sample: {"bmc7": "2026-03-01T12:00:00+00:00"}
"""
