#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_source_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_source_info
short_description: Ask the listener what it knows of the BMCs
version_added: 0.1.0
description:
  - Asks the management API of the event listener for its sources, which credential each was given, and which ones it
    was heard with. Names and times only; secrets are never shown.
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
  keep_credentials:
    description: Also return RV(needs), the sources that would be refused if the listener accepted only these.
    type: list
    elements: str
  heard:
    description: With O(keep_credentials), a source needs to have been heard with what it was given.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Who still needs another credential than the new one
  redfleet.events.listener_source_info:
    token: "{{ event_listener_token }}"
    keep_credentials: [bmcs-2027]
  delegate_to: listener1
  register: known
"""

RETURN = r"""
sources:
  description:
    - Registered sources, and senders that nobody registered (C(registered) is false).
    - C(credential) and C(credential_given) say what each was given and when, C(heard_with) when it last showed which.
  returned: success
  type: list
  elements: dict
credentials:
  description: Names of the credentials that the listener's configuration accepts.
  returned: success
  type: list
  elements: str
needs:
  description: C(source) and C(reason) of those that O(keep_credentials) is not enough for.
  returned: when O(keep_credentials) is given
  type: list
  elements: dict
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve

ARGUMENT_SPEC = {
    **CONNECTION,
    "keep_credentials": {"type": "list", "elements": "str", "no_log": False},
    "heard": {"type": "bool", "default": False},
}


def run(params: dict[str, Any], listener: Listener, _check_mode: bool) -> dict[str, Any]:
    """Ask; see RETURN. Raises ListenerError."""
    sources = listener.get("/api/v1/sources")["sources"]
    accepted = [item["name"] for item in listener.get("/api/v1/credentials")["credentials"]]
    result: dict[str, Any] = {"changed": False, "sources": sources, "credentials": accepted}
    said = f"{len(sources)} sources."
    if params["keep_credentials"]:
        query = {"keep": params["keep_credentials"], "heard": str(params["heard"]).lower()}
        result["needs"] = listener.get("/api/v1/credentials/needs", query)["needs"]
        said += f" {len(result['needs'])} need another credential."
    return {**result, "msg": said}


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
