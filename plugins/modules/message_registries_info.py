#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module message_registries_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: message_registries_info
short_description: Read a BMC's message registries
version_added: 0.1.0
description:
  - Reads the message registries that a Redfish service (BMC) serves, condensed to texts, severities and resolutions.
  - Give them to the listener by M(redfleet.events.listener_message_registry), and it explains events that carry only
    the id of their message.
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
options:
  known:
    description: Registries that needn't be read, as C(Base.1.19).
    type: list
    elements: str
    default: []
  language:
    description: The language to read, where a registry is there in several.
    type: str
    default: en
"""

EXAMPLES = r"""
- name: Read what the BMC says about its messages
  redfleet.events.message_registries_info:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
    known: [Base.1.19]
  register: read
"""

RETURN = r"""
registries:
  description: The registries, for O(redfleet.events.listener_message_registry#module:readings[].registries).
  returned: success
  type: list
  elements: dict
not_read:
  description: Registries that were known.
  returned: success
  type: list
  elements: str
unread:
  description: Registries that could not be read, and why.
  returned: success
  type: dict
service:
  description: Who the BMC is, as its ServiceRoot says.
  returned: success
  type: dict
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
from ansible_collections.redfleet.events.plugins.module_utils._message_registries import minor, read_registries
from ansible_collections.redfleet.events.plugins.module_utils._module import serve

ARGUMENT_SPEC = with_connection(
    {
        "known": {"type": "list", "elements": "str", "default": []},
        "language": {"type": "str", "default": "en"},
    }
)


def run(service: EventService, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:  # noqa: ARG001 (one form for all)
    """Read them; see RETURN."""
    reading = read_registries(service.client, {minor(name) for name in params["known"]}, params["language"])
    return {
        "changed": False,
        "registries": reading.registries,
        "not_read": reading.skipped,
        "unread": reading.unread,
        "service": service.identity(),
        "msg": f"{service.where} served {len(reading.registries)} message registries, "
        f"{len(reading.skipped)} were known, {len(reading.unread)} could not be read.",
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
