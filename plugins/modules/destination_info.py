#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module destination_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: destination_info
short_description: Look at event destinations as a BMC will, before it is subscribed
version_added: 0.1.0
description:
  - Resolves the name, connects, and looks at the certificate, its names, its dates and who issued it.
  - What only the BMC could tell, its DNS and its routes, is V(unknown). Run it where the network is like the BMCs'.
author:
  - redfleet.events contributors (@redfleet)
requirements:
  - cryptography
options:
  destinations:
    description: Destinations of subscriptions. Those of one host and port are looked at once.
    type: list
    elements: str
    required: true
  ca_path:
    description: PEM file of the CAs by which BMCs verify it.
    type: path
  timeout:
    description: Seconds to wait for a connection.
    type: int
    default: 10
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: Look at the listener as the BMCs will
  redfleet.events.destination_info:
    destinations: [https://listener.example.com/events/bmc1]
    ca_path: fleet-ca/ca.pem
"""

RETURN = r"""
destinations:
  description:
    - One entry per host and port, with C(destination), C(not_before), C(not_after), and C(checks).
    - Each check has C(check) (V(name), V(port), V(tls), V(names), V(dates), V(chain)), C(verdict) (V(ok), V(failed),
      V(unknown)) and C(detail).
  returned: success
  type: list
  elements: dict
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.redfleet.events.plugins.module_utils import _certificate as certs
from ansible_collections.redfleet.events.plugins.module_utils import _preflight

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "destinations": {"type": "list", "elements": "str", "required": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 10},
}


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Look; see RETURN. Raises ValueError for what is no URL."""
    distinct = {_preflight.endpoint(url): url for url in params["destinations"]}
    found = [_preflight.look(url, params["ca_path"], params["timeout"]) for url in distinct.values()]
    bad = sum(any(one["verdict"] == _preflight.FAILED for one in item["checks"]) for item in found)
    return {
        "changed": False,
        "destinations": found,
        "msg": f"{bad} of {len(found)} destinations are not as they should be.",
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if certs.CRYPTOGRAPHY_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=certs.CRYPTOGRAPHY_IMPORT_ERROR)
    try:
        module.exit_json(**run(module.params))
    except ValueError as error:
        module.fail_json(msg=f"{error}. Give destinations as in event_subscription.")


if __name__ == "__main__":
    main()
