#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module event_service_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: event_service_info
short_description: Read what a BMC's EventService can do
version_added: 0.1.0
description:
  - Reads the EventService of a Redfish service (BMC), what it says it supports, and on request its message registries.
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
  registries:
    description: Whether to list the message registries, which may take one request for each.
    type: bool
    default: false
  hardware:
    description:
      - Whether to read model, serial and firmware into RV(service), which takes two requests where the BMC expands its
        lists, four otherwise.
    type: bool
    default: false
  clock:
    description: Whether to return RV(clock).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: What can this BMC filter by
  redfleet.events.event_service_info:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
    registries: true
  register: found

- name: Print it
  ansible.builtin.debug:
    var: found.capabilities
"""

RETURN = r"""
event_service:
  description: The EventService as the BMC shows it, secrets masked.
  returned: success
  type: dict
capabilities:
  description: What the BMC says it supports; null where it says nothing.
  returned: success
  type: dict
  contains:
    values:
      description: For each property that filters, the values that may be used.
      type: dict
      returned: success
    supported:
      description: For each property that a BMC may or may not have, whether this one has it.
      type: dict
      returned: success
    event_format_types:
      description: Formats of payloads that can be subscribed.
      type: list
      elements: str
      returned: success
    test_event:
      description: Actions that send a test event, the preferred one first.
      type: list
      elements: str
      returned: success
    server_sent_event_uri:
      description: Where events can be read as a stream.
      type: str
      returned: success
registries:
  description: Message registries, each with C(id), C(registry) and C(languages); null unless O(registries).
  returned: success
  type: list
  elements: dict
clock:
  description:
    - C(offset), seconds by which the BMC's clock is ahead of this host's, by the Date of its answers, else by its
      manager's C(DateTime). Null where it tells neither.
  returned: when O(clock) is true, else null
  type: dict
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

ARGUMENT_SPEC = with_connection(
    {
        "registries": {"type": "bool", "default": False},
        "hardware": {"type": "bool", "default": False},
        "clock": {"type": "bool", "default": False},
    }
)


def run(service: EventService, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:  # noqa: ARG001 (one form for all)
    """Read the EventService; see RETURN."""
    settings, known = service.settings, service.capabilities
    actions = settings.get("Actions") or {}
    names = ("SubmitTestEvent", "TestEventSubscription")
    clock = {"offset": service.clock_offset()} if params["clock"] else None  # first: its manager is read once
    identity = service.identity()
    if params["hardware"]:
        identity.update(service.hardware())
    return {
        "changed": False,
        "event_service": presentable(settings),
        "capabilities": {
            "values": {name: value for name, value in known.lists.items() if name != "Formats"},
            "supported": dict(known.flags),
            "event_format_types": known.lists.get("Formats"),
            "test_event": [name for name in names if f"#EventService.{name}" in actions],
            "server_sent_event_uri": settings.get("ServerSentEventUri"),
        },
        "registries": service.registries() if params["registries"] else None,
        "clock": clock,
        "service": identity,
        "msg": f"The EventService of {service.where} is {_state(settings)}.",
    }


def _state(settings: dict[str, Any]) -> str:
    return "disabled" if settings.get("ServiceEnabled") is False else "enabled"


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
