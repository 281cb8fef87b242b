#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_coverage."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_coverage
short_description: Tell the listener what a look at the whole fleet found
version_added: 0.1.0
description:
  - Replaces what the event listener shows in C(/metrics) and at C(/api/v1/coverage). The playbook
    C(redfleet.events.coverage) finds it out.
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
  asked:
    description: Number of BMCs that were asked.
    type: int
    required: true
  findings:
    description:
      - Lists of names by C(never_sent), C(unknown_sender), C(retired_sends), C(not_subscribed), C(foreign_destination),
        C(unread).
    type: dict
    required: true
  free_slots:
    description: Unused slots of all BMCs that have a fixed number of them.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Tell what was found
  redfleet.events.listener_coverage:
    token: "{{ listener_token }}"
    asked: 2
    findings:
      never_sent: [bmc2]
  delegate_to: listener.example.com
"""

RETURN = r"""
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve

NAMES = ("asked", "findings", "free_slots")
ARGUMENT_SPEC = {
    **CONNECTION,
    "asked": {"type": "int", "required": True},
    "findings": {"type": "dict", "required": True},
    "free_slots": {"type": "int", "default": 0},
}


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Tell; see RETURN. Raises ListenerError."""
    if not check_mode:
        listener.post("/api/v1/coverage", {name: params[name] for name in NAMES})
    found = sum(map(len, params["findings"].values()))
    return {"changed": False, "msg": f"{found} findings on {params['asked']} BMCs."}


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
