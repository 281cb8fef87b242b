#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_proof."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_proof
short_description: Announce test events to the listener, and wait for them
version_added: 0.1.0
description:
  - With O(sources) it announces to the event listener that these sources are about to send a test event each, and
    returns a marker for each of them, for M(redfleet.events.submit_test_event).
  - With O(batch) it waits until those that were announced have arrived.
  - An announced test event is a test event to the listener even where its BMC drops the marker and can send nothing but
    a real alert. It goes to the text log and to sinks whose routes take test events, to no other.
  - The listener keeps when each source was last proven.
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._listener
  - redfleet.events._listener.attributes
attributes:
  check_mode:
    support: full
    details: Announces nothing and waits for nothing.
  diff_mode:
    support: none
options:
  sources:
    description: Names of the sources that are about to send a test event.
    type: list
    elements: str
  batch:
    description: RV(batch) of an announcement, to wait for its events.
    type: str
  accepted:
    description: With O(batch), the sources to wait for, those whose BMC took the request. All of them by default.
    type: list
    elements: str
  wait_timeout:
    description:
      - Seconds to wait for all of them with O(batch).
      - With O(sources), how long the events are expected; later than that they are ordinary events.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Announce
  redfleet.events.listener_proof:
    token: "{{ listener_token }}"
    sources: [bmc1]
    wait_timeout: 300
  delegate_to: listener.example.com
  register: announced

- name: The BMC sends it
  redfleet.events.submit_test_event:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
    marker: "{{ announced.markers.bmc1 }}"

- name: It arrives
  redfleet.events.listener_proof:
    token: "{{ listener_token }}"
    batch: "{{ announced.batch }}"
  delegate_to: listener.example.com
  register: arrived
  failed_when: arrived.missing | length > 0
"""

RETURN = r"""
batch:
  description: Names the announcement for a day.
  returned: success
  type: str
markers:
  description: The marker of each source.
  returned: success
  type: dict
  sample: {"bmc1": "redfleet-test-5f1c0e9b7a240d11"}
found:
  description: What arrived.
  returned: with O(batch)
  type: list
  elements: dict
  contains:
    source:
      description: Name of the source.
      type: str
    event_id:
      description: Id of the event in the listener's log.
      type: str
    received:
      description: When the listener received it, by its own clock.
      type: str
    matched:
      description: V(marker), or V(sequence) where the BMC doesn't pass the marker on.
      type: str
missing:
  description: The sources of O(accepted) whose event didn't arrive in time.
  returned: with O(batch)
  type: list
  elements: str
now:
  description: The listener's clock when it answered; null in check mode.
  returned: success
  type: str
clock_offset_s:
  description:
    - By how many seconds the listener's clock is ahead of the controller's, at least (negative, behind).
    - 0 unless the times of request and answer show that the clocks differ.
  returned: success, and not in check mode
  type: float
msg:
  description: One sentence.
  returned: always
  type: str
"""

import time
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve
from ansible_collections.redfleet.events.plugins.module_utils._test_event import POSSIBLE_KEYS

POLL_SECONDS = 0.5
PATH = "/api/v1/proofs"

ARGUMENT_SPEC = {
    **CONNECTION,
    "sources": {"type": "list", "elements": "str"},
    "batch": {"type": "str"},
    "accepted": {"type": "list", "elements": "str"},
    "wait_timeout": {"type": "int", "default": 60},
}


def announce(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Announce; see RETURN. Raises ListenerError."""
    if check_mode or not params["sources"]:
        return {"changed": False, "batch": "", "markers": {}, "now": None, "msg": "Nothing is announced."}
    document = {"sources": params["sources"], "message_keys": POSSIBLE_KEYS, "seconds": params["wait_timeout"]}
    answer = listener.post(PATH, document)
    markers = {proof["source"]: proof["marker"] for proof in answer["proofs"]}
    msg = f"{len(markers)} test events are announced."
    return {"changed": False, "batch": answer["batch"], "markers": markers, "now": answer["now"], "msg": msg}


def wait(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Wait; see RETURN. Raises ListenerError."""
    if check_mode or not params["batch"]:
        return {
            "changed": False,
            "batch": "",
            "markers": {},
            "found": [],
            "missing": [],
            "now": None,
            "msg": "No wait.",
        }
    deadline = time.monotonic() + params["wait_timeout"]
    while True:
        answer = listener.get(f"{PATH}/{params['batch']}")
        arrived = {proof["source"]: proof for proof in answer["proofs"] if proof["received"]}
        known = [proof["source"] for proof in answer["proofs"]]
        wanted = known if params["accepted"] is None else params["accepted"]
        missing = [source for source in wanted if source not in arrived]
        if not missing or time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
    names = ("source", "event_id", "received", "matched")
    return {
        "changed": False,
        "batch": params["batch"],
        "markers": {proof["source"]: proof["marker"] for proof in answer["proofs"]},
        "found": [{name: proof[name] for name in names} for proof in arrived.values()],
        "missing": missing,
        "now": answer["now"],
        "msg": f"{len(wanted) - len(missing)} of {len(wanted)} test events arrived.",
    }


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Announce proofs, or wait for them; see RETURN. Raises ListenerError."""
    return (announce if params["sources"] is not None else wait)(params, listener, check_mode)


def main() -> None:
    serve(ARGUMENT_SPEC, run, mutually_exclusive=[["sources", "batch"]], required_one_of=[["sources", "batch"]])


if __name__ == "__main__":
    main()
