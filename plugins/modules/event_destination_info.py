#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module event_destination_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: event_destination_info
short_description: Read the event subscriptions of a BMC
version_added: 0.1.0
description:
  - Reads all EventDestination resources of a Redfish service (BMC), secrets masked.
  - A list that cannot be read completely is an error, never a shorter list.
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._redfish
  - redfleet.events._redfish.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Who gets the events of this BMC
  redfleet.events.event_destination_info:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
  register: found

- name: Print the destinations
  ansible.builtin.debug:
    msg: "{{ found.subscriptions | map(attribute='Destination') }}"
"""

RETURN = r"""
subscriptions:
  description: The subscriptions as the BMC shows them, without annotations but C(@odata.id).
  returned: success
  type: list
  elements: dict
free_slots:
  description: Number of unused slots, on services with a fixed number of them; null elsewhere.
  returned: success
  type: int
service:
  description: Who the BMC is, as its ServiceRoot says.
  returned: success
  type: dict
  sample: {"uuid": "92384634-2938-2342-8820-489239905423", "vendor": "Contoso", "redfish_version": "1.17.0"}
requests:
  description: Number of HTTP requests sent to the BMC.
  returned: always
  type: int
msg:
  description: One sentence.
  returned: always
  type: str
reason:
  description: Why the task failed, in the words of M(redfleet.events.event_destination).
  returned: failure
  type: str
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._argspec import with_connection
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._module import serve
from ansible_collections.redfleet.events.plugins.module_utils._redact import presentable
from ansible_collections.redfleet.events.plugins.module_utils._subscription import is_free_slot

ARGUMENT_SPEC = with_connection({})


def run(service: EventService, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:  # noqa: ARG001 (one form for all)
    """Read everything; see RETURN."""
    members = service.subscriptions()
    free = [member for member in members if is_free_slot(member)]
    held = [presentable(member) for member in members if member not in free]
    return {
        "changed": False,
        "subscriptions": held,
        "free_slots": len(free) if free else None,
        "service": service.identity(),
        "msg": f"{service.where} holds {len(held)} subscriptions.",
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
