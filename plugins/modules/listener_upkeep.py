#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_upkeep."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_upkeep
short_description: Read and tell what keeps a fleet whole
version_added: 0.1.0
description:
  - Returns what the event listener knows about the upkeep of its sources, when it was away itself, until when each
    source is complete, when its BMC was last checked, repaired and proven.
  - With O(sources), tells it what was just done. The playbook C(redfleet.events.reconcile) is made of it.
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._listener
  - redfleet.events._listener.attributes
attributes:
  check_mode:
    support: full
    details: Tells nothing.
  diff_mode:
    support: none
options:
  sources:
    description: What was done for which source. Fields that aren't given stay.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the source.
        type: str
        required: true
      verdict:
        description: What a check of its BMC, made now, said.
        type: str
      repaired:
        description: Whether its subscription had to be restored, so that it may have missed events.
        type: bool
        default: false
      complete:
        description: Everything that happened before this time, RFC 3339, is in the event log or was looked for.
        type: str
"""

EXAMPLES = r"""
- name: Was the listener away
  redfleet.events.listener_upkeep:
    token: "{{ listener_token }}"
  delegate_to: listener.example.com
  register: upkeep

- name: Print it
  ansible.builtin.debug:
    msg: "{{ upkeep.outages }}"
"""

RETURN = r"""
now:
  description: The listener's clock.
  returned: success
  type: str
outages:
  description: Times of the last 90 days in which a listener took no events, oldest first.
  returned: success
  type: list
  elements: dict
  sample:
    - listener: ""
      began: "2026-11-22T02:54:34.123456Z"
      ended: "2026-11-22T02:59:34.123456Z"
      seconds: 300.0
known:
  description:
    - By name of the source, C(registered), C(complete), C(checked), C(verdict), C(repaired), C(last_proven) and
      C(last_asked) (for a proof). Times are null where it never happened.
  returned: success
  type: dict
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve

PATH = "/api/v1/upkeep"
SOURCE = {
    "name": {"type": "str", "required": True},
    "verdict": {"type": "str"},
    "repaired": {"type": "bool", "default": False},
    "complete": {"type": "str"},
}
ARGUMENT_SPEC = {**CONNECTION, "sources": {"type": "list", "elements": "dict", "options": SOURCE}}


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Tell, and read; see RETURN. Raises ListenerError."""
    told = [{name: value for name, value in one.items() if value is not None} for one in params["sources"] or []]
    answer = listener.post(PATH, {"sources": told}) if told and not check_mode else listener.get(PATH)
    return {
        "changed": False,
        "now": answer["now"],
        "outages": answer["outages"],
        "known": answer["sources"],
        "msg": f"{len(answer['sources'])} sources, {len(answer['outages'])} outages.",
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
