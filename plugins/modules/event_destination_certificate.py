#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module event_destination_certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: event_destination_certificate
short_description: Have a BMC trust the CA of an event destination, or not
version_added: 0.1.0
description:
  - Installs CA certificates by which a Redfish service (BMC) verifies the listener that it sends events to.
  - They go where the BMC keeps them, the C(Certificates) of the subscription (EventDestination 1.9), HPE's
    C(CACertificates) or AMI's C(Certificates) of the EventService. Other certificates there are never touched, so a CA
    is rolled over by installing the new one beside the old one.
  - A BMC without such a place is refused with the reason. OpenBMC's C(Managers/bmc/Truststore) is none, it holds the
    CAs of users that log in.
author:
  - redfleet.events contributors (@redfleet)
requirements:
  - cryptography
extends_documentation_fragment:
  - redfleet.events._redfish
  - redfleet.events._redfish.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  state:
    description: Whether the certificates should be there.
    type: str
    choices: [present, absent]
    default: present
  certificates:
    description: Texts of CA certificates in PEM form. One text may hold several.
    type: list
    elements: str
    required: true
  destination:
    description:
      - The subscription's destination, as in M(redfleet.events.event_destination).
      - By the standard the certificates belong to the subscription, so it has to be there already; a subscription that
        is replaced loses them.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The BMC trusts the fleet's own authority
  redfleet.events.event_destination_certificate:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
    destination: https://listener.example.com/events/bmc1
    certificates:
      - "{{ lookup('ansible.builtin.file', 'fleet-ca/ca.pem') }}"
"""

RETURN = r"""
place:
  description: Where the BMC keeps them, V(subscription), V(hpe) or V(ami).
  returned: success
  type: str
stores:
  description: URIs of the collections.
  returned: success
  type: list
  elements: str
certificates:
  description: The declared certificates, each with C(subject), C(serial), C(fingerprint) and C(until).
  returned: success
  type: list
  elements: dict
diff:
  description: Certificates that were removed, and that were installed.
  returned: success
  type: dict
service:
  description: Who the BMC is.
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
status:
  description: HTTP status of the answer that made the task fail, or null.
  returned: failure
  type: int
"""

from ansible_collections.redfleet.events.plugins.module_utils._argspec import with_connection
from ansible_collections.redfleet.events.plugins.module_utils._module import serve
from ansible_collections.redfleet.events.plugins.module_utils._trust import apply_trust as run

ARGUMENT_SPEC = with_connection(
    {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "certificates": {"type": "list", "elements": "str", "required": True},
        "destination": {"type": "str", "required": True},
    }
)


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
