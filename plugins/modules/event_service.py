#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module event_service."""

from __future__ import annotations

DOCUMENTATION = r"""
module: event_service
short_description: Set a BMC's EventService
version_added: 0.1.0
description:
  - Switches the EventService of a Redfish service (BMC) on or off, and sets how it repeats deliveries and sends mail.
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._redfish
  - redfleet.events._redfish.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  service_enabled:
    description: Whether the BMC sends events at all.
    type: bool
  delivery_retry_attempts:
    description: How often the BMC repeats a delivery.
    type: int
  delivery_retry_interval_seconds:
    description: Seconds between two attempts.
    type: int
  alert_enable:
    description:
      - Whether an iDRAC sends alerts at all, its attribute C(IPMILan.1.AlertEnable). While that is off, it takes
        subscriptions and stays silent.
      - BMCs of others have no such switch, and are as declared with V(true).
    type: bool
  ignore_certificate_errors:
    description:
      - Whether an iDRAC sends to listeners whose certificate it can't verify, its attribute
        C(RedfishEventing.1.IgnoreCertificateErrors). V(true) gives up the check for all of its subscriptions.
      - BMCs of others have no such switch, and are as declared with V(false).
    type: bool
  smtp:
    description: How the BMC sends mail to subscriptions by SMTP.
    type: dict
    suboptions:
      service_enabled:
        description: Whether it sends mail.
        type: bool
      server_address:
        description: Address of the mail server.
        type: str
      port:
        description: Port of the mail server.
        type: int
      connection_protocol:
        description: How the connection is protected.
        type: str
        choices: [None, AutoDetect, StartTLS, TLS_SSL]
      authentication:
        description: How the BMC authenticates itself.
        type: str
        choices: [None, AutoDetect, Plain, Login, CRAM_MD5]
      username:
        description: Account on the mail server.
        type: str
      password:
        description: Password of the account. The BMC does not show it, so it is only sent along with other changes.
        type: str
      from_address:
        description: Sender of the mails.
        type: str
  update_smtp_password:
    description: V(always) sends the password of O(smtp) in each run and reports a change.
    type: str
    choices: [on_change, always]
    default: on_change
  on_unsupported:
    description: What to do when the BMC has no such setting. V(drop) reports it in RV(unsupported).
    type: str
    choices: [fail, drop]
    default: fail
"""

EXAMPLES = r"""
- name: Let the BMC send events, and try three times
  redfleet.events.event_service:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
    service_enabled: true
    delivery_retry_attempts: 3
    delivery_retry_interval_seconds: 30
"""

RETURN = r"""
event_service:
  description: The settings as the BMC shows them now, secrets masked.
  returned: success
  type: dict
diff:
  description: The settings that change, before and after.
  returned: success
  type: dict
unsupported:
  description: Redfish names of declared settings that the BMC does not have.
  returned: success
  type: list
  elements: str
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

from ansible_collections.redfleet.events.plugins.module_utils._argspec import with_connection
from ansible_collections.redfleet.events.plugins.module_utils._module import serve
from ansible_collections.redfleet.events.plugins.module_utils._service_settings import apply_settings as run

SMTP_SPEC = {
    "service_enabled": {"type": "bool"},
    "server_address": {"type": "str"},
    "port": {"type": "int"},
    "connection_protocol": {"type": "str", "choices": ["None", "AutoDetect", "StartTLS", "TLS_SSL"]},
    "authentication": {"type": "str", "choices": ["None", "AutoDetect", "Plain", "Login", "CRAM_MD5"]},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "from_address": {"type": "str"},
}

ARGUMENT_SPEC = with_connection(
    {
        "service_enabled": {"type": "bool"},
        "delivery_retry_attempts": {"type": "int"},
        "delivery_retry_interval_seconds": {"type": "int"},
        "alert_enable": {"type": "bool"},
        "ignore_certificate_errors": {"type": "bool"},
        "smtp": {"type": "dict", "options": SMTP_SPEC},
        "update_smtp_password": {
            "type": "str",
            "choices": ["on_change", "always"],
            "default": "on_change",
            "no_log": False,
        },
        "on_unsupported": {"type": "str", "choices": ["fail", "drop"], "default": "fail"},
    }
)


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
