#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_source."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_source
short_description: Tell the listener which BMCs there are
version_added: 0.1.0
description:
  - Registers sources (BMCs) with the event listener, many at once.
  - What is registered about a source stays unless it is given anew.
  - A registered address names the source's text log and finds the source of events that are posted to C(/).
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._listener
  - redfleet.events._listener.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  sources:
    description: The sources. All of them are registered, or none.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name, usually that in the inventory. Letters, digits, dots, colons, dashes and underscores.
        type: str
        required: true
      address:
        description: Address of the BMC. An empty text forgets it, as with all the texts below.
        type: str
      uuid:
        description: UUID of the Redfish service.
        type: str
      serial:
        description: Serial number.
        type: str
      model:
        description: Model.
        type: str
      firmware:
        description: Version of the BMC's firmware.
        type: str
      manufacturer:
        description: Manufacturer.
        type: str
      service:
        description: What its ServiceRoot says of itself, vendor, product and Redfish version.
        type: str
      labels:
        description: Names and values of your own. They replace those that were registered.
        type: dict
      domain:
        description:
          - Path of the domain it belongs to, such as V(/dc1/row2/). Events are stamped with it when they arrive, so
            what had arrived before stays where it was.
        type: str
      account:
        description: Account in that domain whose users may see its events.
        type: str
      state:
        description: V(retired) sources are refused where the listener accepts registered ones only.
        type: str
        choices: [active, maintenance, retired]
      response_status:
        description: What this source is answered, where it differs from the listener's setting. Older iLOs reject 204.
        type: int
        choices: [200, 202, 204]
      credential:
        description:
          - Name of the credential that the BMC's subscription was given, never the secret.
          - The listener notes when it changed, and does not let a credential go that a source still needs.
        type: str
      heartbeat_minutes:
        description: Minutes between heartbeats that its subscription sends. V(0) is none.
        type: int
      path_secrets:
        description:
          - Secret paths of a BMC that can send no header, C(/events/NAME/SECRET).
          - They replace those that were registered; an empty list revokes all.
        type: list
        elements: dict
        suboptions:
          id:
            description: Names the secret, so that it can be replaced and revoked.
            type: str
            required: true
          secret:
            description:
              - V(secret-) and 32 to 128 random letters, digits, dashes and underscores.
              - The listener keeps a digest only.
              - Without it the secret that is registered by this O(sources[].path_secrets[].id) stays.
            type: str
          networks:
            description: CIDR networks that it is valid from.
            type: list
            elements: str
            required: true
"""

EXAMPLES = r"""
- name: The listener knows the fleet
  redfleet.events.listener_source:
    token: "{{ event_listener_token }}"
    sources:
      - name: bmc001
        address: 192.0.2.10
        serial: CZ1234567
        labels:
          rack: "7"
      - name: bmc002
        address: 192.0.2.11
        response_status: 200
  delegate_to: listener1
"""

RETURN = r"""
created:
  description: Names of the sources that are new, or would be.
  returned: success
  type: list
  elements: str
updated:
  description: Names of the sources that changed, or would.
  returned: success
  type: list
  elements: str
unchanged:
  description: Names of the sources that were registered so already.
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

PATH_SECRET = {
    "id": {"type": "str", "required": True},
    "secret": {"type": "str", "no_log": True},
    "networks": {"type": "list", "elements": "str", "required": True},
}
SOURCE = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str"},
    "uuid": {"type": "str"},
    "serial": {"type": "str"},
    "model": {"type": "str"},
    "firmware": {"type": "str"},
    "manufacturer": {"type": "str"},
    "service": {"type": "str"},
    "labels": {"type": "dict"},
    "domain": {"type": "str"},
    "account": {"type": "str"},
    "state": {"type": "str", "choices": ["active", "maintenance", "retired"]},
    "response_status": {"type": "int", "choices": [200, 202, 204]},
    "credential": {"type": "str"},
    "heartbeat_minutes": {"type": "int"},
    "path_secrets": {"type": "list", "elements": "dict", "options": PATH_SECRET, "no_log": False},
}
ARGUMENT_SPEC = {
    **CONNECTION,
    "sources": {"type": "list", "elements": "dict", "options": SOURCE, "required": True},
}


def wanted(source: dict[str, Any]) -> dict[str, Any]:
    """A source as the API takes it: what isn't given is left out, an empty text is null, labels are text."""
    found = {name: (None if value == "" else value) for name, value in source.items() if value is not None}
    if "path_secrets" in found:
        found["path_secrets"] = [
            {key: one[key] for key in one if one[key] is not None} for one in found["path_secrets"]
        ]
    if "labels" in found:
        found["labels"] = {str(name): str(value) for name, value in found["labels"].items()}
    return found


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Register; see RETURN. Raises ListenerError."""
    document = {"sources": [wanted(source) for source in params["sources"]], "check": check_mode}
    answer = listener.patch("/api/v1/sources", document)
    lists = {name: answer[name] for name in ("created", "updated", "unchanged")}
    return {
        **lists,
        "changed": bool(lists["created"] or lists["updated"]),
        "diff": {
            "before": {item["name"]: item["before"] for item in answer["diff"] if item["before"] is not None},
            "after": {item["name"]: item["after"] for item in answer["diff"]},
        },
        "msg": ", ".join(f"{len(names)} {name}" for name, names in lists.items()) + ".",
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
