#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_message_registry_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_message_registry_info
short_description: Ask the listener which message registries it knows, and which BMCs to read
version_added: 0.1.0
description:
  - Lists the message registries that the event listener has, and says which BMCs are of a make (manufacturer, model,
    firmware) whose registries were not read yet, one BMC per make.
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._listener
  - redfleet.events._listener.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  sources:
    description: Sources to choose those from that are to be read.
    type: list
    elements: str
    default: []
  again:
    description: Whether one BMC of every make is to be read, also of those that were read before.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Which BMCs are to be read
  redfleet.events.listener_message_registry_info:
    token: "{{ event_listener_token }}"
    sources: "{{ groups['bmcs'] }}"
  delegate_to: listener1
  register: asked
"""

RETURN = r"""
registries:
  description: The registries that the listener has, without their messages.
  returned: success
  type: list
  elements: dict
unread:
  description: Of O(sources), one per make that wasn't read, and the make.
  returned: success
  type: dict
  sample: {"bmc001": "HPE | ProLiant DL380 Gen11 | iLO 6 v1.55 | HPE iLO 6 1.13.0"}
known:
  description: DMTF's registries that need not be read again, for
    O(redfleet.events.message_registries_info#module:known).
  returned: success
  type: list
  elements: str
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "sources": {"type": "list", "elements": "str", "default": []},
    "again": {"type": "bool", "default": False},
}


def run(params: dict[str, Any], listener: Listener, _check_mode: bool) -> dict[str, Any]:
    """Ask; see RETURN. Raises ListenerError."""
    registries = listener.get("/api/v1/message-registries")["registries"]
    question = {"sources": params["sources"], "again": params["again"]}
    answer = listener.post("/api/v1/message-registries/unread", question)
    return {
        "changed": False,
        "registries": registries,
        "unread": answer["unread"],
        "known": [] if params["again"] else answer["known"],
        "msg": f"{len(registries)} message registries are known, {len(answer['unread'])} makes of BMCs were not read.",
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
