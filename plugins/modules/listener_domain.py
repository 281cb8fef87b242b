#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_domain."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_domain
short_description: Keep a domain of the listener
version_added: 0.1.0
description:
  - Makes or removes a domain of the tree that sources, accounts and users of the event listener belong to.
  - M(redfleet.events.listener_source), M(redfleet.events.listener_account) and M(redfleet.events.listener_user) make
    the domains that they name.
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
  path:
    description: The domain, such as V(/dc1/row2/). Those above it are made, too.
    type: str
    required: true
  state:
    description: A domain that holds domains, accounts, users or sources can't be V(absent).
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: There is a domain for each row
  redfleet.events.listener_domain:
    token: "{{ event_listener_token }}"
    path: /dc1/{{ item }}/
  loop: [row1, row2]
  delegate_to: listener1
"""

RETURN = r"""
path:
  description: The domain as the listener writes it.
  returned: success
  type: str
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any
from urllib.parse import urlencode

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve
from ansible_collections.redfleet.events.plugins.module_utils._listener_owners import domain_path, outcome

PATH = "/api/v1/domains"
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "path": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Make or remove it; see RETURN. Raises ListenerError."""
    path = domain_path(params["path"])
    before = {"path": path} if path in listener.get(PATH)["domains"] else None
    after = {"path": path} if params["state"] == "present" else None
    if before != after and not check_mode:
        if after:
            listener.post(PATH, after)
        else:
            listener.delete(f"{PATH}?{urlencode({'path': path})}")
    return {**outcome(f"domain {path}", before, after), "path": path}


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
