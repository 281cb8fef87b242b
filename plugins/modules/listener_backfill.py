#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_backfill."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_backfill
short_description: Append to the event log what a listener missed
version_added: 0.1.0
description:
  - Gives entries of BMCs' logs to the event listener, which appends those that its event log lacks, with the origin
    C(backfill).
  - An entry is known when the source has an event with the same message key, arguments and origin whose time differs by
    O(tolerance) at most. One event accounts for one entry.
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
    description: Sources with the entries of their logs.
    type: list
    elements: dict
    required: true
    suboptions:
      source:
        description: Name of the source, usually the BMC's name in the inventory.
        type: str
        required: true
      entries:
        description: LogEntry resources, as M(redfleet.events.log_entries_info) returns them.
        type: list
        elements: dict
        required: true
  tolerance:
    description: Seconds by which the times of an event and of its log entry may differ.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: Append what was missed
  redfleet.events.listener_backfill:
    token: "{{ listener_token }}"
    sources:
      - source: bmc1
        entries: "{{ night.entries }}"
"""

RETURN = r"""
sources:
  description: What became of the entries of each source.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: Name of the source.
      type: str
    entries:
      description: Number of entries given.
      type: int
    known:
      description: Number of those that were in the event log.
      type: int
    added:
      description: Number of those that were missing, and are appended; in check mode, would be.
      type: int
    undated:
      description: Number of those without a time that can be read; they can't be compared and are left out.
      type: int
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "sources": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "source": {"type": "str", "required": True},
            "entries": {"type": "list", "elements": "dict", "required": True},
        },
    },
    "tolerance": {"type": "float", "default": 5},
}
# Entries per request: bodies stay far below what the API takes, and the answer comes soon.
CHUNK = 2000


def chunks(sources: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Sources in groups of up to CHUNK entries; one source stays together, since its entries are compared together."""
    groups: list[list[dict[str, Any]]] = []
    room = 0
    for source in sources:
        if not groups or len(source["entries"]) > room:
            groups.append([])
            room = CHUNK
        groups[-1].append(source)
        room -= len(source["entries"])
    return groups


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Append; see RETURN. Raises ListenerError."""
    outcomes: list[dict[str, Any]] = []
    for group in chunks(params["sources"]):
        document = {"sources": group, "tolerance": params["tolerance"], "check": check_mode}
        outcomes += listener.post("/api/v1/backfill", document)["sources"]
    added = sum(outcome["added"] for outcome in outcomes)
    known = sum(outcome["known"] for outcome in outcomes)
    return {
        "changed": bool(added),
        "sources": outcomes,
        "msg": f"{added} events were missing, {known} were known, of {len(outcomes)} sources.",
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
