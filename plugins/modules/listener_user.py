#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_user."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_user
short_description: Keep a user of the listener
version_added: 0.1.0
description:
  - Makes, changes or removes a user of the event listener's management API. What isn't given stays as it is.
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
  name:
    description: Name of the user, who is the only one of it in all domains.
    type: str
    required: true
  role:
    description: What the user may. A new one needs it.
    type: str
    choices: [root-admin, domain-admin, user]
  domain:
    description: Path of the user's domain, which is made where it isn't there. That of a V(root-admin) is V(/).
    type: str
  account:
    description:
      - The user's account in that domain, which is made where it isn't there. A O(role=user) needs one.
      - An empty text takes it away.
    type: str
  enabled:
    description: Whether the user may do anything. Disabling revokes all tokens.
    type: bool
  password:
    description: Password, of at least 12 characters. Without one only tokens work. An empty text takes it away.
    type: str
  update_password:
    description: With V(on_create) the password of a user who is there stays.
    type: str
    choices: [always, on_create]
    default: always
  state:
    description: V(absent) removes the user and all tokens.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Ada administers the first data centre
  redfleet.events.listener_user:
    token: "{{ event_listener_token }}"
    name: ada
    role: domain-admin
    domain: /dc1/
    password: "{{ vault_ada_password }}"
    update_password: on_create
  delegate_to: listener1

- name: A dashboard shows the web team's events; it has tokens only
  redfleet.events.listener_user:
    token: "{{ event_listener_token }}"
    name: grafana
    role: user
    domain: /dc1/
    account: web
  delegate_to: listener1
"""

RETURN = r"""
user:
  description: The user as it is, or would be; V(null) where it is absent.
  returned: success
  type: dict
  sample:
    name: ada
    role: domain-admin
    domain: /dc1/
    account: null
    state: enabled
    has_password: true
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve
from ansible_collections.redfleet.events.plugins.module_utils._listener_owners import outcome

PATH = "/api/v1/users"
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "name": {"type": "str", "required": True},
    "role": {"type": "str", "choices": ["root-admin", "domain-admin", "user"]},
    "domain": {"type": "str"},
    "account": {"type": "str"},
    "enabled": {"type": "bool"},
    "password": {"type": "str", "no_log": True},
    "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def wanted(params: dict[str, Any], is_new: bool) -> dict[str, Any]:
    """What the API is asked for: what isn't given is left out, an empty text is null."""
    found = {name: params[name] or None for name in ("role", "domain", "account") if params[name] is not None}
    if params["enabled"] is not None:
        found["state"] = "enabled" if params["enabled"] else "disabled"
    kept = not is_new and params["update_password"] == "on_create"  # noqa: S105 - says when, and is no password
    if params["password"] is not None and not kept:
        found["password"] = params["password"] or None
    return found


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Make, change or remove; see RETURN. Raises ListenerError."""
    known = {user["name"]: user for user in listener.get(PATH)["users"]}
    before, where = known.get(params["name"]), f"{PATH}/{quote(params['name'], safe='')}"
    if params["state"] == "absent":
        if before and not check_mode:
            listener.delete(where)
        return {**outcome(f"user {params['name']}", before, None), "user": None}
    answer = listener.put(where, {**wanted(params, before is None), "check": check_mode})
    said = outcome(f"user {params['name']}", answer["before"], answer["user"])
    # Another password changes the user, though nothing that is shown.
    password = answer["changed"] and answer["before"] == answer["user"]
    return {
        **said,
        "changed": answer["changed"],
        "user": answer["user"],
        **({"msg": f"user {params['name']} has another password."} if password else {}),
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
