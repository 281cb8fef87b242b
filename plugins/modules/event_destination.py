#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module event_destination."""

from __future__ import annotations

DOCUMENTATION = r"""
module: event_destination
short_description: Make a BMC hold an event subscription, or not
version_added: 0.1.0
description:
  - Makes a Redfish service (BMC) send its events to a destination, by exactly one EventDestination resource.
  - A subscription is known by its destination (in normal form), protocol, subscription type and event format.
    Nothing else on the BMC is touched, unless it is listed in O(retired_destinations).
  - Only what is set here and shown by the BMC is compared. Properties that may be changed are changed by PATCH; for
    the others the subscription is replaced, creating the new one before deleting the old one where the BMC allows it.
  - A list that cannot be read completely is an error. Nothing is concluded from it, and nothing is changed.
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
  declared_in:
    description:
      - Name of a variable of the host that holds options of this module. Those that the task gives count more.
      - Faster than the same by C(module_defaults) and a template, which every fork compiles anew.
    type: str
  state:
    description: Whether the subscription should be there.
    type: str
    choices: [present, absent]
    default: present
  destination:
    description:
      - Where the BMC sends its events.
      - Scheme and host compare without case, and a default port or an empty path make no difference.
    type: str
    required: true
  context:
    description: Text that the BMC sends with each event, as given.
    type: str
  protocol:
    description: Protocol of the delivery.
    type: str
    default: Redfish
  subscription_type:
    description: Type of the subscription. V(RedfishEvent) is a webhook.
    type: str
    default: RedfishEvent
  event_format_type:
    description: Whether events or metric reports are sent.
    type: str
    choices: [Event, MetricReport]
    default: Event
  event_types:
    description: Event types to send. Deprecated in Redfish, but old BMCs insist on it.
    type: list
    elements: str
  registry_prefixes:
    description: Send only messages of these registries.
    type: list
    elements: str
  exclude_registry_prefixes:
    description: Send no messages of these registries.
    type: list
    elements: str
  message_ids:
    description: Send only these messages.
    type: list
    elements: str
  exclude_message_ids:
    description: Do not send these messages.
    type: list
    elements: str
  resource_types:
    description: Send only events about these types of resources.
    type: list
    elements: str
  origin_resources:
    description: Send only events about these resources, given by their URIs.
    type: list
    elements: str
  subordinate_resources:
    description: Whether O(origin_resources) includes what is below them.
    type: bool
  severities:
    description: Send only events of these severities.
    type: list
    elements: str
  metric_report_definitions:
    description: URIs of the metric report definitions whose reports are sent.
    type: list
    elements: str
  include_origin_of_condition:
    description: Whether events contain the resource that caused them.
    type: bool
  http_headers:
    description:
      - Headers that the BMC sends with each delivery, for example C(Authorization). Values are secret.
      - BMCs do not show them, so a change is only noticed with O(update_http_headers=always).
    type: dict
  update_http_headers:
    description: V(always) sends O(http_headers) in each run and reports a change; V(on_create) only when creating.
    type: str
    choices: [on_create, always]
    default: on_create
  credential:
    description:
      - Name of what O(http_headers) authenticates with at the listener, for the record. It is never sent to the BMC.
      - RV(credential) returns it where the BMC has it after this run; M(redfleet.events.listener_source) registers it.
    type: str
  delivery_retry_policy:
    description:
      - What the BMC does when the destination does not answer.
      - The default of many BMCs is V(TerminateAfterRetries), which deletes the subscription when the listener reboots.
    type: str
    choices: [TerminateAfterRetries, SuspendRetries, RetryForever, RetryForeverWithBackoff]
  verify_certificate:
    description: Whether the BMC verifies the destination's certificate.
    type: bool
  send_heartbeat:
    description: Whether the BMC sends heartbeat events.
    type: bool
  heartbeat_interval_minutes:
    description: Minutes between two heartbeats.
    type: int
  backup_destinations:
    description: Destinations that are tried in order when the first does not answer.
    type: list
    elements: str
  oem:
    description: Vendor's properties, sent as given. Only the given keys are compared.
    type: dict
  on_unsupported:
    description:
      - What to do when the BMC does not support a property. Keys are option names, or C(default) for all.
      - V(fail) stops, V(drop) goes on without it and reports it in RV(unsupported).
      - Without it, O(context), O(event_types), O(include_origin_of_condition), O(delivery_retry_policy),
        O(send_heartbeat), O(heartbeat_interval_minutes) and O(backup_destinations) are dropped; all others, which are
        filters or security, fail. Asking for V(false) or an empty list where there is no such property is always fine.
    type: dict
  adopt:
    description:
      - V(same_destination) takes over a subscription with the same identity, whoever made it.
      - V(never) takes only those that also have the same O(context), if one is given.
    type: str
    choices: [same_destination, never]
    default: same_destination
  duplicates:
    description: Whether further subscriptions with the same identity are removed.
    type: str
    choices: [remove, keep]
    default: remove
  retired_destinations:
    description: Former destinations of yours; subscriptions to them are removed.
    type: list
    elements: str
  identify:
    description:
      - Whether to read model, serial and firmware of the BMC into RV(service), which takes two requests where it
        expands its lists, four otherwise.
      - V(on_change) does it only when something changes. An iDRAC is then also asked whether its alerts are on (one
        more).
    type: str
    choices: [always, on_change, never]
    default: on_change
"""

EXAMPLES = r"""
- name: Send events to the listener, and keep trying when it is away
  redfleet.events.event_destination:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
    tls_fingerprint: "{{ bmc_fingerprint }}"
    destination: https://listener.example.com/events/bmc1
    context: rack7
    http_headers:
      Authorization: "Basic {{ (listener_user ~ ':' ~ listener_password) | b64encode }}"
    delivery_retry_policy: RetryForever

- name: Give connection options once for all tasks
  module_defaults:
    group/redfleet.events.redfish:
      username: admin
      password: "{{ bmc_password }}"
      login_type: basic
  block:
    - name: Send only what is critical, from BMCs that can filter by severity
      redfleet.events.event_destination:
        destination: https://listener.example.com/events/bmc1
        severities: [Critical]
        on_unsupported:
          severities: drop

    - name: Stop sending, also to the old listener
      redfleet.events.event_destination:
        state: absent
        destination: https://listener.example.com/events/bmc1
        retired_destinations: [https://old.example.com/]
"""

RETURN = r"""
action:
  description: What was done, or would be in check mode. V(delete) means that subscriptions were only removed.
  returned: success
  type: str
  sample: create
subscription:
  description: The subscription as the BMC shows it, secrets masked. Empty when there is none.
  returned: success
  type: dict
removed:
  description: URIs of the subscriptions that were removed, also by a replacement.
  returned: success
  type: list
  elements: str
unsupported:
  description: Redfish names of declared properties that the BMC does not support and that were dropped.
  returned: success
  type: list
  elements: str
silent:
  description:
    - Sentences that say why the BMC sends nothing although it is subscribed, as far as that can be told, such as an
      EventService that is disabled. M(redfleet.events.event_service) repairs what can be repaired.
  returned: success
  type: list
  elements: str
unverified:
  description: Redfish names of declared properties that the BMC does not show, so that a drift would go unnoticed.
  returned: success
  type: list
  elements: str
credential:
  description:
    - O(credential) where the BMC was given O(http_headers) in this run (or would be, in check mode), or shows them.
    - Null where nothing is known, since BMCs do not show headers.
  returned: success
  type: str
gap:
  description: Seconds without any subscription, where a replacement had to delete before it could create.
  returned: success
  type: float
gap_began:
  description: When RV(gap) began, in UTC by the clock of the host that ran the task.
  returned: when there was a gap
  type: str
diff:
  description: The subscription before and after.
  returned: changed, of what was created only in diff mode, since RV(subscription) is the same
  type: dict
service:
  description: Who the BMC is. C(manufacturer), C(model), C(serial) and C(firmware) only where O(identify) read them.
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
  description:
    - Why the task failed.
    - One of V(unreachable), V(tls), V(credentials), V(forbidden), V(unsupported), V(full), V(unknown_state),
      V(bmc_error), V(invalid_input).
  returned: failure
  type: str
status:
  description: HTTP status of the answer that made the task fail, or null.
  returned: failure
  type: int
holders:
  description: The subscriptions that hold all places of a full BMC, each with C(uri), C(Destination), C(Context).
  returned: when RV(reason) is V(full)
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._argspec import with_connection
from ansible_collections.redfleet.events.plugins.module_utils._declaration import desired_from
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._manager_attributes import FIRMWARE, ManagerAttributes
from ansible_collections.redfleet.events.plugins.module_utils._module import serve
from ansible_collections.redfleet.events.plugins.module_utils._readiness import why_silent
from ansible_collections.redfleet.events.plugins.module_utils._reconcile import reconcile

TEXTS = {"type": "list", "elements": "str"}
POLICIES = ["TerminateAfterRetries", "SuspendRetries", "RetryForever", "RetryForeverWithBackoff"]

ARGUMENT_SPEC = with_connection(
    {
        "declared_in": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "destination": {"type": "str", "required": True},
        "context": {"type": "str"},
        "protocol": {"type": "str", "default": "Redfish"},
        "subscription_type": {"type": "str", "default": "RedfishEvent"},
        "event_format_type": {"type": "str", "choices": ["Event", "MetricReport"], "default": "Event"},
        "event_types": TEXTS,
        "registry_prefixes": TEXTS,
        "exclude_registry_prefixes": TEXTS,
        "message_ids": TEXTS,
        "exclude_message_ids": TEXTS,
        "resource_types": TEXTS,
        "origin_resources": TEXTS,
        "subordinate_resources": {"type": "bool"},
        "severities": TEXTS,
        "metric_report_definitions": TEXTS,
        "include_origin_of_condition": {"type": "bool"},
        "http_headers": {"type": "dict", "no_log": True},
        "update_http_headers": {"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
        "credential": {"type": "str"},
        "delivery_retry_policy": {"type": "str", "choices": POLICIES},
        "verify_certificate": {"type": "bool"},
        "send_heartbeat": {"type": "bool"},
        "heartbeat_interval_minutes": {"type": "int"},
        "backup_destinations": TEXTS,
        "oem": {"type": "dict"},
        "on_unsupported": {"type": "dict"},
        "adopt": {"type": "str", "choices": ["same_destination", "never"], "default": "same_destination"},
        "duplicates": {"type": "str", "choices": ["remove", "keep"], "default": "remove"},
        "retired_destinations": TEXTS,
        "identify": {"type": "str", "choices": ["always", "on_change", "never"], "default": "on_change"},
    }
)


def run(service: EventService, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Reconcile one subscription; see RETURN."""
    desired = desired_from(params)
    result = reconcile(service, desired, check_mode)
    result["service"] = service.identity()
    thorough = params["identify"] == "always" or (params["identify"] == "on_change" and result["changed"])
    attributes = ManagerAttributes(service)
    if desired.present:
        found = why_silent(service, desired.properties, result["subscription"], attributes if thorough else None)
        result["silent"] = found
    if thorough:
        result["service"].update(service.hardware(attributes.shown.get(FIRMWARE)))
    return result


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
