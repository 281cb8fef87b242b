#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module submit_test_event."""

from __future__ import annotations

DOCUMENTATION = r"""
module: submit_test_event
short_description: Make a BMC send a test event
version_added: 0.1.0
description:
  - Makes a Redfish service (BMC) send a test event to its subscribers, in the form that this BMC takes.
  - The event carries a marker, so that it is known again at the listener, where the BMC allows it.
  - Nothing on the BMC is changed. Some BMCs send the event to all their subscribers, also to those of others.
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._redfish
  - redfleet.events._redfish.attributes
attributes:
  check_mode:
    support: full
    details: Returns what would be sent, and sends nothing.
  diff_mode:
    support: none
options:
  marker:
    description: Text to know the event by. Defaults to C(redfleet-test-) and a random number.
    type: str
  message_id:
    description: Message to send. Defaults to V(ResourceEvent.1.0.TestMessage), or to what the BMC's vendor takes.
    type: str
  message_text:
    description: Text of the event; the marker is added.
    type: str
  severity:
    description: Severity of the event.
    type: str
    choices: [OK, Warning, Critical]
    default: OK
  event_type:
    description: Type of the event, for BMCs that want one.
    type: str
    default: Alert
  destination:
    description: Destination of the subscription to test, for BMCs that send a test event to one only (Dell).
    type: str
  context:
    description: Context of that subscription.
    type: str
"""

EXAMPLES = r"""
- name: Prove that events of this BMC arrive
  redfleet.events.submit_test_event:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
    destination: https://listener.example.com/events/bmc1
  register: test

- name: Wait for it at the listener
  redfleet.events.listener_event_info:
    token: "{{ listener_token }}"
    wait_for:
      - source: bmc1
        marker: "{{ test.marker }}"
        message_key: "{{ test.message_key }}"
  delegate_to: listener.example.com
"""

RETURN = r"""
marker:
  description: Text to know the event by.
  returned: success
  type: str
  sample: redfleet-test-5f1c0e9b7a24
marked:
  description: Whether what was sent contains the marker. If not, the event is only known by its message and time.
  returned: success
  type: bool
sent:
  description: Body of the request that the BMC accepted.
  returned: success
  type: dict
message_key:
  description: Key of the message, without registry and version.
  returned: success
  type: str
  sample: TestMessage
action_uri:
  description: URI of the action.
  returned: success
  type: str
sent_at:
  description: When the BMC was asked to send it, by the clock of the host that runs the module; null in check mode.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00.123+00:00"
status:
  description: HTTP status of the answer, null in check mode.
  returned: always
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

from ansible_collections.redfleet.events.plugins.module_utils._argspec import with_connection
from ansible_collections.redfleet.events.plugins.module_utils._module import serve
from ansible_collections.redfleet.events.plugins.module_utils._test_event import submit as run

ARGUMENT_SPEC = with_connection(
    {
        "marker": {"type": "str"},
        "message_id": {"type": "str"},
        "message_text": {"type": "str"},
        "severity": {"type": "str", "choices": ["OK", "Warning", "Critical"], "default": "OK"},
        "event_type": {"type": "str", "default": "Alert"},
        "destination": {"type": "str"},
        "context": {"type": "str"},
    }
)


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
