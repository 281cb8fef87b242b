#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_message_registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_message_registry
short_description: Give message registries to the listener
version_added: 0.1.0
description:
  - Gives message registries to the event listener, which keeps each content once and fills in message, severity and
    resolution of events that carry only a MessageId and arguments.
  - Registries that were read from a BMC explain the events of all BMCs of its make first.
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
  state:
    description: Whether the registries are to be there, or V(absent).
    type: str
    choices: [present, absent]
    default: present
  readings:
    description: Registries to add. All of one entry are added, or none.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: Registered source that they were read from. Without it they are imported.
        type: str
      registries:
        description:
          - MessageRegistry resources, as M(redfleet.events.message_registries_info) returns them or as a file has them.
        type: list
        elements: dict
        required: true
  name:
    description: Name of the registry that is to be absent, such as V(IDRAC).
    type: str
  registry_version:
    description: Its version. Default is all.
    type: str
"""

EXAMPLES = r"""
- name: The listener knows DMTF's registry of network devices
  redfleet.events.listener_message_registry:
    token: "{{ event_listener_token }}"
    readings:
      - registries:
          - "{{ lookup('ansible.builtin.file', 'NetworkDevice.1.0.3.json') | from_json }}"
  delegate_to: listener1

- name: An old registry is gone
  redfleet.events.listener_message_registry:
    token: "{{ event_listener_token }}"
    state: absent
    name: IDRAC
    registry_version: 2.1.0
  delegate_to: listener1
"""

RETURN = r"""
added:
  description: Registries that were added, or would be, as C(Base.1.19.0).
  returned: when O(state=present)
  type: list
  elements: str
known:
  description: Registries that were there.
  returned: when O(state=present)
  type: list
  elements: str
removed:
  description: Number of registries that were removed, or would be. With O(state=present) to make room.
  returned: success
  type: int
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve

PATH = "/api/v1/message-registries"
READING = {
    "source": {"type": "str"},
    "registries": {"type": "list", "elements": "dict", "required": True},
}
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "readings": {"type": "list", "elements": "dict", "options": READING, "default": []},
    "name": {"type": "str"},
    "registry_version": {"type": "str"},
}


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Add or remove; see RETURN. Raises ListenerError."""
    if params["state"] == "absent":
        return remove(params, listener, check_mode)
    added: set[str] = set()
    known: set[str] = set()
    removed, changed = 0, False
    for reading in params["readings"]:
        # One request each: vendors' registries are large, and the listener takes 32 MiB at once.
        given = {name: value for name, value in reading.items() if value is not None}
        answer = listener.put(PATH, {"readings": [given], "check": check_mode})
        added.update(answer["added"])
        known.update(answer["known"])
        removed += answer["removed"]
        changed = changed or answer["changed"]
    known -= added
    return {
        "changed": changed,
        "added": sorted(added),
        "known": sorted(known),
        "removed": removed,
        "msg": f"{len(added)} message registries are new, {len(known)} were known.",
    }


def remove(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Remove one; see RETURN. Raises ListenerError."""
    wanted = params["registry_version"]
    held = [one for one in listener.get(PATH)["registries"] if one["registry"] == params["name"]]
    gone = [one for one in held if wanted is None or one["version"] == wanted]
    if gone and not check_mode:
        listener.delete("/".join([PATH, *(quote(part, safe="") for part in (params["name"], wanted) if part)]))
    return {"changed": bool(gone), "removed": len(gone), "msg": f"{len(gone)} message registries were there."}


def main() -> None:
    serve(ARGUMENT_SPEC, run, required_if=[("state", "absent", ["name"])])


if __name__ == "__main__":
    main()
