#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_event."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_event
short_description: Archive or delete events of the listener
version_added: 0.1.0
description:
  - Archives or deletes events in the event log of the listener, all that are meant or none.
  - Check mode is the dry run. It counts, and changes nothing.
  - The token needs C(events.manage), and C(events.read) to delete by O(query.id).
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
  state:
    description:
      - With V(archived) the events are hidden wherever nobody asks for archived ones, and are kept.
      - With V(absent) they are gone at once, and removed for good soon.
    type: str
    choices: [archived, absent]
    required: true
  query:
    description:
      - Which events. All conditions hold; of a list, any value. At least one is needed.
      - Of an empty list no event has a value, so nothing is done. Empty texts are refused.
    type: dict
    required: true
    suboptions:
      id:
        description:
          - Public ids of events, archived ones among them.
          - One that isn't there is nothing to do for V(absent) of O(state), and an error for V(archived).
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
        description: Message registry and key without version; V(*) in it is any text, V(iLOEvents.*).
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
          - Whether V(absent) of O(state) means only archived events (V(true)), these too (V(all)), or none of them.
          - V(all) where O(query.id) is given, else V(false).
        type: str
        choices: ["false", "true", "all"]
"""

EXAMPLES = r"""
- name: Events of iLOs that are older than a month are archived
  redfleet.events.listener_event:
    token: "{{ event_listener_token }}"
    state: archived
    query:
      type: [iLOEvents.*]
      until: 30d
  delegate_to: listener1

- name: How many test events there are to delete
  redfleet.events.listener_event:
    token: "{{ event_listener_token }}"
    state: absent
    query:
      origin: [test]
  check_mode: true
  delegate_to: listener1
  register: tests
"""

RETURN = r"""
affected:
  description: How many events were archived or deleted, or would be.
  returned: success
  type: int
  sample: 5
missing:
  description: The ids of O(query.id) that aren't there, or that the token doesn't reach.
  returned: success
  type: list
  elements: str
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._listener import (
    CONNECTION,
    Listener,
    ListenerError,
    serve,
)
from ansible_collections.redfleet.events.plugins.module_utils._listener_query import FILTERS, given

PATH = "/api/v1/events"
DEEDS = {"archived": "archive", "absent": "delete"}
# More ids than this make an address too long.
MOST_IDS = 100
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "state": {"type": "str", "choices": ["archived", "absent"], "required": True},
    "query": {"type": "dict", "options": FILTERS, "required": True},
}


def meant(state: str, options: dict[str, Any]) -> dict[str, Any]:
    """The conditions as the API takes them. Raises ListenerError for what would mean more than was written."""
    query = given(options)
    empty = [name for name, value in query.items() if value == "" or (isinstance(value, list) and "" in value)]
    if empty:
        raise ListenerError(f"query.{empty[0]} has an empty text; leave it out, or say which events")
    if state == "archived" and "archived" in query:
        raise ListenerError("query.archived is for state absent: what is archived stays so; leave it out")
    return {"archived": "all", **query} if "id" in query else query


def those_there(listener: Listener, ids: list[str], archived: str) -> list[str]:
    """Which of these ids the listener has, in their order. Raises ListenerError."""
    found: set[str] = set()
    for first in range(0, len(ids), MOST_IDS):
        asked = {"id": ids[first : first + MOST_IDS], "archived": archived, "limit": MOST_IDS}
        found.update(event["id"] for event in listener.get(PATH, asked)["events"])
    return [one for one in ids if one in found]


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Archive or delete; see RETURN. Raises ListenerError."""
    state, missing = params["state"], []
    query = meant(state, params["query"])
    nothing = [] in query.values()
    if state == "absent" and not nothing and "id" in query:
        asked = list(dict.fromkeys(query["id"]))
        query["id"] = those_there(listener, asked, query["archived"])
        missing = [one for one in asked if one not in query["id"]]
        nothing = not query["id"]
    affected = 0
    # Without its ids a query would mean other events.
    if not nothing:
        document = {**query, "dry_run": check_mode}
        affected = listener.post(f"{PATH}/{DEEDS[state]}", document)["affected"]
    before, after = ({"events": affected, "state": each} if affected else {} for each in ("present", state))
    done = f"{affected} events are {'archived' if state == 'archived' else 'deleted'}."
    return {
        "changed": affected > 0,
        "affected": affected,
        "missing": missing,
        "diff": {"before": before, "after": after},
        "msg": done,
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
