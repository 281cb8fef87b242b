#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_event_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_event_info
short_description: Query the events that the listener received, or wait for them
version_added: 0.1.0
description:
  - Asks the management API of the event listener for events.
  - With O(wait_for) it waits until expected events have arrived, as the playbook C(redfleet.events.verify) does.
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
  query:
    description:
      - Which events to return. All conditions hold; of a list, any value.
      - The newest 100 without it.
    type: dict
    suboptions:
      after:
        description: Only events with a greater sequence number.
        type: int
      before:
        description: Only events with a smaller sequence number.
        type: int
      limit:
        description: Most events to return, up to 1000.
        type: int
      order:
        description: Oldest first (V(asc)) or newest first (V(desc)).
        type: str
        choices: [asc, desc]
      id:
        description: Public ids of events.
        type: list
        elements: str
      source:
        description: Names of sources.
        type: list
        elements: str
      category:
        description: C(ActionEvent), C(AlertEvent), C(AsyncJobEvent), C(ResourceStateEvent) or C(UsageEvent).
        type: list
        elements: str
      type:
        description:
          - Message registry and key without version, such as V(ResourceEvent.ResourceCreated).
          - V(*) in it is any text, V(iLOEvents.*).
        type: list
        elements: str
      level:
        description: C(INFO), C(WARN) or C(ERROR).
        type: list
        elements: str
      state:
        description: C(Created), C(Scheduled), C(Started) or C(Completed).
        type: list
        elements: str
      origin:
        description: C(live), C(test), C(backfill) or C(import).
        type: list
        elements: str
      site:
        description: Names of sites whose listeners forwarded the events.
        type: list
        elements: str
      resource_type:
        description: Types of resources, such as V(EthernetInterface).
        type: list
        elements: str
      resource_id:
        description: Ids of resources, such as V(/redfish/v1/Systems/1).
        type: list
        elements: str
      start_id:
        description: What the events of a job have in common, such as its Task.
        type: list
        elements: str
      domain:
        description: Paths of domains, without those below.
        type: list
        elements: str
      account:
        description: Names of accounts.
        type: list
        elements: str
      below:
        description: A domain with everything below it.
        type: str
      keyword:
        description: Words that are all in source, type, resource or message. V(fail*) is any word that begins so.
        type: str
      since:
        description: Received at this time or later, as RFC 3339, or an age such as V(5m), V(2h) or V(7d).
        type: str
      until:
        description: Received before this time, in the same forms.
        type: str
      archived:
        description:
          - Whether to return archived events only (V(true)), these too (V(all)), or none of them.
          - Archived ones are for tokens that may archive (C(events.manage)).
        type: str
        choices: ["false", "true", "all"]
      cursor:
        description: RV(cursor) of the page before, with the same conditions.
        type: str
      total:
        description: Whether to count all events that fit, on whatever page; that reads them all.
        type: bool
  wait_for:
    description:
      - Events to wait for. An event that doesn't come is no failure; it is in RV(missing).
    type: list
    elements: dict
    suboptions:
      source:
        description: Name of the source.
        type: str
        required: true
      marker:
        description:
          - Text that its id, message or a message argument contains.
          - M(redfleet.events.submit_test_event) returns it.
        type: str
      message_key:
        description: Key of its message, such as V(TestMessage); for BMCs that don't pass the marker on.
        type: str
      after:
        description:
          - The listener's RV(head) before the event was caused. Older events don't count.
          - Without it, events of the last ten minutes do.
        type: int
  wait_timeout:
    description: Seconds to wait for all of O(wait_for).
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Errors of the last hour
  redfleet.events.listener_event_info:
    token: "{{ event_listener_token }}"
    query:
      level: [ERROR]
      since: 1h
  delegate_to: listener1
  register: errors

- name: Events of the first data centre that tell of failing fans, and how many there are
  redfleet.events.listener_event_info:
    token: "{{ event_listener_token }}"
    query:
      below: /dc1/
      keyword: fan fail*
      total: true
  delegate_to: listener1
  register: fans

- name: Wait for a test event
  redfleet.events.listener_event_info:
    token: "{{ event_listener_token }}"
    wait_for:
      - source: bmc001
        marker: "{{ sent.marker }}"
    wait_timeout: 30
  delegate_to: listener1
  register: arrived
  failed_when: arrived.missing | length > 0
"""

RETURN = r"""
events:
  description: The events of O(query); none with O(wait_for) alone.
  returned: success
  type: list
  elements: dict
  sample:
    - seq: 42
      id: 4737f4345e10-40-0
      source: bmc001
      address: 192.0.2.10
      origin: live
      category: AlertEvent
      type: Alert.LanDisconnect
      level: ERROR
      state: Completed
      resource_type: EthernetInterface
      resource_id: /redfish/v1/Systems/1/EthernetInterfaces/1
      message: A LAN disconnect on port 1 was detected.
      message_id: Alert.1.0.LanDisconnect
      message_args: ["1"]
      severity: Critical
      event_id: "4594"
      context: rack7
      time: "2026-11-22T02:54:34Z"
      received: "2026-11-22T02:54:34.123456Z"
      start_id: null
      payload_id: 40
      record: {"EventId": "4594"}
head:
  description: Sequence number of the newest event in the listener's log.
  returned: success
  type: int
next:
  description: Where the next page begins (C(after) when ascending, C(before) when descending); null on the last page.
  returned: success
  type: int
cursor:
  description: Leads to the next page by O(query.cursor), and keeps what an age meant on the first; null on the last.
  returned: success
  type: str
total:
  description: How many events fit, on all pages.
  returned: when O(query.total) is true
  type: int
found:
  description: The expected events that arrived.
  returned: when O(wait_for) is given
  type: list
  elements: dict
  contains:
    source:
      description: Name of the source.
      type: str
    event:
      description: The event, as in RV(events).
      type: dict
    exact:
      description: Whether it contains the marker. If not, only its source, its message and its place in the log fit.
      type: bool
    latency_s:
      description: Seconds from the beginning of this wait until it was seen; 0 when it was there already.
      type: float
missing:
  description: The sources whose expected event didn't arrive in time.
  returned: when O(wait_for) is given
  type: list
  elements: str
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve
from ansible_collections.redfleet.events.plugins.module_utils._listener_query import FILTERS, given
from ansible_collections.redfleet.events.plugins.module_utils._listener_wait import Wait

POLL_SECONDS = 0.5

QUERY = {
    "after": {"type": "int"},
    "before": {"type": "int"},
    "limit": {"type": "int"},
    "order": {"type": "str", "choices": ["asc", "desc"]},
    **FILTERS,
    "cursor": {"type": "str"},
    "total": {"type": "bool"},
}
WAIT_FOR = {
    "source": {"type": "str", "required": True},
    "marker": {"type": "str"},
    "message_key": {"type": "str", "no_log": False},
    "after": {"type": "int"},
}
ARGUMENT_SPEC = {
    **CONNECTION,
    "query": {"type": "dict", "options": QUERY},
    "wait_for": {
        "type": "list",
        "elements": "dict",
        "options": WAIT_FOR,
        "required_one_of": [["marker", "message_key"]],
    },
    "wait_timeout": {"type": "int", "default": 60},
}


def asked(query: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a query."""
    found = given(query)
    return {**found, "total": str(found["total"]).lower()} if "total" in found else found


def run(params: dict[str, Any], listener: Listener, _check_mode: bool) -> dict[str, Any]:
    """Wait, then query; see RETURN. Raises ListenerError."""
    result: dict[str, Any] = {"changed": False}
    said = []
    if params["wait_for"] is not None:
        wait = Wait(params["wait_for"], lambda query: listener.get("/api/v1/events", query))
        wait.run(params["wait_timeout"], POLL_SECONDS)
        result.update(found=wait.found, missing=wait.missing)
        said.append(f"{len(wait.found)} of {len(params['wait_for'])} expected events arrived.")
    only_head = params["query"] is None and params["wait_for"] is not None
    page = listener.get("/api/v1/events", {"limit": 1} if only_head else asked(params["query"] or {}))
    events = [] if only_head else page["events"]
    if not only_head:
        said.append(f"{len(events)} events.")
    shown = {name: page[name] for name in ("head", "next", "cursor", "total") if name in page}
    return {**result, **shown, "events": events, "msg": " ".join(said)}


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
